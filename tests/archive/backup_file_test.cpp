// Goal: the file of a backup is whole or not there, and what was there before stays, whatever ends the
// command or the connection. Method: servers that stop anywhere or are somebody else; commands that are fed
// half of what they wait for.

#include <csignal>
#include <memory>
#include <sstream>

#include "tests/archive/backup_support.h"
#include "tests/client/fake_server.h"
#include "tests/support/http.h"

namespace minivault::test {
namespace {

namespace fs = std::filesystem;

class BackupFileTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BackupFileTest);
  CPPUNIT_TEST(test_a_backup_that_is_cut_off_leaves_no_file);
  CPPUNIT_TEST(test_a_connection_cut_anywhere_leaves_no_file);
  CPPUNIT_TEST(test_answers_of_somebody_else);
  CPPUNIT_TEST(test_interrupted_half_way);
  CPPUNIT_TEST(test_two_do_not_write_one_file);
  CPPUNIT_TEST_SUITE_END();

  enum class Ending { kInOrder, kCut };

  /// The address of a server that answers every request with `body` in chunks.
  client::Address served(const std::string& body, Ending ending, bool reset) {
    servers_.push_back(std::make_unique<FakeServer>([=](RawConnection& connection, unsigned) {
      (void)connection.receive_through("\r\n\r\n");
      connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
      for (std::size_t at = 0; at < body.size(); at += 50'000) {
        const std::string piece = body.substr(at, 50'000);
        std::ostringstream size;
        size << std::hex << piece.size();
        connection.send(size.str() + "\r\n" + piece + "\r\n");
      }
      if (ending == Ending::kInOrder) {
        connection.send("0\r\n\r\n");
      } else if (reset) {
        connection.reset();
      }
    }));
    return servers_.back()->address();
  }

  std::vector<std::unique_ptr<FakeServer>> servers_;

 public:
  void tearDown() override { servers_.clear(); }

  void test_a_backup_that_is_cut_off_leaves_no_file() {
    const Node node({.flags = {"-log", "64"}});
    fill(node, 24);
    RawConnection taker(node.port());
    taker.send(http_request("GET", "/_/backup"));
    (void)taker.receive_through("\r\n\r\n");
    for (const pid_t worker : node.children("worker")) ::kill(worker, SIGKILL);
    CPPUNIT_ASSERT(!taker.receive_until_close().ends_with("0\r\n\r\n"));

    // The same for the command: a server that ends in the middle of the body.
    const std::string file = node.directory().file("b");
    replace_content(file, "of yesterday");
    eventually("workers are back", [&] { return node.children("worker").size() == 2; });
    eventually("a backup can be had", [&] {
      return command({"backup", node.address(), file + "2"}).status == 0;
    });
    const std::string sound = content_of(file + "2");
    replace_content(file + "3", sound.substr(0, sound.size() / 2));
    assert_fails(command({"backup", file + "3", file}), 1, "cut off");
    CPPUNIT_ASSERT_EQUAL(std::string("of yesterday"), content_of(file));
    CPPUNIT_ASSERT(!fs::exists(file + ".partial"));
  }

  void test_a_connection_cut_anywhere_leaves_no_file() {
    Node node;
    fill(node, 1);
    const std::string sound = backup_of(node, node.directory().file("sound"));
    const std::string file = node.directory().file("b");
    replace_content(file, "of yesterday");
    for (const std::size_t sent : {std::size_t{0}, std::size_t{10}, sound.size() / 2, sound.size() - 1}) {
      for (const bool reset : {false, true}) {
        assert_fails(command({"backup", served(sound.substr(0, sent), Ending::kCut, reset).text(), file}), 1,
                     "127.0.0.1:");
        assert_fails(command({"backup", served(sound.substr(0, sent), Ending::kInOrder, reset).text(), file}),
                     1, sent == 0 ? "not a minivault backup" : "cut off");
      }
    }
    // All records came, but not the word that it was all.
    assert_fails(command({"backup", served(sound, Ending::kCut, false).text(), file}), 1, "127.0.0.1:");
    CPPUNIT_ASSERT_EQUAL(std::string("of yesterday"), content_of(file));
    CPPUNIT_ASSERT(!fs::exists(file + ".partial"));
    must_do({"backup", served(sound, Ending::kInOrder, false).text(), file});
    CPPUNIT_ASSERT(content_of(file) != "of yesterday");
  }

  void test_answers_of_somebody_else() {
    const TemporaryDirectory directory;
    const std::string file = directory.file("b");
    const auto refused = [&](const std::string& answer, const std::string& because) {
      FakeServer server([&](RawConnection& connection, unsigned) {
        (void)connection.receive_through("\r\n\r\n");
        connection.send(answer);
      });
      assert_fails(command({"backup", server.address().text(), file}), 1, because);
      CPPUNIT_ASSERT(!fs::exists(file) && !fs::exists(file + ".partial"));
    };
    refused("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", "404");
    refused("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", "not a minivault backup");
    refused("220 smtp.example.org ESMTP\r\n\r\n", "not HTTP");
    refused("", "closed");
    assert_fails(command({"backup", "127.0.0.1:1", file}), 1, "127.0.0.1:1: Connection refused");
  }

  /// As by Ctrl-C. What is half written is not in the way of the next one.
  void test_interrupted_half_way() {
    Node node;
    fill(node, 2);
    const std::string sound = backup_of(node, node.directory().file("sound"));
    const std::string file = node.directory().file("b");
    replace_content(file, "of yesterday");
    for (const int number : {SIGINT, SIGTERM, SIGKILL}) {
      HalfFed backup({"backup", node.directory().file("pipe"), file}, sound);
      CPPUNIT_ASSERT(fs::exists(file + ".partial"));
      backup.interrupt(number);
      CPPUNIT_ASSERT_EQUAL(std::string("of yesterday"), content_of(file));
    }
    must_do({"backup", node.address(), file});
  }

  void test_two_do_not_write_one_file() {
    Node node;
    fill(node, 2);
    const std::string sound_file = node.directory().file("sound");
    const std::string sound = backup_of(node, sound_file);
    const std::string file = node.directory().file("b");
    HalfFed first({"backup", node.directory().file("pipe"), file}, sound);
    eventually("the first writes", [&] { return fs::exists(file + ".partial"); });
    assert_fails(command({"backup", node.address(), file}), 1, "somebody else writes it");
    CPPUNIT_ASSERT_EQUAL(0, first.finish());
    CPPUNIT_ASSERT(dump_of(file) == dump_of(sound_file));
    CPPUNIT_ASSERT(!fs::exists(file + ".partial"));
    must_do({"backup", node.address(), file});  // over the older one
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BackupFileTest, "backup_file_test");

}  // namespace
}  // namespace minivault::test
