// Goal: `minivault new-id` makes another node of a directory, without touching what it holds; and so does a
// restore.

#include "common/archive/writer.h"
#include "common/store/base.h"
#include "common/store/let_go.h"
#include "tests/archive/support.h"

namespace minivault::test {
namespace {

std::string id_of(const Node& node) {
  const Result<std::string> health = connect(node).health();
  CPPUNIT_ASSERT(health.has_value());
  const std::string name = "\"node\":\"";
  const std::size_t at = health->find(name);
  CPPUNIT_ASSERT_MESSAGE(*health, at != std::string::npos);
  return health->substr(at + name.size(), 16);
}

class NewIdTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(NewIdTest);
  CPPUNIT_TEST(another_id_and_the_same_data);
  CPPUNIT_TEST(refused_where_there_is_no_node_or_one_runs);
  CPPUNIT_TEST(what_is_restored_is_another_node);
  CPPUNIT_TEST(no_more_is_claimed_than_was_held);
  CPPUNIT_TEST_SUITE_END();

  /// Up to which HLC value the directory says that it held what `id` stamped.
  static std::uint64_t claimed(const std::string& directory, std::uint64_t id) {
    const auto base = store::Base::open_offline(directory);
    CPPUNIT_ASSERT(base.has_value());
    const auto snapshot = base->snapshot();
    CPPUNIT_ASSERT(snapshot.has_value());
    const auto note = snapshot->note(store::was_note(id));
    CPPUNIT_ASSERT(note.has_value() && note->has_value());
    return std::stoull(std::string((*note)->value));
  }

 public:
  void another_id_and_the_same_data() {
    Node node;
    {
      client::Connection connection = connect(node);
      set(connection, "kept", "value");
    }
    const std::string before = id_of(node);
    node.kill();  // some of it is in the log alone
    const Finished done = must_do({"new-id", node.data()});
    node.start();
    CPPUNIT_ASSERT_EQUAL(done.out, id_of(node) + "\n");
    CPPUNIT_ASSERT(before != id_of(node));
    CPPUNIT_ASSERT_EQUAL(std::string("value"), connect(node).get("kept").value_or("gone"));
  }

  void refused_where_there_is_no_node_or_one_runs() {
    const TemporaryDirectory directory;
    assert_fails(command({"new-id", directory.file("nothing")}), 1, "no node was ever started here");
    CPPUNIT_ASSERT(!std::filesystem::exists(directory.file("nothing")));
    Node node;
    const std::string before = id_of(node);
    assert_fails(command({"new-id", node.data()}), 1, "in use by a node");
    CPPUNIT_ASSERT_EQUAL(before, id_of(node));
  }

  // Else two live nodes could have one id, and positions in a stream that never was would count.
  void what_is_restored_is_another_node() {
    Node node;
    const std::string before = id_of(node);
    const TemporaryDirectory backups;
    must_do({"backup", node.address(), backups.file("archive")});
    std::string last = before;
    for (int round = 0; round < 2; ++round) {
      node.stop();
      std::filesystem::remove_all(node.data());
      const Finished done = must_do({"restore", backups.file("archive"), node.data()});
      node.start();
      const std::string now = id_of(node);
      CPPUNIT_ASSERT_MESSAGE(done.out, done.out.ends_with("as new node " + now + "\n"));
      CPPUNIT_ASSERT(now != before && now != last);
      last = now;
    }
  }

  // What was stamped up to there and is not here was deleted, it says to whoever brings it (let_go.h): a
  // claim too large deletes what others wrote.
  void no_more_is_claimed_than_was_held() {
    const TemporaryDirectory directory;
    std::string archive;
    archive::Writer writer([&](std::string_view bytes) {
      archive.append(bytes);
      return Status();
    });
    archive::Header header;
    header.node_id = 7;
    header.last_hlc = 900;  // written while the backup's last checkpoint ran, and not in it
    header.records = 2;
    CPPUNIT_ASSERT(writer.begin(header));
    CPPUNIT_ASSERT(writer.add({store::Operation::kSet, 0, {500, 7}, "own", "v"}));
    CPPUNIT_ASSERT(writer.add({store::Operation::kSet, 0, {800, 8}, "theirs", "v"}));
    CPPUNIT_ASSERT(writer.finish());
    must_do({"restore", directory.write("archive", archive), directory.file("data")});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{500}, claimed(directory.file("data"), 7));

    Node node;
    CPPUNIT_ASSERT(connect(node).set("key", "value"));
    const std::uint64_t id = std::stoull(id_of(node), nullptr, 16);
    node.stop();
    const std::uint64_t next = std::stoull(must_do({"new-id", node.data()}).out, nullptr, 16);
    CPPUNIT_ASSERT(claimed(node.data(), id) > 0);
    node.start();
    node.kill();  // its log may have lost what others hold
    must_do({"new-id", node.data()});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, claimed(node.data(), next));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(NewIdTest, "new_id_test");

}  // namespace
}  // namespace minivault::test
