// Goal: a large value reaches everybody whole and as it was when it was found, however it leaves: lent by the
// log, or by reference from a copy that is made once it is asked for again (worker/large_values.h). Method:
// real nodes; what the worker holds is seen in /proc.

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "tests/support/frames.h"
#include "tests/support/http.h"
#include "tests/support/node.h"
#include "tests/support/raw_connection.h"
#include "tests/support/wait.h"

namespace minivault::test {

namespace fs = std::filesystem;

class LargeValueTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LargeValueTest);
  CPPUNIT_TEST(who_reads_late_gets_what_was_found_though_the_log_went_round);
  CPPUNIT_TEST(parts_and_whole_come_from_the_copy);
  CPPUNIT_TEST(without_a_cache_nothing_is_copied);
  CPPUNIT_TEST_SUITE_END();

 public:
  void who_reads_late_gets_what_was_found_though_the_log_went_round() {
    const Node node({.flags = {"-procs", "1", "-log", "16MB"}});
    RawConnection writer(node.port());
    const std::string first = value('a');
    store(writer, first);
    for (int i = 0; i < 3; ++i) CPPUNIT_ASSERT(fetch(writer) == first);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, copies(node));

    RawConnection late(node.port());
    late.send(get_frame("large") + get_frame("large") + get_frame("large"));
    CPPUNIT_ASSERT(late.receive(1) == kOk.substr(0, 1));  // the first answer is on its way
    for (char kind = 'b'; kind < 'z'; ++kind) {
      store(writer, value(kind));
      CPPUNIT_ASSERT(fetch(writer) == value(kind));
      CPPUNIT_ASSERT(fetch(writer) == value(kind));
    }
    CPPUNIT_ASSERT(late.receive(4 + first.size()) == value_answer(first).substr(1));
    // The others were found before the writes or between them: each is one of the values, whole.
    for (int i = 0; i < 2; ++i) {
      const std::string head = late.receive(5);
      const std::string body = late.receive(kBytes);
      CPPUNIT_ASSERT(head == value_answer(body).substr(0, 5));
      CPPUNIT_ASSERT(body == value(body.front()));
    }
  }

  void parts_and_whole_come_from_the_copy() {
    const Node node({.flags = {"-procs", "1"}});
    RawConnection client(node.port());
    const std::string stored = value('p');
    store(client, stored);
    const Headers bytes = {"Accept: application/octet-stream"};
    const Headers part = {bytes[0], "Range: bytes=100000-199999"};
    RawConnection over_http(node.port());
    for (int i = 0; i < 3; ++i) {
      over_http.send(http_request("GET", "/large", bytes) + http_request("GET", "/large", part) +
                     http_request("HEAD", "/large", bytes) + http_request("GET", "/small"));
      CPPUNIT_ASSERT(receive_http(over_http).body == stored);
      const HttpResponse some = receive_http(over_http);
      CPPUNIT_ASSERT_EQUAL(206, some.status);
      CPPUNIT_ASSERT(some.body == stored.substr(100'000, 100'000));
      CPPUNIT_ASSERT_EQUAL(std::to_string(kBytes), receive_http(over_http, false).header("content-length"));
      CPPUNIT_ASSERT_EQUAL(404, receive_http(over_http).status);
    }
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, copies(node));
  }

  void without_a_cache_nothing_is_copied() {
    const Node node({.flags = {"-procs", "1", "-cache", "0"}});
    RawConnection client(node.port());
    store(client, value('n'));
    for (int i = 0; i < 4; ++i) CPPUNIT_ASSERT(fetch(client) == value('n'));
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, copies(node));
  }

 private:
  static constexpr std::size_t kBytes = 1 << 20;

  /// No two places of it are alike, and its first byte names it.
  static std::string value(char kind) {
    std::string bytes(kBytes, kind);
    for (std::size_t i = 1; i < bytes.size(); ++i)
      bytes[i] = static_cast<char>((i * i + i / 251) % 101 + kind);
    return bytes;
  }

  static void store(RawConnection& client, const std::string& bytes) {
    CPPUNIT_ASSERT(client.exchange(set_frame("large", bytes), kOk.size()) == kOk);
  }
  static std::string fetch(RawConnection& client) {
    return client.exchange(get_frame("large"), 5 + kBytes).substr(5);
  }

  /// Descriptors of files in memory that its worker has.
  static std::size_t copies(const Node& node) {
    const auto files = fs::directory_iterator("/proc/" + std::to_string(node.child("worker")) + "/fd");
    return static_cast<std::size_t>(
        std::count_if(begin(files), end(files), [](const fs::directory_entry& file) {
          std::error_code gone;
          return fs::read_symlink(file, gone).string().find("memfd:minivault value") != std::string::npos;
        }));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LargeValueTest, "large_value_test");

}  // namespace minivault::test
