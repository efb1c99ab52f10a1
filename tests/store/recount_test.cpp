// Goal: a recount ends with what the base then holds, whatever is written between its steps, whatever the
// base said before, and whoever dies meanwhile. Method: a base that says nonsense of itself, random
// transactions between random steps, compared with a scan; a checkpointer that is killed at the end of its
// walk.

#include <csignal>
#include <optional>
#include <random>

#include "common/core/fault_point.h"
#include "common/store/base_format.h"
#include "common/store/checkpointer.h"
#include "tests/store/base_account_support.h"
#include "tests/store/engine.h"
#include "tests/support/seed.h"
#include "tests/support/wait.h"

namespace minivault::store {
namespace {

using namespace base_account_support;

class RecountTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RecountTest);
  CPPUNIT_TEST(test_while_the_base_changes);
  CPPUNIT_TEST(test_a_page_in_another_s_place_at_a_step_s_end);
  CPPUNIT_TEST(test_what_it_saw_is_let_go_at_its_end);
  CPPUNIT_TEST(test_a_successor_begins_anew);
  CPPUNIT_TEST(test_its_turn_comes_while_checkpoint_follows_upon_checkpoint);
  CPPUNIT_TEST_SUITE_END();

  static void assert_says_what_it_holds(const Base& base) {
    const auto snapshot = must(base.snapshot());
    std::uint64_t keys = 0;
    std::uint64_t tombstones = 0;
    must(snapshot.scan("", [&](std::string_view, const BaseRecord& record) {
      ++(record.operation == Operation::kSet ? keys : tombstones);
      return true;
    }));
    CPPUNIT_ASSERT_EQUAL(keys, must(snapshot.meta()).keys);
    CPPUNIT_ASSERT_EQUAL(tombstones, must(snapshot.meta()).tombstones);
  }

  /// One that comes to nothing.
  static void write_in_vain(Base& base, std::mt19937_64& random) {
    auto transaction = must(base.begin());
    for (int i = 0; i < 20; ++i) must(transaction.apply(random_key(random), set(kNever, "never"), true));
  }
  static constexpr std::uint64_t kNever = 1'000'000;

  static void claim(const std::string& directory, std::uint64_t keys, std::uint64_t tombstones) {
    BaseMeta meta = must(must(Base::open_offline(directory).value().snapshot()).meta());
    meta.keys = keys;
    meta.tombstones = tombstones;
    const auto bytes = base::encode_meta(meta);
    raw_put(directory + "/base.mdb", "meta", "base", {bytes.data(), bytes.size()});
  }

 public:
  void test_while_the_base_changes() {
    std::mt19937_64 random(test::seed());
    for (const auto& [keys, tombstones] : {std::pair(0, 0), std::pair(3, 90'000), std::pair(90'000, 3)}) {
      const TemporaryDirectory directory;
      Model model = make_base(directory.path(), random, 20);
      claim(directory.path(), static_cast<std::uint64_t>(keys), static_cast<std::uint64_t>(tombstones));
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      std::uint64_t hlc = 100;
      auto counted = must(base.begin_recount());
      while (!must(counted.step(1 + random() % 200, 1 + random() % 500'000))) {
        if (random() % 2 == 0) write(base, random, ++hlc, model);
        if (random() % 4 == 0) write_in_vain(base, random);
      }
      write(base, random, ++hlc, model);
      CPPUNIT_ASSERT(hlc > 103);
      auto transaction = must(base.begin());
      must(transaction.apply("key of the last moment", set(++hlc, "v"), true));
      transaction.take(counted);
      must(transaction.apply("key of the last moment", tombstone(++hlc), true));
      must(transaction.commit());
      assert_says_what_it_holds(base);
      write(base, random, ++hlc, model);
      assert_says_what_it_holds(base);
    }
  }

  /// Wherever its steps end, it is one walk: a step that looked for its place anew would not find it there.
  void test_a_page_in_another_s_place_at_a_step_s_end() {
    const TemporaryDirectory directory;
    {
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      fill(base, 1'000);
    }
    BasePages pages(base_file(directory));
    const auto nodes = pages.nodes(pages.root("data"));
    pages.put(nodes[2], static_cast<std::uint16_t>(pages.child(nodes[5])));
    pages.store();
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    for (std::size_t records = 1; records < 100; ++records) {
      auto counted = must(base.begin_recount());
      Result<bool> ended = false;
      while (ended && !*ended) ended = counted.step(records, 1'000'000);
      CPPUNIT_ASSERT(!ended);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(ended.error().message, Code::kCorrupt, ended.error().code);
    }
  }

  /// Else the file would go on growing.
  void test_what_it_saw_is_let_go_at_its_end() {
    const TemporaryDirectory directory;
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    fill(base, 1'000);
    auto counted = must(base.begin_recount());
    CPPUNIT_ASSERT(!must(counted.step(1, 1'000)));
    CPPUNIT_ASSERT_EQUAL(1U, base.readers().looking);
    CPPUNIT_ASSERT(!must(counted.step(10'000, 500)));  // five of 100 bytes
    CPPUNIT_ASSERT(must(counted.step(10'000, 1'000'000)));
    CPPUNIT_ASSERT_EQUAL(0U, base.readers().looking);
  }

  void test_a_successor_begins_anew() {
    using namespace minivault::test;
    Engine engine;
    engine.start();
    {
      store::Store store = engine.open_store();
      for (int i = 0; i < 10; ++i) put(store, "key " + std::to_string(i), "value");
    }
    engine.checkpoint_now();
    fault_plan().arm("recount.counted", FaultPlan::Action::kKill);
    engine.state().recount_after.store(engine.state().marks.checkpoint.load());
    engine.reap_checkpointer();
    fault_plan().disarm();
    CPPUNIT_ASSERT(engine.state().recount_after.load() != 0);
    engine.state().totals.keys.store(0);
    engine.restart_checkpointer();
    eventually("it is counted", [&] { return engine.state().recount_after.load() == 0; });
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, engine.state().totals.keys.load());
  }

  /// Under a load without end one is always due.
  void test_its_turn_comes_while_checkpoint_follows_upon_checkpoint() {
    using namespace minivault::test;
    Engine engine(16ULL << 20, {SyncMode::Kind::kNone, milliseconds(0)});
    engine.start();
    engine.suspend_checkpointer();
    {
      store::Store store = engine.open_store();
      put(store, "key", "value");
    }
    engine.kill_checkpointer();
    shared::State& state = engine.state();
    state.recount_after.store(state.marks.checkpoint.load());
    state.checkpoint_wanted.store(state.marks.tail.load());
    const Child child([&](const Child::Channel& channel) {
      auto checkpointer = must(Checkpointer::open(engine.region(), engine.config, Engine::kCheckpointerSlot));
      (void)checkpointer->tick();
      channel.send(state.marks.checkpoint.load());
      channel.send(state.recount_after.load() + 1);
      (void)channel.receive();
    });
    CPPUNIT_ASSERT_EQUAL(state.marks.tail.load(), child.channel().receive());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, child.channel().receive());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RecountTest, "recount_test");

}  // namespace
}  // namespace minivault::store
