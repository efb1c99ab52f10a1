// Goal: a restore, and a load, does all or says why not; what it began is not in the way of the next, and no
// node takes it for its data. Method: damaged files, directories that are taken, signals in the middle,
// limits on the size of files.

#include <csignal>

#include "tests/archive/backup_support.h"

namespace minivault::test {
namespace {

namespace fs = std::filesystem;

class RestoreTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RestoreTest);
  CPPUNIT_TEST(test_damaged_files_restore_nothing);
  CPPUNIT_TEST(test_where_a_restore_may_go);
  CPPUNIT_TEST(test_interrupted_half_way);
  CPPUNIT_TEST(test_killed_with_everything_in_its_place);
  CPPUNIT_TEST(test_a_disk_without_room);
  CPPUNIT_TEST(test_load_refuses_what_is_wrong);
  CPPUNIT_TEST_SUITE_END();

 public:
  void test_damaged_files_restore_nothing() {
    Node node;
    fill(node, 2);
    const std::string file = node.directory().file("b");
    const std::string sound = backup_of(node, file);
    const std::string target = node.directory().file("new");
    const auto refused = [&](const std::string& content, const std::string& because) {
      replace_content(file, content);
      assert_fails(command({"restore", file, target}), 1, because);
      CPPUNIT_ASSERT(!fs::exists(target));
    };
    std::string flipped = sound;
    flipped[flipped.size() / 2] ^= 1;
    refused(flipped, file + ": damaged after ");
    refused(sound.substr(0, sound.size() - 1), file + ": cut off after ");
    refused(sound.substr(0, sound.size() - 1), "(about 2 keys in all)");
    refused(sound.substr(0, sound.size() / 2), "cut off");
    refused(sound + "x", "more after its end");
    refused("", "not a minivault backup");
    fs::create_directory(target);
    replace_content(file, flipped);
    assert_fails(command({"restore", file, target}), 1, "damaged");
    CPPUNIT_ASSERT(!fs::exists(target + "/base.mdb") && !fs::exists(target + "/restore.partial"));
    replace_content(file, sound);
    must_do({"restore", file, target});
  }

  void test_where_a_restore_may_go() {
    Node node;
    const std::string file = node.directory().file("b");
    must_do({"backup", node.address(), file});
    assert_fails(command({"restore", file, node.data()}), 1, "not empty");
    assert_fails(command({"restore", node.directory().file("none"), node.directory().file("new")}), 1,
                 "no such file");
    assert_fails(command({"restore", file, node.directory().file("no/such/parent")}), 1, "cannot make");
    // What a killed restore left is not in the way of the next.
    const std::string target = node.directory().file("new");
    fs::create_directories(target + "/restore.partial");
    replace_content(target + "/restore.partial/base.mdb", "half");
    must_do({"restore", file, target});
    CPPUNIT_ASSERT(!fs::exists(target + "/restore.partial"));
  }

  /// As by Ctrl-C: a node does not take what is there for its data, and the next one succeeds.
  void test_interrupted_half_way() {
    Node node;
    fill(node, 2);
    const std::string sound_file = node.directory().file("sound");
    const std::string sound = backup_of(node, sound_file);
    for (const int number : {SIGINT, SIGTERM, SIGKILL}) {
      const std::string target = node.directory().file("restored" + std::to_string(number));
      HalfFed restore({"restore", node.directory().file("pipe"), target}, sound);
      CPPUNIT_ASSERT(fs::exists(target + "/restore.partial"));
      restore.interrupt(number);
      const auto left = files_in(target);
      assert_fails(command({"-data", target, "-port", "0", "-bind", "127.0.0.1"}), 3,
                   "a restore was cut short");
      for (const auto& [name, content] : left) {
        if (!name.ends_with("minivault.lock")) CPPUNIT_ASSERT(files_in(target).at(name) == content);
      }
      CPPUNIT_ASSERT(!fs::exists(target + "/base.mdb") && !fs::exists(target + "/changes.log"));
      must_do({"restore", sound_file, target});
      CPPUNIT_ASSERT(dump_of(target) == dump_of(sound_file));
    }
  }

