// Goal: a batch goes into the log by one write, and whatever takes long was done before the lock (ENGINE.md
// rule 1); who holds the lock can be seen. Method: the writes of the log are recorded; a large value changes
// while its writer waits for the lock, and the hash in the log tells which one it was made of.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <pthread.h>

#include <array>
#include <csignal>
#include <vector>

#include "common/core/fault_point.h"
#include "common/store/ring.h"
#include "tests/store/faulty_disk.h"
#include "tests/store/recovery_support.h"
#include "tests/support/processes.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

using recovery_support::log_of;

/// As from another node: it needs no clock, which a checkpointer would have to see to.
store::Write replicated(std::string_view key, std::string_view value) {
  store::Write write;
  write.key = key;
  write.value = value;
  write.version = {1, 99};
  return write;
}

store::Ring opened(const Engine& engine) {
  auto ring = store::Ring::open(log_of(engine), store::Ring::Access::kRead);
  CPPUNIT_ASSERT(ring.has_value());
  return std::move(*ring);
}

}  // namespace

class AppendTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(AppendTest);
  CPPUNIT_TEST(a_batch_is_one_write);
  CPPUNIT_TEST(values_are_hashed_before_the_lock);
  CPPUNIT_TEST(the_lock_tells_who_holds_it);
  CPPUNIT_TEST_SUITE_END();

 public:
  void tearDown() override { fault_plan().disarm(); }

  void a_batch_is_one_write() {
    constexpr unsigned kRecords = 40;
    Engine engine;
    engine.start();
    engine.suspend_checkpointer();  // it writes into the log's header
    DiskRecorder recorder(std::uint64_t{8} << 20);
    recorder.start(engine.directory());
    store::Store store = engine.open_store();
    const store::Lsn before = engine.state().marks.tail.load();
    std::vector<std::string> keys;
    for (unsigned i = 0; i < kRecords; ++i) keys.push_back("key " + std::to_string(i));
    store::Batch batch;
    const std::string large = stamped(1, 3 * store::Batch::kInlineValue);  // not copied into the batch
    for (unsigned i = 0; i < kRecords; ++i) batch.add(replicated(keys[i], i % 2 == 0 ? large : keys[i]));
    commit_all(store, batch);
    recorder.stop();
    std::vector<std::uint64_t> written;
    recorder.replay([&](std::uint64_t, const DiskEvent& event, std::string_view) {
      if (event.kind == DiskEvent::Kind::kWrite && recorder.is_log(event.file)) written.push_back(event.size);
    });
    CPPUNIT_ASSERT(!recorder.overflowed());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, written.size());
    CPPUNIT_ASSERT_EQUAL(engine.state().marks.tail.load() - before, written.front());
  }

  void values_are_hashed_before_the_lock() {
    using Value = std::array<char, 2 * store::Batch::kInlineValue>;
    SharedObject<Value> value;
    const auto now = [&] { return std::string(value->data(), value->size()); };
    const std::string before = now();
    Engine engine;
    engine.start();
    engine.suspend_checkpointer();  // what this writes into the log is nothing for the base
    const store::Lsn at = engine.state().marks.tail.load();
    pthread_mutex_t& lock = engine.state().append.mutex;
    CPPUNIT_ASSERT_EQUAL(0, ::pthread_mutex_lock(&lock));
    const pid_t writer = engine.spawn(2, [&](store::Store& store) {
      commit_one(store, replicated("key", {value->data(), value->size()}));
      return 0;
    });
    eventually("it waits for the lock", [&] { return waits_in_futex(writer); });
    value->back() = 'x';
    CPPUNIT_ASSERT_EQUAL(0, ::pthread_mutex_unlock(&lock));
    CPPUNIT_ASSERT_EQUAL(0, engine.reap(writer));
    const store::Ring ring = opened(engine);
    store::RecordView record;
    CPPUNIT_ASSERT(ring.view(at, record));
    CPPUNIT_ASSERT(record.value == now());
    CPPUNIT_ASSERT_EQUAL(store::hash_payload("key", before, ring.header().secret),
                         record.header.payload_hash);
  }

  /// The supervisor ends a holder that does not move (rule 20): it sees this, and nothing else.
  void the_lock_tells_who_holds_it() {
    constexpr unsigned kSlot = 2;
    Engine engine;
    engine.start();
    engine.suspend_checkpointer();  // it takes the lock now and then
    const shared::AppendLock& lock = engine.state().append;
    const std::uint64_t before = lock.acquisitions.load();
    fault_plan().arm("append.locked", FaultPlan::Action::kStop);
    const pid_t writer = engine.spawn(kSlot, [](store::Store& store) {
      commit_one(store, replicated("key", "value"));
      return 0;
    });
    eventually("it has the lock", [&] { return is_stopped(writer); });
    fault_plan().disarm();
    CPPUNIT_ASSERT_EQUAL(std::uint32_t{kSlot + 1}, lock.holder.load());
    CPPUNIT_ASSERT(lock.acquisitions.load() > before);
    ::kill(writer, SIGCONT);
    CPPUNIT_ASSERT_EQUAL(0, engine.reap(writer));
    CPPUNIT_ASSERT_EQUAL(std::uint32_t{0}, lock.holder.load());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(AppendTest, "append_test");

}  // namespace minivault::test
