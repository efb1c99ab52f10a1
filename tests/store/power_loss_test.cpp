// Goal: after a power cut at any instant a node starts, and holds everything that it had acknowledged: in
// `always` every write and everything that a read was told, in `interval` all but the last interval; in every
// mode what it holds is a beginning of its log, no value is torn, no LSN and no version is handed out again,
// though the clock was set back. Method: everything that the processes of an engine do to their files is
// recorded while it is born, loaded, killed, stopped and given another ring; then the power is cut at random
// moments of the recording (MINIVAULT_POWER_CUTS in each test, default 400), and again in the midst of the
// recovery. The files lie in memory: the disk is the recording.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iostream>
#include <optional>
#include <thread>

#include "common/core/clock.h"
#include "common/core/fault_point.h"
#include "common/store/recovery.h"
#include "tests/store/engine.h"
#include "tests/store/shared_object.h"
#include "tests/store/traced_disk.h"
#include "tests/support/seed.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

constexpr unsigned kWriters = 3;
constexpr unsigned kKeysEach = 8;
constexpr unsigned kKeys = kWriters * kKeysEach;
constexpr std::uint64_t kRingBytes = 256 << 10;
constexpr milliseconds kInterval{40};
constexpr milliseconds kSlack{120};  // between a promise and its note on a busy machine

std::string key_of(unsigned n) {
  return "key " + std::to_string(n);
}

/// What the processes write into the recording. The numbers of a key grow; each key has one writer.
struct Note {
  enum class Kind : std::uint32_t {
    kAttempt,       ///< `number` of `key` is about to be written
    kWritten,       ///< … was, and lies below `end`
    kAcknowledged,  ///< … was told to be safe, or seen by a read that was answered
  };
  Kind kind;
  std::uint32_t key;
  std::uint64_t number;
  store::Lsn end;
  std::uint64_t hlc;
};

void take_note(DiskRecorder& recorder, const Note& note) {
  recorder.note({reinterpret_cast<const char*>(&note), sizeof note});
}

struct Ledger {
  std::array<std::atomic<std::uint64_t>, kKeys> numbers;  ///< last attempted
};

/// Deletes carry a number too; which numbers are deletes follows from the number.
bool is_delete(std::uint64_t number) {
  return number % 7 == 3;
}

void await_durable(store::Store& store, store::Lsn end, milliseconds patience = kPatience) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (store.durable() < end && store.failure() == shared::Failure::kNone &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
  }
}

void read_one(store::Store& store, DiskRecorder& recorder, std::mt19937_64& random) {
  const unsigned n = random() % kKeys;
  Note seen{Note::Kind::kAcknowledged, n, 0, 0, 0};
  in_turn(store, [&] {
    const store::Found found = store.get(key_of(n)).value();
    seen.end = found.answer_after;
    if (found.present) seen.number = number_of(found.value);
  });
  await_durable(store, seen.end);
  if (seen.number != 0 && store.durable() >= seen.end) take_note(recorder, seen);
}

struct Order {
  unsigned key;
  std::size_t bytes;
};

