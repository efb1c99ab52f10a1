// Goal: a write happens exactly when its condition holds of the key's newest record, wherever that record is:
// in the index, in the base, earlier in the same batch, or just being written by another process. Method:
// each condition against each state of a key and each place; then processes that compete for the same keys.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <thread>

#include "common/core/fault_point.h"
#include "tests/store/engine.h"
#include "tests/store/shared_object.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

using store::Condition;
using Outcome = store::WriteResult::Outcome;

enum class Place { kIndex, kBase, kSameBatch };
enum class State { kNever, kPresent, kDeleted };

struct Counts {
  std::atomic<unsigned> ready{0};
  std::array<std::atomic<unsigned>, 400> winners{};
  std::atomic<std::uint64_t> increments{0};
};

}  // namespace

class ConditionsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ConditionsTest);
  CPPUNIT_TEST(each_condition_in_each_place);
  CPPUNIT_TEST(versions_in_each_place);
  CPPUNIT_TEST(batch_of_conditions_settles_in_order);
  CPPUNIT_TEST(refusals_wait_for_what_was_in_the_way);
  CPPUNIT_TEST(older_version_never_hides_a_newer_one);
  CPPUNIT_TEST(notes_and_keys_do_not_meet);
  CPPUNIT_TEST(judged_again_when_the_window_moved);
  CPPUNIT_TEST(one_creator_wins_each_key);
  CPPUNIT_TEST(increments_are_never_lost);
  CPPUNIT_TEST_SUITE_END();

  /// What becomes of `write` when its key is in `state` at `place`.
  static store::WriteResult judged(Engine& engine, store::Store& store, State state, Place place,
                                   store::Write write, store::Version* held = nullptr) {
    store::Batch batch;
    if (state != State::kNever) batch.add(write_of(write.key, "before"));
    if (state == State::kDeleted) {
      store::Write removal;
      removal.operation = store::Operation::kDelete;
      removal.key = write.key;
      batch.add(removal);
    }
    const std::size_t before = batch.size();
    if (place != Place::kSameBatch && before > 0) {
      commit_all(store, batch);
      if (held != nullptr) *held = batch.result(before - 1).version;
      if (place == Place::kBase) engine.move_to_base();
      if (write.condition == Condition::kVersionIs) write.expected = *held;
      return commit_one(store, write);
    }
    batch.add(write);
    commit_all(store, batch);
    if (held != nullptr && before > 0) *held = batch.result(before - 1).version;
    return batch.result(before);
  }

 public:
  void each_condition_in_each_place() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    unsigned number = 0;
    for (const Place place : {Place::kIndex, Place::kBase, Place::kSameBatch}) {
      for (const State state : {State::kNever, State::kPresent, State::kDeleted}) {
        for (const Condition condition : {Condition::kNone, Condition::kAbsent, Condition::kPresent}) {
          const std::string key = "key " + std::to_string(++number);
          const bool present = state == State::kPresent;
          const bool happens = condition == Condition::kNone || (condition == Condition::kPresent) == present;
          const store::WriteResult result =
              judged(engine, store, state, place, write_of(key, "after", condition));
          CPPUNIT_ASSERT_EQUAL_MESSAGE(key, happens, result.outcome == Outcome::kDone);
          CPPUNIT_ASSERT_EQUAL_MESSAGE(key, !happens, result.outcome == Outcome::kRefused);
          const std::optional<std::string> value = value_of(store, key);
          CPPUNIT_ASSERT_EQUAL(happens || present, value.has_value());
          if (value) CPPUNIT_ASSERT_EQUAL(std::string(happens ? "after" : "before"), *value);
        }
      }
    }
  }

  void versions_in_each_place() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    for (const Place place : {Place::kIndex, Place::kBase}) {
      for (const State state : {State::kPresent, State::kDeleted}) {
        const std::string key =
            "key " + std::to_string(static_cast<int>(place)) + std::to_string(static_cast<int>(state));
        store::Version held;
        store::Write write = write_of(key, "right", Condition::kVersionIs);
        if (state == State::kPresent) {
          CPPUNIT_ASSERT(judged(engine, store, state, place, write, &held).outcome == Outcome::kDone);
        } else {
          // A tombstone on a node without peers is dropped with the base: then nothing has that version.
          const auto outcome = judged(engine, store, state, place, write, &held).outcome;
          CPPUNIT_ASSERT_EQUAL(place == Place::kIndex, outcome == Outcome::kDone);
        }
        write.value = "wrong";
        write.expected = {held.hlc, held.origin + 1};
        const store::WriteResult refused = commit_one(store, write);
        CPPUNIT_ASSERT(refused.outcome == Outcome::kRefused);
        write.expected = {};
        CPPUNIT_ASSERT(commit_one(store, write).outcome == Outcome::kRefused);
        if (value_of(store, key)) CPPUNIT_ASSERT_EQUAL(std::string("right"), *value_of(store, key));
      }
    }
  }

  void batch_of_conditions_settles_in_order() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    store::Batch batch;
    store::Write removal;
    removal.operation = store::Operation::kDelete;
    removal.key = "a";
    removal.condition = Condition::kPresent;
    batch.add(removal);                                  // refused: never there
    batch.add(write_of("a", "1", Condition::kAbsent));   // done
    batch.add(write_of("a", "2", Condition::kAbsent));   // refused
    batch.add(write_of("a", "3", Condition::kPresent));  // done
    batch.add(removal);                                  // done
    batch.add(removal);                                  // refused
    batch.add(write_of("a", "4", Condition::kAbsent));   // done
    commit_all(store, batch);
    const std::array<bool, 7> done{false, true, false, true, true, false, true};
    for (std::size_t i = 0; i < done.size(); ++i) {
      CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(i), done[i], batch.result(i).outcome == Outcome::kDone);
    }
    CPPUNIT_ASSERT_EQUAL(std::string("4"), value_of(store, "a").value());
    CPPUNIT_ASSERT(batch.result(2).version == batch.result(1).version);
    CPPUNIT_ASSERT(batch.result(5).version == batch.result(4).version);
  }

  void refusals_wait_for_what_was_in_the_way() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    engine.suspend_checkpointer();  // nothing becomes durable
    const store::WriteResult done = commit_one(store, write_of("a", "1"));
    const store::WriteResult refused = commit_one(store, write_of("a", "2", Condition::kAbsent));
    CPPUNIT_ASSERT_EQUAL(done.end, done.answer_after);
    CPPUNIT_ASSERT_EQUAL(done.end, refused.answer_after);
    engine.resume_checkpointer();
    engine.wait_durable(done.end);
    CPPUNIT_ASSERT_EQUAL(store::Lsn{0},
                         commit_one(store, write_of("a", "2", Condition::kAbsent)).answer_after);
  }

  void older_version_never_hides_a_newer_one() {
    Engine engine;
    engine.config.cluster_nodes = {"peer:1"};  // tombstones are kept
    engine.start();
    store::Store store = engine.open_store();
    unsigned number = 0;
    for (const Place place : {Place::kIndex, Place::kBase, Place::kSameBatch}) {
      for (const State state : {State::kNever, State::kPresent, State::kDeleted}) {
        const std::string key = "key " + std::to_string(++number);
        store::Write old = write_of(key, "old", Condition::kNewerThanHeld);
        old.version = {5, 77};
        store::Version held;
        const store::WriteResult first = judged(engine, store, state, place, old, &held);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(key, state == State::kNever, first.outcome == Outcome::kDone);
        if (state != State::kNever) CPPUNIT_ASSERT(first.version == held);
        store::Write newer = old;
        newer.value = "new";
        newer.version = {std::max<std::uint64_t>(held.hlc, 5), std::max<std::uint64_t>(held.origin, 77) + 1};
        if (newer.version.origin == 0) continue;  // the largest origin there is
        CPPUNIT_ASSERT(commit_one(store, newer).outcome == Outcome::kDone);
        CPPUNIT_ASSERT(commit_one(store, newer).outcome == Outcome::kRefused);  // the same again
        CPPUNIT_ASSERT_EQUAL(std::string("new"), value_of(store, key).value());
        engine.move_to_base();
        CPPUNIT_ASSERT_EQUAL(std::string("new"), value_of(store, key).value());
      }
    }
  }

  void notes_and_keys_do_not_meet() {
    Engine engine;
    engine.start();
    store::Store store = engine.open_store();
    store::Write note = write_of("name", "note", Condition::kAbsent);
    note.operation = store::Operation::kNote;
    for (int i = 0; i < 2; ++i) {
      CPPUNIT_ASSERT_EQUAL(i == 0, commit_one(store, note).outcome == Outcome::kDone);
      CPPUNIT_ASSERT_EQUAL(i == 1, value_of(store, "name").has_value());
      CPPUNIT_ASSERT_EQUAL(
          i == 0, commit_one(store, write_of("name", "key", Condition::kAbsent)).outcome == Outcome::kDone);
      engine.move_to_base();
    }
    CPPUNIT_ASSERT_EQUAL(std::string("key"), value_of(store, "name").value());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, engine.state().totals.keys.load());
  }

  /// A writer looks the key up in the base and stands still; another writes the key, and the index forgets
  /// that too. What the first one saw is worth nothing then.
  void judged_again_when_the_window_moved() {
    for (const Condition condition : {Condition::kAbsent, Condition::kVersionIs}) {
      Engine engine;
      engine.start();
      store::Version first;
      {
        store::Store store = engine.open_store();
        put(store, "other", "1");
        if (condition == Condition::kVersionIs) first = commit_one(store, write_of("key", "1")).version;
      }
      engine.move_to_base();
      fault_plan().arm("append.judged", FaultPlan::Action::kStop);
      const pid_t writer = engine.spawn(2, [&](store::Store& store) {
        store::Write write = write_of("key", "mine", condition);
        write.expected = first;
        return commit_one(store, write).outcome == Outcome::kRefused ? 0 : 1;
      });
      eventually("it has judged", [] { return fault_plan().acted.load() == 1; });
      fault_plan().disarm();
      {
        store::Store store = engine.open_store();
        put(store, "key", "2");
      }
      engine.move_to_base();
      ::kill(writer, SIGCONT);
      CPPUNIT_ASSERT_EQUAL(0, engine.reap(writer));
      store::Store store = engine.open_store();
      CPPUNIT_ASSERT_EQUAL(std::string("2"), value_of(store, "key").value());
    }
  }

  /// With the window racing ahead, so that judgements go stale all the time.
  void one_creator_wins_each_key() {
    constexpr unsigned kCreators = 3;
    SharedObject<Counts> counts;
    Engine engine;
    engine.start();
    std::vector<pid_t> creators;
    for (unsigned c = 0; c < kCreators; ++c) {
      creators.push_back(engine.spawn(c + 2, [&](store::Store& store) {
        counts->ready.fetch_add(1);
        while (counts->ready.load() < kCreators) std::this_thread::yield();
        const std::string value(40'000, 'v');
        for (unsigned n = 0; n < counts->winners.size(); ++n) {
          const auto outcome =
              commit_one(store, write_of("key " + std::to_string(n), value, Condition::kAbsent)).outcome;
          if (outcome == Outcome::kDone) counts->winners[n].fetch_add(1);
        }
        return 0;
      }));
    }
    for (const pid_t pid : creators) CPPUNIT_ASSERT_EQUAL(0, engine.reap(pid));
    for (unsigned n = 0; n < counts->winners.size(); ++n) {
      CPPUNIT_ASSERT_EQUAL_MESSAGE("key " + std::to_string(n), 1U, counts->winners[n].load());
    }
  }

  /// Compare-and-set loops of several processes on two keys, one of them mostly in the base.
  void increments_are_never_lost() {
    constexpr unsigned kProcesses = 3;
    constexpr unsigned kEach = 300;
    SharedObject<Counts> counts;
    Engine engine;
    engine.start();
    {
      store::Store store = engine.open_store();
      put(store, "counter", stamped(0, 9'000));
    }
    std::vector<pid_t> processes;
    for (unsigned p = 0; p < kProcesses; ++p) {
      processes.push_back(engine.spawn(p + 2, [&](store::Store& store) {
        for (unsigned done = 0; done < kEach;) {
          store::Write write;
          std::uint64_t seen = 0;
          in_turn(store, [&] {
            const store::Found found = store.get("counter").value();
            seen = number_of(found.value);
            write.expected = found.version;
          });
          const std::string next = stamped(seen + 1, 9'000);
          write.key = "counter";
          write.value = next;
          write.condition = Condition::kVersionIs;
          if (commit_one(store, write).outcome == Outcome::kDone) ++done;
          if (done % 8 == 0) put(store, "filler", std::string(100'000, 'f'));
        }
        return 0;
      }));
    }
    for (const pid_t pid : processes) CPPUNIT_ASSERT_EQUAL(0, engine.reap(pid));
    store::Store store = engine.open_store();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{kProcesses * kEach}, number_of(value_of(store, "counter").value()));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ConditionsTest, "conditions_test");

}  // namespace minivault::test
