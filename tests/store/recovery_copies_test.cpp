// Goal: a log that does not belong to the base, or is not there, is never started on silently.
// Method: logs are taken away, swapped, put back from earlier lives, and damaged in their headers. The other
// way round: recovery_base_test.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "common/core/fault_point.h"
#include "tests/store/recovery_support.h"

namespace minivault::test {
namespace {

using namespace recovery_support;

}  // namespace

class RecoveryCopiesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RecoveryCopiesTest);
  CPPUNIT_TEST(missing_log);
  CPPUNIT_TEST(damaged_header);
  CPPUNIT_TEST(log_of_a_newer_format);
  CPPUNIT_TEST(what_was_left_unfinished_goes);
  CPPUNIT_TEST(log_of_another_node);
  CPPUNIT_TEST(older_log_of_an_earlier_start);
  CPPUNIT_TEST(older_log_of_the_same_start);
  CPPUNIT_TEST(older_log_of_the_same_start_and_an_earlier_lap);
  CPPUNIT_TEST(what_imitates_an_earlier_lap_is_none);
  CPPUNIT_TEST(log_that_was_given_up_and_came_back);
  CPPUNIT_TEST(log_that_cannot_be_read);
  CPPUNIT_TEST(damage_in_front_of_the_base_is_no_older_log);
  CPPUNIT_TEST(nothing_beyond_the_base_is_no_older_log);
  CPPUNIT_TEST_SUITE_END();

 public:
  void missing_log() {
    Engine engine;
    engine.start();
    const store::Lsn end = fill(engine, 1, 5);
    engine.checkpoint_now();
    engine.kill();
    std::filesystem::remove(log_of(engine));
    assert_refused(engine, "changes.log) is missing");
    CPPUNIT_ASSERT(!std::filesystem::exists(log_of(engine)));
    accept_loss(engine, end);
    assert_holds(engine, 1, 5);
  }

  void damaged_header() {
    Engine engine;
    engine.start();
    const store::Lsn end = fill(engine, 1, 5);
    engine.checkpoint_now();
    engine.kill();
    flip_bit(log_of(engine), 33);
    assert_lost(engine, "the header is damaged", end, 5);
  }

  /// No flag makes an older build write over what a newer one wrote.
  void log_of_a_newer_format() {
    Engine engine;
    engine.start();
    fill(engine, 1, 5);
    engine.stop();
    const std::string sound = read_bytes(log_of(engine), 0, sizeof(store::RingHeader));
    overwrite(log_of(engine), 8, std::string("\2\0\0\0", 4));
    overwrite(log_of(engine), 64, std::string(8, 'x'));
    const std::string found = read_bytes(log_of(engine), 0, store::Ring::kHeaderBytes);
    for (const bool accept : {false, true}) {
      engine.config.accept_loss = accept;
      assert_refused(engine, "start the build that wrote it");
      assert_refused(engine, "has log format 2, this build knows 1");
      CPPUNIT_ASSERT(!engine.try_start());
      CPPUNIT_ASSERT(found == read_bytes(log_of(engine), 0, found.size()));
    }
    engine.config.accept_loss = false;
    overwrite(log_of(engine), 0, sound);
    engine.start();
    assert_holds(engine, 1, 5);
  }

  /// By a start that was cut short and is not repeated. It may be larger than all the rest.
  void what_was_left_unfinished_goes() {
    Engine engine;
    engine.start();
    fill(engine, 1, 5);
    engine.kill();
    engine.config.log_bytes *= 2;
    fault_plan().arm("ring.before_rename", FaultPlan::Action::kKill);
    CPPUNIT_ASSERT(!engine.try_start());
    fault_plan().disarm();
    CPPUNIT_ASSERT(std::filesystem::exists(log_of(engine) + ".new"));
    engine.config.log_bytes /= 2;
    for (const char* name : {"/base.mdb.new", "/base.mdb.new-lock"})
      copy_over(base_of(engine), engine.directory() + name);
    engine.start();
    for (const auto& file : std::filesystem::directory_iterator(engine.directory()))
      CPPUNIT_ASSERT_MESSAGE(file.path(), file.path().string().find(".new") == std::string::npos);
    assert_holds(engine, 1, 5);
  }

  void log_of_another_node() {
    Engine engine;
    Engine other;
    for (Engine* node : {&engine, &other}) {
      node->start();
      fill(*node, 1, 5);
      node->stop();
    }
    copy_over(log_of(other), log_of(engine));
    assert_refused(engine, "different nodes");
    CPPUNIT_ASSERT(refusal(engine).find("-accept-loss") == std::string::npos);  // it would not help
    engine.config.accept_loss = true;
    assert_refused(engine, "different nodes");
  }

  void older_log_of_an_earlier_start() {
    for (const bool after_a_crash : {false, true}) {
      Engine engine;
      engine.start();
      fill(engine, 1, 5);
      after_a_crash ? engine.kill() : engine.stop();
      const Kept log(log_of(engine));
      engine.start();
      const store::Lsn end = fill(engine, 6, 9);
      engine.kill();
      log.put_back();
      assert_lost(engine, "copies of different times", end, 5);
    }
  }

  /// Of a start that leapt, and of one that did not; found again from where the base had got by itself: a few
  /// bytes further, or so far that there is nothing in front of it for longer than any record.
  void older_log_of_the_same_start() {
    for (const auto& [after_a_crash, bytes] :
         {std::pair{false, kValueBytes}, {true, kValueBytes}, {true, std::size_t{200'000}}}) {
      Engine engine(1 << 20);
      engine.start();
      fill(engine, 1, 2);
      after_a_crash ? engine.kill() : engine.stop();
      engine.start();
      fill(engine, 3, 5);
      const Kept log(log_of(engine));
      fill(engine, 6, 7, bytes);
      engine.checkpoint_now();
      const store::Lsn end = fill(engine, 8, 9);
      engine.kill();
      log.put_back();
      assert_lost(engine, "the log is older than the base", end, 7);
    }
  }

  /// Where the base ends lies a record of the lap before, whole.
  void older_log_of_the_same_start_and_an_earlier_lap() {
    Engine engine(1 << 20);
    engine.start();
    lap(engine, 2);
    fill(engine, 1, 5);
    engine.checkpoint_now();
    const Kept log(log_of(engine));
    fill(engine, 6, 7, 150'000);
    engine.checkpoint_now();
    const store::Lsn end = fill(engine, 8, 9);
    engine.kill();
    log.put_back();
    assert_lost(engine, "the log is older than the base", end, 7);
  }

  /// A value that says what the header of a record of the lap before would, but for its hashes.
  void what_imitates_an_earlier_lap_is_none() {
    Engine engine(1 << 20);
    engine.start();
    lap(engine, 2);
    const std::string key = "12345678";
    store::RecordHeader imitated;
    imitated.lsn = engine.state().marks.tail.load() + sizeof imitated + key.size() - engine.config.log_bytes;
    imitated.value_size = 500;
    imitated.key_size = 8;
    imitated.operation = store::Operation::kSet;
    {
      store::Store store = engine.open_store();
      put(store, key, {reinterpret_cast<const char*>(&imitated), sizeof imitated});
    }
    engine.checkpoint_now();
    engine.kill();
    engine.start();
    store::Store store = engine.open_store();
    CPPUNIT_ASSERT(value_of(store, key).has_value());
  }

  /// What the base has: torn, or of the lap before, where records follow.
  void damage_in_front_of_the_base_is_no_older_log() {
    for (const bool torn : {true, false}) {
      Engine engine(1 << 20);
      engine.start();
      lap(engine, 2);
      const Kept log(log_of(engine));
      const store::Lsn first = fill(engine, 1, 4);
      const store::Lsn base = fill(engine, 5, 5, 10'000);
      engine.checkpoint_now();
      if (!torn) fill(engine, 6, 6);
      engine.kill();
      const std::string path = log_of(engine);
      const off_t at = offset_of(first, engine.config.log_bytes);
      overwrite(path, at, torn ? std::string(100, 't') : read_bytes(path + ".kept", at, base - first));
      engine.start();
      assert_holds(engine, 1, torn ? 5 : 6);
    }
  }

  /// A base that got as far as the log, with nothing behind it, is no older log: neither at once nor after
  /// the ring was written over.
  void nothing_beyond_the_base_is_no_older_log() {
    Engine engine(1 << 20);
    engine.start();
    for (const unsigned laps : {0U, 1U, 3U}) {
      if (laps > 0) lap(engine, laps);
      fill(engine, 1, 5, laps == 1 ? 200'000 : kValueBytes);
      engine.checkpoint_now();
      engine.kill();
      engine.start();
      engine.kill();  // nothing at all since the start
      engine.start();
      assert_holds(engine, 1, 5);
    }
  }

  /// Given up because it was gone, or because the base was an older one: right behind the start that did so.
  void log_that_was_given_up_and_came_back() {
    for (const bool was_gone : {true, false}) {
      Engine engine;
      engine.start();
      fill(engine, 1, 5);
      engine.stop();
      const Kept base(base_of(engine));
      engine.start();
      fill(engine, 6, 9);
      engine.kill();
      const Kept log(log_of(engine));
      was_gone ? void(std::filesystem::remove(log_of(engine))) : base.put_back();
      engine.config.accept_loss = true;
      engine.start();
      engine.config.accept_loss = false;
      engine.kill();
      log.put_back();
      assert_refused(engine, "copies of different times");
    }
  }

  /// Which says nothing of what is in it: it is not given up either.
  void log_that_cannot_be_read() {
    Engine engine;
    engine.start();
    fill(engine, 1, 5);
    engine.kill();
    const Kept log(log_of(engine));
    std::filesystem::remove(log_of(engine));
    std::filesystem::create_directory(log_of(engine));
    for (const bool accept : {false, true}) {
      engine.config.accept_loss = accept;
      assert_refused(engine, "s a directory");
      CPPUNIT_ASSERT(refusal(engine).find("the log's header is damaged") == std::string::npos);
    }
    engine.config.accept_loss = false;
    std::filesystem::remove(log_of(engine));
    log.put_back();
    engine.start();
    assert_holds(engine, 1, 5);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RecoveryCopiesTest, "recovery_copies_test");

}  // namespace minivault::test