  /// Nothing is left to do but to take an empty directory away.
  void test_killed_with_everything_in_its_place() {
    Node node;
    client::Connection connection = connect(node);
    set(connection, "k", "v");
    const std::string file = node.directory().file("b");
    must_do({"backup", node.address(), file});
    const std::string target = node.directory().file("restored");
    must_do({"restore", file, target});
    fs::create_directory(target + "/restore.partial");
    const Node restored({.flags = {"-data", target}});
    CPPUNIT_ASSERT_EQUAL(std::string("v"), connect(restored).get("k").value());
  }

  /// A limit on the size of files fails as a full disk does, in the middle.
  void test_a_disk_without_room() {
    Node node;
    fill(node, 2);
    const std::string file = node.directory().file("b");
    const std::string small = node.directory().file("small");
    must_do({"backup", node.address(), file});
    const auto limited = [](std::vector<std::string> words) {
      std::string line = "ulimit -f 1024; trap '' XFSZ; exec \"$@\"";
      words.insert(words.begin(), {"/bin/bash", "-c", line, "bash", minivault_binary()});
      return run(words);
    };
    assert_fails(limited({"backup", node.address(), small}), 1, "small.partial: File too large");
    CPPUNIT_ASSERT(!fs::exists(small) && !fs::exists(small + ".partial"));
    const std::string target = node.directory().file("restored");
    assert_fails(limited({"restore", file, target}), 1, "base.mdb");
    CPPUNIT_ASSERT(!fs::exists(target));
    must_do({"restore", file, target});
    const auto onto_a_full_disk = [](std::vector<std::string> words) {
      words.insert(words.begin(), {"/bin/bash", "-c", "exec \"$@\" >/dev/full", "bash", minivault_binary()});
      return run(words);
    };
    const std::string saying = "minivault: standard output cannot be written";
    const Finished dumped = onto_a_full_disk({"dump", file});
    assert_fails(dumped, 1, saying);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(dumped.err, std::ptrdiff_t{1},
                                 std::count(dumped.err.begin(), dumped.err.end(), '\n'));
    // What fits the buffers is written at the very end.
    const std::string few = node.directory().file("few");
    const Node empty;
    must_do({"load", empty.address()}, "{\"key\":\"k\",\"value\":\"v\"}\n");
    must_do({"backup", empty.address(), few});
    assert_fails(onto_a_full_disk({"dump", few}), 1, saying + ": No space left on device");
    assert_fails(onto_a_full_disk({"check", target}), 1, saying + ": No space left on device");
  }

  void test_load_refuses_what_is_wrong() {
    const Node node({.flags = {"-auth", "secret", "-authmode", "writes"}});
    const std::string line = "{\"key\":\"k\",\"value\":\"v\"}\n";
    assert_fails(command({"load", node.address()}, line), 1, "key \"k\": ");
    assert_fails(command({"load", node.address(), "-auth", "secret"}, line + "\n" + "{}\n"), 1,
                 "line 3: no \"key\"");
    CPPUNIT_ASSERT_EQUAL(std::string("v"), connect(node).get("k").value());
    const std::string bad_json = "{\"key\":\"k\",\"value\":\"[1\",\"json\":true}\n";
    assert_fails(command({"load", node.address(), "-auth", "secret"}, bad_json), 1,
                 "line 1: \"value\" is not JSON");
    const std::string two = "{\"key\":\"k\",\"value\":\"1,\\\"value\\\":2\",\"json\":true}\n";
    assert_fails(command({"load", node.address(), "-auth", "secret"}, two), 1,
                 "line 1: \"value\" is not JSON");
    const std::string large = "{\"key\":\"k\",\"value\":\"" + std::string(5 << 20, 'v') + "\"}\n";
    assert_fails(command({"load", node.address(), "-auth", "secret"}, large), 1, "too large");
    // Without an end: it stops where no line of this node's can go on.
    const Finished endless = run({"/bin/bash", "-c", "exec \"$@\" < <(tr '\\0' x </dev/zero)", "bash",
                                  minivault_binary(), "load", node.address(), "-auth", "secret"});
    assert_fails(endless, 1, "line 1: longer than 2");  // 6 times 4 MB, the largest value, and its key's
    assert_fails(command({"load", node.data()}, line), 1, "for a directory there is restore");
    CPPUNIT_ASSERT_EQUAL(std::string("v"), connect(node).get("k").value());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RestoreTest, "restore_test");

}  // namespace
}  // namespace minivault::test
