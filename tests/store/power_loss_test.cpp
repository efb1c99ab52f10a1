// Goal: after a power cut at any instant a node starts, and holds everything that it had acknowledged: in
// `always` every write and everything that a read was told, in `interval` all but the last interval; in every
// mode what it holds is a beginning of its log, no value is torn, no LSN and no version is handed out again,
// though the clock was set back. Method: everything that the processes of an engine do to their files is
// recorded while it is born, loaded, killed, stopped and given another ring; then the power is cut at random
// moments of the recording (MINIVAULT_POWER_CUTS in each test, default 200), and again in the midst of the
// recovery. The files lie in memory: the disk is the recording.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <thread>

#include "common/core/fault_point.h"
#include "tests/store/power_loss.h"
#include "tests/store/traced_disk.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

using namespace power_loss;

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

struct Scenery {
  InMemory in_memory;
  DiskRecorder recorder{std::uint64_t{512} << 20};
  SharedObject<Ledger> ledger;
  Debt debt;
  std::mt19937_64 random{seed()};
};

}  // namespace

class PowerLossTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(PowerLossTest);
  CPPUNIT_TEST(always);
  CPPUNIT_TEST(while_it_is_born);
  CPPUNIT_TEST(interval);
  CPPUNIT_TEST(interval_with_a_slow_disk);
  CPPUNIT_TEST(none);
  CPPUNIT_TEST(between_the_transactions_of_a_checkpoint);
  CPPUNIT_TEST(between_the_transactions_of_a_stop);
  CPPUNIT_TEST(failed_sync_that_nobody_was_told_of);
  CPPUNIT_TEST(commit_that_only_the_page_cache_knows);
  CPPUNIT_TEST_SUITE_END();

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
    disk_faults().log_sync_us.store(200);
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
    disk_faults().log_sync_us.store(0);
    CPPUNIT_ASSERT(!scenery_->recorder.overflowed());
  }

  /// Of the recording, in order.
  std::vector<std::uint64_t> random_moments(std::uint64_t count) {
    std::uint64_t events = 0;
    scenery_->recorder.replay([&](std::uint64_t, const DiskEvent&, std::string_view) { ++events; });
    std::vector<std::uint64_t> moments(count);
    for (std::uint64_t& moment : moments) moment = scenery_->random() % events;
    std::sort(moments.begin(), moments.end());
    moments.back() = events - 1;
    std::cerr << count << " power cuts in " << events << " events, " << (scenery_->recorder.bytes() >> 20)
              << " MB\n";
    return moments;
  }

  /// Calls `cut(disk)` at each moment of the recording; notes go to `debt_`.
  template <typename Cut>
  void each_cut(const std::vector<std::uint64_t>& moments, Cut&& cut) {
    TracedDisk disk;
    auto next = moments.begin();
    scenery_->recorder.replay([&](std::uint64_t index, const DiskEvent& event, std::string_view bytes) {
      if (event.kind == DiskEvent::Kind::kNote) scenery_->debt.apply(event, bytes);
      disk.apply(index, event, bytes);
      for (; next != moments.end() && *next == index; ++next) {
        try {
          cut(disk);
        } catch (...) {
          std::cerr << "the power was cut after event " << index << '\n';
          throw;
        }
      }
    });
  }

  void cut_power(Mode mode, const std::vector<std::uint64_t>& moments) {
    const TemporaryDirectory directory;
    each_cut(moments, [&](const TracedDisk& disk) { cut_now(disk, mode, directory.path()); });
  }

  void cut_power(Mode mode, std::uint64_t cuts = environment_number("MINIVAULT_POWER_CUTS", 200)) {
    cut_power(mode, random_moments(cuts));
  }

  /// A hundred times at the end of the recording.
  void cut_power_at_the_end(Mode mode) {
    cut_power(mode, std::vector<std::uint64_t>(100, random_moments(1).back()));
  }

  void cut_power_in_a_large_checkpoint(const SyncMode& sync, const std::function<void(Engine&)>& finish) {
    constexpr std::uint64_t kBatches = 25;
    constexpr std::uint64_t kEach = 1'000;
    Engine engine(32 * kRingBytes, sync);
    scenery_->recorder.start(engine.directory());
    engine.start();
    disk_faults().log_sync_us.store(300'000);
    {
      store::Store store = engine.open_store();
      for (std::uint64_t n = 0; n < kBatches; ++n) {
        store::Batch batch;
        std::vector<std::string> keys;
        for (std::uint64_t i = n * kEach; i < (n + 1) * kEach; ++i) keys.push_back(scattered(i));
        for (const std::string& key : keys) {
          store::Write write;
          write.key = key;
          batch.add(write);
        }
        commit_all(store, batch);
      }
    }
    finish(engine);
    kill_all(engine);
    scenery_->recorder.stop();
    disk_faults().log_sync_us.store(0);
    each_cut(random_moments(30), [&](const TracedDisk& disk) {
      const TemporaryDirectory directory;
      TracedDisk::store(disk.cut(scenery_->random), directory.path());
      assert_no_holes(directory.path());
    });
  }

  /// A cut, and another one in the recovery from it.
  void cut_now(const TracedDisk& disk, Mode mode, const std::string& directory) {
    const Debt& debt = scenery_->debt;
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
    disk_faults().log_sync_us.store(0);
    disk_faults().sync_error.store(0);
    disk_faults().synced_writes_until_death.store(-1);
  }

  void always() {
    record_lives({});
    cut_power(Mode::kAlways);
  }

  void while_it_is_born() {
    Engine engine(kRingBytes);
    scenery_->recorder.start(engine.directory());
    engine.start();
    engine.stop();
    scenery_->recorder.stop();
    cut_power(Mode::kAlways, random_moments(300));
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
    disk_faults().log_sync_us.store(500'000);
    load(engine, kRingBytes / 8, [] { std::this_thread::sleep_for(milliseconds(1'200)); });
    kill_all(engine);
    scenery_->recorder.stop();
    disk_faults().log_sync_us.store(0);
    cut_power(Mode::kInterval, 100);
  }

  /// A checkpoint of many transactions, while the tail is far ahead of what is on disk: the base may not hold
  /// records that a cut takes out of the log, for others before them would be missing.
  void between_the_transactions_of_a_checkpoint() {
    cut_power_in_a_large_checkpoint({}, [](Engine& engine) { engine.checkpoint_now(); });
  }

  /// The same of the last one, where nothing was synced before.
  void between_the_transactions_of_a_stop() {
    cut_power_in_a_large_checkpoint({SyncMode::Kind::kNone, milliseconds(0)},
                                    [](Engine& engine) { engine.stop(); });
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
    cut_power_at_the_end(Mode::kAlways);
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
    cut_power_at_the_end(Mode::kAlways);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(PowerLossTest, "power_loss_test");

}  // namespace minivault::test
