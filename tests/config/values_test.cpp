// Each kind of value by its grammar: what is accepted, what it becomes, and near misses that must not be.

#include "common/config/values.h"

#include <cppunit/extensions/HelperMacros.h>

#include <limits>

using namespace minivault;
using namespace minivault::settings;
using std::chrono::milliseconds;

class ValuesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ValuesTest);
  CPPUNIT_TEST(numbers_are_digits_within_bounds);
  CPPUNIT_TEST(switches_know_the_usual_words);
  CPPUNIT_TEST(a_plain_size_is_megabytes);
  CPPUNIT_TEST(size_units_step_by_1024);
  CPPUNIT_TEST(bad_sizes_are_refused);
  CPPUNIT_TEST(durations_as_go_writes_them);
  CPPUNIT_TEST(bad_durations_are_refused);
  CPPUNIT_TEST(sync_modes);
  CPPUNIT_TEST(auth_modes);
  CPPUNIT_TEST(hosts);
  CPPUNIT_TEST(bad_hosts_are_refused);
  CPPUNIT_TEST(addresses_in_every_form);
  CPPUNIT_TEST(bad_addresses_are_refused);
  CPPUNIT_TEST(address_lists_merge_duplicates);
  CPPUNIT_TEST(plain_text_has_no_control_characters);
  CPPUNIT_TEST(trim_takes_blanks_at_both_ends);
  CPPUNIT_TEST_SUITE_END();

 public:
  void numbers_are_digits_within_bounds() {
    CPPUNIT_ASSERT(parse_number("0", 0, 9) == 0U);
    CPPUNIT_ASSERT(parse_number("9", 0, 9) == 9U);
    CPPUNIT_ASSERT(parse_number("007", 0, 9) == 7U);
    CPPUNIT_ASSERT(parse_number("18446744073709551615", 0, std::numeric_limits<std::uint64_t>::max()) ==
                   std::numeric_limits<std::uint64_t>::max());
    CPPUNIT_ASSERT(!parse_number("10", 0, 9));
    CPPUNIT_ASSERT(!parse_number("0", 1, 9));
    for (const char* text :
         {"", " 1", "1 ", "+1", "-1", "1.0", "0x1", "1e1", "one", "18446744073709551616"}) {
      CPPUNIT_ASSERT_MESSAGE(text, !parse_number(text, 0, std::numeric_limits<std::uint64_t>::max()));
    }
  }

  void switches_know_the_usual_words() {
    for (const char* text : {"true", "TRUE", "True", "t", "1", "on", "Yes"}) {
      CPPUNIT_ASSERT_MESSAGE(text, parse_switch(text) == true);
    }
    for (const char* text : {"false", "FALSE", "f", "0", "off", "No"}) {
      CPPUNIT_ASSERT_MESSAGE(text, parse_switch(text) == false);
    }
    for (const char* text : {"", "2", "y", "truee", " true", "enabled"}) {
      CPPUNIT_ASSERT_MESSAGE(text, !parse_switch(text));
    }
  }

  void a_plain_size_is_megabytes() {
    CPPUNIT_ASSERT(parse_size("0") == 0U);
    CPPUNIT_ASSERT(parse_size("64") == 64ULL << 20);
    CPPUNIT_ASSERT(parse_size("64") == parse_size("64MB"));
  }

  void size_units_step_by_1024() {
    CPPUNIT_ASSERT(parse_size("7B") == 7U);
    CPPUNIT_ASSERT(parse_size("7KB") == 7ULL << 10);
    CPPUNIT_ASSERT(parse_size("7MB") == 7ULL << 20);
    CPPUNIT_ASSERT(parse_size("7GB") == 7ULL << 30);
    CPPUNIT_ASSERT(parse_size("7KiB") == 7ULL << 10);
    CPPUNIT_ASSERT(parse_size("7mib") == 7ULL << 20);
    CPPUNIT_ASSERT(parse_size("7gib") == 7ULL << 30);
  }

  void bad_sizes_are_refused() {
    for (const char* text : {"", "MB", "-1", "1.5GB", "64 MB", "64M", "64TB", "64MBs", "17179869184GB",
                             "18446744073709551615"}) {
      CPPUNIT_ASSERT_MESSAGE(text, !parse_size(text));
    }
  }

  void durations_as_go_writes_them() {
    CPPUNIT_ASSERT(parse_duration("5s") == milliseconds(5'000));
    CPPUNIT_ASSERT(parse_duration("500ms") == milliseconds(500));
    CPPUNIT_ASSERT(parse_duration("1m30s") == milliseconds(90'000));
    CPPUNIT_ASSERT(parse_duration("1h2m3s4ms") == milliseconds(3'723'004));
    CPPUNIT_ASSERT(parse_duration("1.5s") == milliseconds(1'500));
    CPPUNIT_ASSERT(parse_duration("1.001s") == milliseconds(1'001));
    CPPUNIT_ASSERT(parse_duration(".5s") == milliseconds(500));
    CPPUNIT_ASSERT(parse_duration("2000us") == milliseconds(2));
    CPPUNIT_ASSERT(parse_duration("2000µs") == milliseconds(2));
    CPPUNIT_ASSERT(parse_duration("1999999ns") == milliseconds(1));
    CPPUNIT_ASSERT(parse_duration("0") == milliseconds(0));
    CPPUNIT_ASSERT(parse_duration("0s") == milliseconds(0));
  }

  void bad_durations_are_refused() {
    for (const char* text : {"", "5", "s", "5 s", "-5s", "5S", "5sec", "1.2.3s", ".s", "1m30", "5s ", "1e3s",
                             "infs", "99999999999999999h", "1d"}) {
      CPPUNIT_ASSERT_MESSAGE(text, !parse_duration(text));
    }
  }

  void sync_modes() {
    CPPUNIT_ASSERT(parse_sync_mode("always") == SyncMode{});
    CPPUNIT_ASSERT((parse_sync_mode("none") == SyncMode{SyncMode::Kind::kNone, milliseconds(0)}));
    CPPUNIT_ASSERT((parse_sync_mode("interval:50") == SyncMode{SyncMode::Kind::kInterval, milliseconds(50)}));
    CPPUNIT_ASSERT(parse_sync_mode("interval:60000"));
    for (const char* text : {"", "Always", "interval", "interval:", "interval:0", "interval:60001",
                             "interval:5ms", "interval:-1", "never"}) {
      CPPUNIT_ASSERT_MESSAGE(text, !parse_sync_mode(text));
    }
  }

  void auth_modes() {
    CPPUNIT_ASSERT(parse_auth_mode("none") == AuthMode::kNone);
    CPPUNIT_ASSERT(parse_auth_mode("writes") == AuthMode::kWrites);
    CPPUNIT_ASSERT(parse_auth_mode("all") == AuthMode::kAll);
    for (const char* text : {"", "None", "write", "reads", "all "}) {
      CPPUNIT_ASSERT_MESSAGE(text, !parse_auth_mode(text));
    }
  }

  void hosts() {
    CPPUNIT_ASSERT(parse_host("0.0.0.0") == "0.0.0.0");
    CPPUNIT_ASSERT(parse_host("127.0.0.1") == "127.0.0.1");
    CPPUNIT_ASSERT(parse_host("::") == "::");
    CPPUNIT_ASSERT(parse_host("[::1]") == "::1");
    CPPUNIT_ASSERT(parse_host("2001:DB8:0::1") == "2001:db8::1");
    CPPUNIT_ASSERT(parse_host("LocalHost") == "localhost");
    CPPUNIT_ASSERT(parse_host("node-1.example.com") == "node-1.example.com");
    CPPUNIT_ASSERT(parse_host("vault_1") == "vault_1");
    CPPUNIT_ASSERT(parse_host(std::string(63, 'a')));
  }

  void bad_hosts_are_refused() {
    for (const char* text : {"",     "*",  "300.1.1.1",   "127.1", "1",         "host.1",       "a..b",
                             ".a",   "a.", "-a",          "a-",    "a b",       "a/b",          "[::1",
                             "::1]", "[]", "[127.0.0.1]", ":::",   "host:3000", "fe80::1%eth0", "ö.de"}) {
      CPPUNIT_ASSERT_MESSAGE(text, !parse_host(text));
    }
    CPPUNIT_ASSERT(!parse_host(std::string(64, 'a')));
    std::string long_name = "a";
    while (long_name.size() <= 253) long_name += ".a";
    CPPUNIT_ASSERT(!parse_host(long_name));
    CPPUNIT_ASSERT(!parse_host(std::string_view("127.0.0.1\0.evil", 15)));
    CPPUNIT_ASSERT(!parse_host(std::string_view("::1\0x", 5)));
  }

  void addresses_in_every_form() {
    CPPUNIT_ASSERT(parse_address("localhost:3000") == "localhost:3000");
    CPPUNIT_ASSERT(parse_address("http://Node1:3000") == "node1:3000");
    CPPUNIT_ASSERT(parse_address("http://node1:3000/") == "node1:3000");
    CPPUNIT_ASSERT(parse_address("https://node1:8443") == "node1:8443");
    CPPUNIT_ASSERT(parse_address("http://node1") == "node1:80");
    CPPUNIT_ASSERT(parse_address("https://node1/") == "node1:443");
    CPPUNIT_ASSERT(parse_address("10.0.0.1:03000") == "10.0.0.1:3000");
    CPPUNIT_ASSERT(parse_address("[::1]:3000") == "[::1]:3000");
    CPPUNIT_ASSERT(parse_address("https://[2001:db8::1]") == "[2001:db8::1]:443");
  }

  void bad_addresses_are_refused() {
    for (const char* text : {"",
                             "localhost",
                             "localhost:",
                             ":3000",
                             "localhost:0",
                             "localhost:65536",
                             "localhost:http",
                             "ftp://node1:3000",
                             "http://",
                             "http:///",
                             "http://node1:3000/path",
                             "http://user@node1:1",
                             "::1:3000",
                             "[::1]",
                             "[::1]3000",
                             "[::1:3000",
                             "a b:3000",
                             "localhost:3000/",
                             "[",
                             "]:1"}) {
      CPPUNIT_ASSERT_MESSAGE(text, !parse_address(text));
    }
  }

  void address_lists_merge_duplicates() {
    const std::vector<std::string> expected = {"b:3000", "a:3000"};
    CPPUNIT_ASSERT(parse_address_list("b:3000,a:3000") == expected);
    CPPUNIT_ASSERT(parse_address_list(" http://b:3000/ , a:3000,B:3000,https://a:3000,,") == expected);
    CPPUNIT_ASSERT(parse_address_list("") == std::vector<std::string>{});
    CPPUNIT_ASSERT(parse_address_list(" , ") == std::vector<std::string>{});
    CPPUNIT_ASSERT(!parse_address_list("a:3000,b"));
    CPPUNIT_ASSERT(!parse_address_list("a:3000 b:3000"));
  }

  void plain_text_has_no_control_characters() {
    CPPUNIT_ASSERT(is_plain_text(""));
    CPPUNIT_ASSERT(is_plain_text("any text, even \xC3\xB6"));
    CPPUNIT_ASSERT(!is_plain_text("a\nb"));
    CPPUNIT_ASSERT(!is_plain_text("a\tb"));
    CPPUNIT_ASSERT(!is_plain_text("a\x7f"));
    CPPUNIT_ASSERT(!is_plain_text(std::string_view("\0", 1)));
  }

  void trim_takes_blanks_at_both_ends() {
    CPPUNIT_ASSERT(trim(" \t a b \r") == "a b");
    CPPUNIT_ASSERT(trim(" \t\r").empty());
    CPPUNIT_ASSERT(trim("").empty());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ValuesTest, "values_test");
