#include "bench/store_minivault.h"

#include <array>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "tests/support/wait.h"

namespace minivault::bench {
namespace {

constexpr std::chrono::minutes kPatience{10};

SyncMode mode_of(const Setting& setting) {
  SyncMode mode;
  mode.kind = setting.durable ? SyncMode::Kind::kAlways : SyncMode::Kind::kNone;
  return mode;
}

}  // namespace

std::size_t Client::get_together(std::span<const Key> keys) {
  std::array<std::string_view, store::Store::kMostAtOnce> names;
  std::array<store::Found, store::Store::kMostAtOnce> found;
  for (std::size_t i = 0; i < keys.size(); ++i) names[i] = keys[i].view();
  std::size_t present = 0;
  const std::size_t looked = store_.get_many(std::span(names).first(keys.size()), found);
  for (const store::Found& one : std::span(found).first(looked)) {
    if (one.present && touch(one.value) != 0) ++present;
  }
  return present;
}

void Client::put(std::span<const Key> keys, std::string_view value) {
  for (const Key& key : keys) {
    store::Write write;
    write.key = key.view();
    write.value = value;
    batch_.add(write);
  }
  while (true) {
    store_.begin_turn();
    const Status done = store_.commit(batch_);
    store_.end_turn();
    if (done) break;
    if (done.error().code != Code::kNoSpace) throw std::runtime_error("commit: " + done.error().message);
    pollfd bell{store_.region().bell(slot_), POLLIN, 0};
    if (::poll(&bell, 1, 1) > 0) store_.region().silence(slot_);
  }
  if (durable_) wait_durable(batch_.result(batch_.size() - 1).answer_after);
  batch_.clear();
}

void Client::wait_durable(store::Lsn lsn) {
  while (store_.ring_when_durable(lsn)) {
    pollfd bell{store_.region().bell(slot_), POLLIN, 0};
    if (::poll(&bell, 1, 1'000) > 0) store_.region().silence(slot_);
  }
}

Minivault::Minivault(const Setting& setting)
    : durable_(setting.durable), engine_(setting.log_bytes, mode_of(setting)) {
  engine_.config.cache_bytes = Config{}.cache_bytes;
  engine_.start();
  open();
}

void Minivault::open() {
  client_ = std::make_unique<Client>(engine_.open_store(kSlot), kSlot, durable_);
}

void Minivault::settle() {
  const store::Lsn tail = engine_.state().marks.tail.load();
  engine_.region().ask_for_checkpoint(tail);  // a small backlog would lie for 5 s
  test::eventually(
      "the base is up to date", [&] { return engine_.state().marks.checkpoint.load() >= tail; }, kPatience);
}

void Minivault::warm() {
  settle();
  // The checkpointer writes 1 MB of zeros a millisecond ahead of the tail while it has nothing else to do.
  std::this_thread::sleep_for(std::chrono::milliseconds((engine_.config.log_bytes >> 20) * 3));
}

void Minivault::restart(std::uint64_t cache_bytes) {
  settle();
  engine_.config.cache_bytes = 2 * cache_bytes;  // half of -cache is for large values
  client_.reset();
  engine_.stop();
  engine_.start();
  open();
}

pid_t Minivault::process() {
  return engine_.region().slot(test::Engine::kCheckpointerSlot).pid.load();
}

std::uint64_t Minivault::backlog_bytes() {
  const shared::Watermarks& marks = engine_.state().marks;
  const store::Lsn checkpoint = marks.checkpoint.load();
  return marks.tail.load() - checkpoint;
}

}  // namespace minivault::bench