/// Commits the orders as one batch and notes what becomes of it. False: there was no room for `patience`.
bool write_all(store::Store& store, DiskRecorder& recorder, Ledger& ledger, const std::vector<Order>& orders,
               milliseconds patience = kPatience) {
  store::Batch batch;
  std::vector<Note> notes;
  std::vector<std::string> kept;
  kept.reserve(2 * orders.size());
  for (const Order& order : orders) {
    const std::uint64_t number = ledger.numbers[order.key].fetch_add(1) + 1;
    store::Write write;
    write.key = kept.emplace_back(key_of(order.key));
    write.operation = is_delete(number) ? store::Operation::kDelete : store::Operation::kSet;
    if (!is_delete(number)) write.value = kept.emplace_back(stamped(number, order.bytes));
    batch.add(write);
    notes.push_back({Note::Kind::kAttempt, order.key, number, 0, 0});
    take_note(recorder, notes.back());
  }
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!in_turn(store, [&] { return store.commit(batch); })) {
    if (store.failure() != shared::Failure::kNone || std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  for (std::size_t i = 0; i < notes.size(); ++i) {
    notes[i].kind = Note::Kind::kWritten;
    notes[i].end = batch.result(i).end;
    notes[i].hlc = batch.result(i).version.hlc;
    take_note(recorder, notes[i]);
  }
  const store::Lsn wanted = batch.result(notes.size() - 1).answer_after;
  await_durable(store, wanted, patience);
  for (Note& note : notes) {
    note.kind = Note::Kind::kAcknowledged;
    if (store.durable() >= wanted) take_note(recorder, note);
  }
  return true;
}

std::vector<Order> some_orders(unsigned writer, std::mt19937_64& random) {
  std::vector<Order> orders(1 + random() % 6);
  for (Order& order : orders) {
    order.key = writer * kKeysEach + random() % kKeysEach;
    order.bytes = random() % 16 == 0 ? random() % 12'000 : random() % 600;
  }
  return orders;
}

enum class Mode { kAlways, kInterval, kNone };

using Numbers = std::array<std::uint64_t, kKeys>;  ///< of each key's value, 0 where there is none

/// What a node's files held when it was started, and where its log ended.
struct Recovered {
  Numbers numbers{};
  store::Lsn log_end = 0;
};

/// What is owed to the clients of the node at the moment of a cut.
class Debt {
 public:
  void apply(const DiskEvent& event, std::string_view bytes) {
    Note note{};
    std::memcpy(&note, bytes.data(), sizeof note);
    Key& key = keys_[note.key];
    if (note.kind == Note::Kind::kAttempt) return key.writes.push_back({note.number, 0, 0});
    if (note.kind == Note::Kind::kAcknowledged) key.acknowledged = std::max(key.acknowledged, note.number);
    for (Write& write : key.writes) {
      if (write.number != note.number) continue;
      if (note.kind == Note::Kind::kWritten) write.end = note.end;
      if (note.kind == Note::Kind::kAcknowledged && write.told_ns == 0) write.told_ns = event.time_ns;
    }
    highest_end_ = std::max(highest_end_, note.end);
    highest_hlc_ = std::max(highest_hlc_, note.hlc);
  }

  void check(const Recovered& found, Mode mode) const {
    for (unsigned n = 0; n < kKeys; ++n) check_key(n, found.numbers[n], found.log_end, mode);
    if (mode == Mode::kInterval) check_span(found.log_end);
  }

  [[nodiscard]] store::Lsn highest_end() const { return highest_end_; }
  [[nodiscard]] std::uint64_t highest_hlc() const { return highest_hlc_; }

 private:
  struct Write {
    std::uint64_t number;
    store::Lsn end;         ///< 0: nobody knows whether it was written
    std::uint64_t told_ns;  ///< when it was acknowledged; 0: not
  };
  struct Key {
    std::vector<Write> writes;
    std::uint64_t acknowledged = 0;
  };

  /// The newest write below the log's end, or one of those after it that may or may not have been written.
  void check_key(unsigned n, std::uint64_t found, store::Lsn log_end, Mode mode) const {
    const std::uint64_t owed = mode == Mode::kAlways ? keys_[n].acknowledged : 0;
    std::string wanted;
    const auto fits = [&](std::uint64_t number) {
      wanted += ' ' + std::to_string(number) + (is_delete(number) ? " (absent)" : "");
      return number >= owed && found == (is_delete(number) ? 0 : number);
    };
    for (std::size_t i = keys_[n].writes.size(); i > 0; --i) {
      const Write& write = keys_[n].writes[i - 1];
      if (write.end > log_end) continue;
      if (fits(write.number)) return;
      if (write.end != 0) return complain(n, found, owed, wanted);
    }
    if (!fits(0)) complain(n, found, owed, wanted);
  }

  static void complain(unsigned n, std::uint64_t found, std::uint64_t owed, const std::string& wanted) {
    CPPUNIT_FAIL(key_of(n) + " holds number " + std::to_string(found) + ", acknowledged was " +
                 std::to_string(owed) + ", possible is" + wanted);
  }

  /// What was acknowledged and is lost was acknowledged within one interval.
  void check_span(store::Lsn log_end) const {
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;
    for (const Key& key : keys_) {
      for (const Write& write : key.writes) {
        if (write.told_ns == 0 || write.end <= log_end) continue;
        first_ns = first_ns == 0 ? write.told_ns : std::min(first_ns, write.told_ns);
        last_ns = std::max(last_ns, write.told_ns);
      }
    }
    const milliseconds lost((last_ns - first_ns) / 1'000'000);
    CPPUNIT_ASSERT_MESSAGE(std::to_string(lost.count()) + " ms of acknowledged writes are lost",
                           lost <= kInterval + kSlack);
  }

  std::array<Key, kKeys> keys_;
  store::Lsn highest_end_ = 0;
  std::uint64_t highest_hlc_ = 0;
};

store::Lsn end_of_log(const Config& config) {
  const auto base = store::Base::open_writer(config.data_directory);
  CPPUNIT_ASSERT_MESSAGE(base ? "" : base.error().message, base.has_value());
  const auto scene = store::survey(*base, config, store::Ring::Access::kRead);
  CPPUNIT_ASSERT_MESSAGE(scene ? "" : scene.error().message, scene.has_value());
  return scene->log.end;
}

/// Recovers `directory` as a start does; what it holds then.
Recovered recovered(const Config& config, const Debt& debt) {
  Recovered found;
  found.log_end = end_of_log(config);
  auto region = shared::Region::create(config.log_bytes / 64);
  CPPUNIT_ASSERT(region.has_value());
  const shared::State& state = region->state();
  const auto store = store::recover(region->state(), region->index_words(), config);
  CPPUNIT_ASSERT_MESSAGE(store ? "" : store.error().message, store.has_value());
  CPPUNIT_ASSERT_MESSAGE("an LSN is handed out again", state.marks.tail.load() >= debt.highest_end());
  CPPUNIT_ASSERT_MESSAGE("a version is handed out again", state.append.last_hlc.load() >= debt.highest_hlc());
  std::uint64_t keys = 0;
  const auto snapshot = store->base.snapshot();
  CPPUNIT_ASSERT(snapshot.has_value());
  const Status scanned = snapshot->scan("", [&](std::string_view key, const store::BaseRecord& record) {
    if (record.operation == store::Operation::kDelete) return true;
    found.numbers.at(std::stoul(std::string(key.substr(4)))) = number_of(record.value);
    return ++keys > 0;
  });
  CPPUNIT_ASSERT_MESSAGE(scanned ? "" : scanned.error().message, scanned.has_value());
  CPPUNIT_ASSERT_EQUAL(keys, snapshot->meta().value().keys);
  return found;
}

/// Files in memory, where that is possible.
class InMemory {
 public:
  InMemory() {
    if (const char* given = std::getenv("TMPDIR")) before_ = given;
    if (::access("/dev/shm", W_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 1);
  }
  ~InMemory() { before_ ? ::setenv("TMPDIR", before_->c_str(), 1) : ::unsetenv("TMPDIR"); }
  InMemory(const InMemory&) = delete;
  InMemory& operator=(const InMemory&) = delete;

 private:
  std::optional<std::string> before_;
};

}  // namespace

class PowerLossTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(PowerLossTest);
  CPPUNIT_TEST(always);
  CPPUNIT_TEST(interval);
  CPPUNIT_TEST(interval_with_a_slow_disk);
  CPPUNIT_TEST(none);
  CPPUNIT_TEST(failed_sync_that_nobody_was_told_of);
  CPPUNIT_TEST(commit_that_only_the_page_cache_knows);
  CPPUNIT_TEST_SUITE_END();

  struct Scenery {
    InMemory in_memory;
    DiskRecorder recorder{std::uint64_t{512} << 20};
    SharedObject<Ledger> ledger;
    std::mt19937_64 random{seed()};
  };
  std::optional<Scenery> scenery_;

  pid_t spawn_writer(Engine& engine, unsigned writer) {
    return engine.spawn(writer + 1, [this, writer, s = scenery_->random()](store::Store& store) {
      std::mt19937_64 random(s);
      while (store.failure() == shared::Failure::kNone) {
        if (random() % 4 == 0) {
          read_one(store, scenery_->recorder, random);
        } else {
          (void)write_all(store, scenery_->recorder, *scenery_->ledger, some_orders(writer, random));
        }
      }
      return 0;
    });
  }

  bool write(store::Store& store, const std::vector<Order>& orders, milliseconds patience = kPatience) {
    return write_all(store, scenery_->recorder, *scenery_->ledger, orders, patience);
  }

  /// Writes until the log has grown by `bytes`.
  void load(Engine& engine, std::uint64_t bytes, const std::function<void()>& meanwhile = {}) {
    std::vector<pid_t> writers;
    for (unsigned w = 0; w < kWriters; ++w) writers.push_back(spawn_writer(engine, w));
    const store::Lsn end = engine.state().marks.tail.load() + bytes;
    eventually("the log grows", [&] { return engine.state().marks.tail.load() >= end; });
    if (meanwhile) meanwhile();
    const DiskRecorder::Pause nobody_is_in_a_write(scenery_->recorder);
    for (const pid_t writer : writers) engine.kill(writer);
  }

  /// Without a process in the middle of telling the recording what it does.
  void kill_all(Engine& engine) {
    const DiskRecorder::Pause nobody_is_in_a_write(scenery_->recorder);
    engine.kill();
  }

  void kill_checkpointer(Engine& engine) {
    const DiskRecorder::Pause nobody_is_in_a_write(scenery_->recorder);
    engine.kill_checkpointer();
  }

  /// Several lives of one engine.
  void record_lives(const SyncMode& sync) {
    Engine engine(kRingBytes, sync);
    scenery_->recorder.clear();
    scenery_->recorder.start(engine.directory());
    disk_faults().sync_us.store(200);
    engine.start();
    load(engine, 4 * kRingBytes, [&] {
      kill_checkpointer(engine);
      engine.restart_checkpointer();
    });
    kill_all(engine);
    engine.start();
    load(engine, 2 * kRingBytes);
    engine.stop();
    engine.config.log_bytes = 2 * kRingBytes;
    engine.start();
    load(engine, 2 * kRingBytes);
    kill_all(engine);
    engine.config.log_bytes = kRingBytes;
    engine.start();
    load(engine, kRingBytes);
    kill_all(engine);
    scenery_->recorder.stop();
    disk_faults().sync_us.store(0);
    CPPUNIT_ASSERT(!scenery_->recorder.overflowed());
  }

  /// Cuts the power `cuts` times at random moments of the recording.
  void cut_power(Mode mode, std::uint64_t cuts = environment_number("MINIVAULT_POWER_CUTS", 400),
                 bool at_the_end = false) {
    std::uint64_t events = 0;
    scenery_->recorder.replay([&](std::uint64_t, const DiskEvent&, std::string_view) { ++events; });
    std::vector<std::uint64_t> moments(cuts);
    for (std::uint64_t& moment : moments) moment = at_the_end ? events - 1 : scenery_->random() % events;
    std::sort(moments.begin(), moments.end());
    moments.back() = events - 1;
    TracedDisk disk;
    Debt debt;
    auto next = moments.begin();
    const TemporaryDirectory directory;
    // The machine wakes with a clock that is an hour behind.
    disk_faults().clock_offset_ms.store(-3'600'000);
    scenery_->recorder.replay([&](std::uint64_t index, const DiskEvent& event, std::string_view bytes) {
      if (event.kind == DiskEvent::Kind::kNote) debt.apply(event, bytes);
      disk.apply(index, event, bytes);
      for (; next != moments.end() && *next == index; ++next) {
        try {
          cut_now(disk, debt, mode, directory.path());
        } catch (...) {
          std::cerr << "power cut after event " << index << " of " << events << '\n';
          throw;
        }
      }
    });
    disk_faults().clock_offset_ms.store(0);
    std::cerr << cuts << " power cuts in " << events << " events, " << (scenery_->recorder.bytes() >> 20)
              << " MB\n";
  }

  /// A cut, and another one in the recovery from it.
  void cut_now(const TracedDisk& disk, const Debt& debt, Mode mode, const std::string& directory) {
    Config config;
    config.data_directory = directory;
    config.log_bytes = scenery_->random() % 8 == 0 ? 2 * kRingBytes : kRingBytes;
    const TracedDisk::Files left = disk.cut(scenery_->random);
    TracedDisk::store(left, directory);
    DiskRecorder recovery(std::uint64_t{64} << 20);
    recovery.start(directory);
    const Recovered found = recovered(config, debt);
    recovery.stop();
    debt.check(found, mode);

    std::uint64_t events = 0;
    recovery.replay([&](std::uint64_t, const DiskEvent&, std::string_view) { ++events; });
    const std::uint64_t moment = scenery_->random() % events;
    TracedDisk second(left);
    recovery.replay([&](std::uint64_t index, const DiskEvent& event, std::string_view bytes) {
      if (index <= moment) second.apply(index, event, bytes);
    });
    TracedDisk::store(second.cut(scenery_->random), directory);
    CPPUNIT_ASSERT_MESSAGE("a cut in the recovery changed what there is",
                           found.numbers == recovered(config, debt).numbers);
  }

 public:
  void setUp() override { scenery_.emplace(); }

  void tearDown() override {
    scenery_.reset();
    fault_plan().disarm();
    disk_faults().sync_us.store(0);
    disk_faults().sync_error.store(0);
    disk_faults().synced_writes_until_death.store(-1);
    disk_faults().clock_offset_ms.store(0);
  }

  void always() {
    record_lives({});
    cut_power(Mode::kAlways);
  }

  void interval() {
    record_lives({SyncMode::Kind::kInterval, kInterval});
    cut_power(Mode::kInterval);
  }

  void none() {
    record_lives({SyncMode::Kind::kNone, milliseconds(0)});
    cut_power(Mode::kNone);
  }

  /// The disk stands still for longer than the interval: writers must not run on meanwhile.
  void interval_with_a_slow_disk() {
    Engine engine(kRingBytes * 16, {SyncMode::Kind::kInterval, kInterval});
    scenery_->recorder.start(engine.directory());
    engine.start();
    disk_faults().sync_us.store(500'000);
    load(engine, kRingBytes / 8, [] { std::this_thread::sleep_for(milliseconds(1'200)); });
    kill_all(engine);
    scenery_->recorder.stop();
    disk_faults().sync_us.store(0);
    cut_power(Mode::kInterval, 100);
  }

  /// The checkpointer hears that a sync failed, and dies before it tells; the kernel says it once.
  void failed_sync_that_nobody_was_told_of() {
    Engine engine(kRingBytes);
    scenery_->recorder.start(engine.directory());
    engine.start();
    fault_plan().arm("syncer.before_failure", FaultPlan::Action::kKill);
    disk_faults().sync_errors_left.store(1);
    disk_faults().sync_error.store(EIO);
    {
      store::Store store = engine.open_store();
      std::thread writer([&] { write(store, {{0, 100}, {1, 5'000}}); });
      engine.reap_checkpointer();
      fault_plan().disarm();
      engine.restart_checkpointer();
      writer.join();
      CPPUNIT_ASSERT(store.failure() == shared::Failure::kNone);
    }
    kill_all(engine);
    scenery_->recorder.stop();
    cut_power(Mode::kAlways, 100, true);
  }

  /// The checkpointer dies when its commit is in the page cache and not on disk. Nobody may overwrite the log
  /// because of it.
  void commit_that_only_the_page_cache_knows() {
    Engine engine(kRingBytes);
    scenery_->recorder.start(engine.directory());
    engine.start();
    disk_faults().synced_writes_until_death.store(0);
    {
      store::Store store = engine.open_store();
      std::vector<Order> orders;
      for (unsigned i = 0; i < 70; ++i) orders.push_back({i % kKeysEach, 3'000});
      CPPUNIT_ASSERT(write(store, orders));
    }
    engine.reap_checkpointer();
    fault_plan().arm("checkpoint.before_commit", FaultPlan::Action::kStop);
    engine.restart_checkpointer();
    eventually("it is about to commit again", [] { return fault_plan().acted.load() == 1; });
    {
      store::Store store = engine.open_store();
      while (write(store, {{kKeysEach, 3'000}}, milliseconds(60))) {
      }
    }
    fault_plan().disarm();
    kill_all(engine);
    scenery_->recorder.stop();
    cut_power(Mode::kAlways, 100, true);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(PowerLossTest, "power_loss_test");

}  // namespace minivault::test
