// Goal: `minivault new-id` makes another node of a directory, without touching what it holds; and so does a
// restore.

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
  CPPUNIT_TEST_SUITE_END();

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
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(NewIdTest, "new_id_test");

}  // namespace
}  // namespace minivault::test
