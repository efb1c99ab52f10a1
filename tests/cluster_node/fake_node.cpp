#include "tests/cluster_node/fake_node.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "common/cluster/range_server.h"
#include "common/core/clock.h"
#include "tests/support/frames.h"

namespace minivault::test {
namespace {

constexpr std::uint64_t kEpoch = 77;

std::size_t number_in(std::string_view bytes) {
  std::size_t number = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    number |= std::size_t{static_cast<std::uint8_t>(bytes[i])} << 8U * i;
  }
  return number;
}

}  // namespace

FakeNode::FakeNode() : listener_(listen_on_loopback()) {
  acceptor_ = std::jthread([this] { run(); });
}

FakeNode::~FakeNode() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int fd : sockets_) ::shutdown(fd, SHUT_RDWR);
  }
  changed_.notify_all();
  ::shutdown(listener_.fd.get(), SHUT_RDWR);
  acceptor_.join();
  servers_.clear();  // joins
}

void FakeNode::say(const std::function<void(Words&)>& change) {
  const std::lock_guard lock(mutex_);
  change(words_);
  changed_.notify_all();
}

void FakeNode::call(std::uint16_t port, std::uint64_t vouched) {
  const auto vouch = [vouched] { return cluster::BatchWriter(0).finish({kEpoch, false, 1, 1, vouched}); };
  call(port, cluster::kBatch, vouched == 0 ? "" : vouch());
}

void FakeNode::bring(std::uint16_t port, const std::string& key, const store::Version& version,
                     const std::string& value) {
  cluster::BatchWriter writer(0);
  writer.add({store::Operation::kSet, 0, version, key, value});
  call(port, cluster::kPush, writer.finish_push());
}

void FakeNode::call(std::uint16_t port, std::string_view kind, const std::string& message) const {
  cluster::Hello hello;
  {
    const std::lock_guard lock(mutex_);
    hello.id = words_.id;
  }
  hello.epoch = kEpoch;
  hello.address = address();
  hello.clock_us = wall_ms() * 1'000;
  hello.largest_value = 64 << 20;
  RawConnection connection(port);
  const auto say = [&](std::string_view what, const std::string& words) {
    connection.send(keyed_frame('\4', what) + little_endian(words.size(), 4) + '\0' + words);
    (void)connection.receive(number_in(std::string_view(connection.receive(5)).substr(1)));
  };
  say(cluster::kHello, cluster::encode(hello));
  if (!message.empty()) say(kind, message);
}

std::vector<FakeNode::Record> FakeNode::records() const {
  const std::lock_guard lock(mutex_);
  return records_;
}

store::Version FakeNode::conflicting() const {
  const std::lock_guard lock(mutex_);
  return conflicting_;
}

void FakeNode::run() {
  for (;;) {
    const int fd = ::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    const std::lock_guard lock(mutex_);
    if (stopping_ || fd < 0) {
      if (fd >= 0) ::close(fd);
      return;
    }
    sockets_.push_back(fd);
    servers_.emplace_back([this, fd] { serve(fd); });
  }
}

void FakeNode::serve(int fd) {
  RawConnection connection{UniqueFd(fd)};
  bool is_nameless = true;
  try {
    for (;;) {
      const std::string head = connection.receive(3);
      const std::string kind = connection.receive(number_in(std::string_view(head).substr(1)));
      if (head[0] != '\4') throw std::runtime_error("only SYNC is spoken here");
      const std::string length = connection.receive(5);
      const std::string message = connection.receive(number_in(std::string_view(length).substr(0, 4)));
      connection.send(value_answer(answer(kind, message, is_nameless)));
    }
  } catch (const std::exception&) {  // the other side has closed, or the test is over
  }
  const std::lock_guard lock(mutex_);
  std::erase(sockets_, fd);
}

std::string FakeNode::answer(std::string_view kind, std::string_view message, bool& is_nameless) {
  if (kind == cluster::kHello) return hello(message, is_nameless);
  if (kind == cluster::kPulse) return pulse();
  if (kind == cluster::kDebt) return debt();
  if (kind == cluster::kBatch) return batch(message);
  if (kind == cluster::kCompare && is_nameless) ++nameless_repairs_;
  return compare(kind, message);
}

std::string FakeNode::hello(std::string_view message, bool& is_nameless) {
  const cluster::Hello hello = cluster::decode_hello(message).value();
  const std::lock_guard lock(mutex_);
  ++hellos_;
  is_nameless = hello.id != caller_.id || hello.epoch != caller_.epoch ||
                hello.previous_epoch != caller_.previous_epoch;
  if (words_.refuses) return cluster::encode_refusal(words_.reason, "not now");
  if (words_.has_removed_caller) return cluster::encode_refusal(cluster::Reply::kForgotten, "removed");
  if (words_.hellos_are_older) (void)members_.introduce(words_.id, address());
  members_.merge(hello.members);
  (void)members_.introduce(words_.id, address());
  if (!hello.dial_back && caller_.id != hello.id) caller_ = {.id = hello.id};
  if (!hello.dial_back) caller_.epoch = hello.epoch, caller_.previous_epoch = hello.previous_epoch;
  cluster::HelloReply reply;
  reply.id = words_.id;
  reply.epoch = kEpoch;
  reply.address = address();
  reply.clock_us = wall_ms() * 1'000;
  reply.largest_value = words_.largest_value;
  reply.position = words_.knows_more ? cluster::Position{kEpoch, 1'000, 1} : caller_.position;
  reply.complete = words_.complete;
  if (words_.knows_another_set || words_.hellos_are_older) {
    (void)reply.members.introduce(words_.id, address());
  } else {
    reply.members = members_;
    if (words_.forgets != 0) (void)reply.members.forget(words_.forgets);
  }
  return cluster::encode(reply);
}

/// REQUIRES: mutex_ is held.
std::uint64_t FakeNode::digest() const {
  return members_.digest() ^ (words_.knows_another_set ? 1U : 0U);
}

std::string FakeNode::pulse() {
  const std::lock_guard lock(mutex_);
  ++pulses_;
  if (words_.has_removed_caller) return cluster::encode_refusal(cluster::Reply::kForgotten, "removed");
  cluster::PulseReply reply;
  reply.backs = true;
  reply.id = words_.id;
  reply.epoch = kEpoch;
  reply.clock_us = wall_ms() * 1'000;
  reply.members_digest = digest();
  reply.complete = words_.complete;
  if (words_.holds_up_to != 0) {
    reply.held.push_back({words_.id, {kEpoch, 1, words_.holds_up_to}});
    reply.held.push_back({caller_.id, caller_.position});
    reply.held.back().position.hlc = words_.holds_up_to;
  }
  return cluster::encode(reply);
}

std::string FakeNode::debt() {
  const std::lock_guard lock(mutex_);
  ++debts_;
  if (words_.knows_no_debts)
    return cluster::encode_refusal(cluster::Reply::kMalformed, "unknown kind of message");
  return cluster::encode_debt_reply(words_.lacks);
}

std::string FakeNode::batch(std::string_view message) {
  std::unique_lock lock(mutex_);
  const cluster::DecodedBatch batch = cluster::decode_batch(message, caller_.id).value();
  const bool begins = batch.head.from == batch.head.to;
  if (begins) jumped_ = batch.head.jump;
  if (begins || batch.head.hlc != 0) vouched_ = batch.head.hlc;
  cluster::BatchReply reply;
  for (const cluster::Record& record : batch.records) {
    records_.push_back({std::string(record.key), record.version, batch.head.hlc});
  }
  if (!batch.records.empty()) {
    ++batches_;
    changed_.wait(lock, [this] { return stopping_ || !words_.holds_answers; });
    if (words_.refuses_batches) return cluster::encode_refusal(words_.reason, "not that");
    if (words_.ends_streams) throw std::runtime_error("it was told to end");
    if (std::exchange(words_.loses_answer, false)) {
      caller_.position = {batch.head.epoch, batch.head.to, batch.head.hlc};
      throw std::runtime_error("it was told to lose this");
    }
    for (std::uint64_t i = 0; i < batch.records.size(); ++i) {
      if (batch.records[i].version < words_.holds) reply.conflicts.push_back({i, words_.holds});
    }
    if (words_.holds_no_clock) reply.conflicts.push_back({0, {~std::uint64_t{0}, words_.id}});
    if (words_.drops_ghosts) reply.conflicts.push_back({0, {}});
    if (std::exchange(words_.conflicts_once, false)) {
      conflicting_ = {batch.records.front().version.hlc + (1ULL << 20U), words_.id};
      reply.conflicts.push_back({0, conflicting_});
      words_.holds_answers = true;
    }
  }
  if (words_.acks_beyond == 0) caller_.position = {batch.head.epoch, batch.head.to, batch.head.hlc};
  reply.to = batch.head.to + words_.acks_beyond;
  reply.members_digest = digest();
  return cluster::encode(reply);
}

std::string FakeNode::compare(std::string_view kind, std::string_view message) {
  std::unique_lock lock(mutex_);
  if (kind == cluster::kCompare) {
    ++repairs_;
    changed_.wait(lock, [this] { return stopping_ || !words_.holds_comparisons; });
  }
  if (!words_.compares) return cluster::encode_refusal(cluster::Reply::kBusy, "there is nothing behind it");
  if (kind == cluster::kCompare)
    return cluster::encode(cluster::CompareReply{words_.id, 0, words_.complete, 0});
  if (kind == cluster::kPush) return cluster::encode(cluster::BatchReply{});
  const auto nothing = [](std::string_view, const cluster::RangeServer::Visit&) { return Status(); };
  return cluster::RangeServer({nothing, nothing}).answer(kind, message).value();
}

}  // namespace minivault::test
