// The table against itself, against Config's defaults and against PROTOCOL's list of flags.

#include "common/config/settings.h"

#include <cppunit/extensions/HelperMacros.h>

#include <set>

#include "common/config/flags.h"

using namespace minivault;
using namespace minivault::settings;

namespace {

bool accepts(const char* name, std::string_view text) {
  const Setting* setting = find_setting(name);
  CPPUNIT_ASSERT_MESSAGE(name, setting != nullptr);
  Draft draft;
  const bool was_accepted = setting->apply(draft, text);
  if (!was_accepted) CPPUNIT_ASSERT_MESSAGE(name, draft.config == Config{});
  return was_accepted;
}

}  // namespace

class SettingsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SettingsTest);
  CPPUNIT_TEST(names_are_unique_and_complete);
  CPPUNIT_TEST(default_texts_mean_the_defaults_of_config);
  CPPUNIT_TEST(every_setting_refuses_something);
  CPPUNIT_TEST(limits_at_both_ends);
  CPPUNIT_TEST(each_value_lands_in_its_own_field);
  CPPUNIT_TEST(environment_names);
  CPPUNIT_TEST(help_names_every_flag);
  CPPUNIT_TEST_SUITE_END();

 public:
  void names_are_unique_and_complete() {
    std::set<std::string_view> names;
    for (const Setting& setting : all_settings()) {
      CPPUNIT_ASSERT_MESSAGE(std::string(setting.name), names.insert(setting.name).second);
      CPPUNIT_ASSERT(!setting.help.empty() && !setting.accepted.empty());
      CPPUNIT_ASSERT_EQUAL(setting.kind == Kind::kSwitch, setting.value_name.empty());
    }
    for (const ActionFlag& flag : all_action_flags()) CPPUNIT_ASSERT(names.insert(flag.name).second);
    for (const char* name :
         {"port", "http", "bind", "public-url", "data", "user", "auth", "auth-file", "authmode", "ratelimit",
          "cache", "log", "workers", "procs", "sync", "async", "write-timeout", "max-value", "config"}) {
      CPPUNIT_ASSERT_MESSAGE(name, find_setting(name) != nullptr);
    }
    CPPUNIT_ASSERT(find_setting("help") == nullptr);
    CPPUNIT_ASSERT(find_action_flag("port") == nullptr);
  }

  void default_texts_mean_the_defaults_of_config() {
    const std::set<std::string_view> computed = {"public-url", "procs", "config"};
    for (const Setting& setting : all_settings()) {
      if (computed.contains(setting.name)) continue;
      Draft draft;
      CPPUNIT_ASSERT_MESSAGE(std::string(setting.name), setting.apply(draft, setting.default_text));
      CPPUNIT_ASSERT_MESSAGE(std::string(setting.name), draft.config == Config{});
    }
  }

  void every_setting_refuses_something() {
    for (const Setting& setting : all_settings()) {
      CPPUNIT_ASSERT_MESSAGE(std::string(setting.name), !accepts(setting.name.data(), "a\nb"));
    }
  }

  void limits_at_both_ends() {
    struct Limit {
      const char* name;
      const char* least;
      const char* most;
      const char* too_little;
      const char* too_much;
    };
    for (const Limit& limit : {Limit{"port", "0", "65535", "-1", "65536"},
                               {"http", "0", "65535", "-1", "65536"},
                               {"ratelimit", "0", "1000000000", "-1", "1000000001"},
                               {"cache", "0", "1024GB", "-1", "1025GB"},
                               {"log", "16", "64GB", "15", "65537"},
                               {"workers", "1", "10000", "0", "10001"},
                               {"procs", "1", "64", "0", "65"},
                               {"write-timeout", "1ms", "1h", "999us", "1h1ms"},
                               {"repair-interval", "1s", "8760h", "999ms", "8761h"},
                               {"repair-rate", "64KB", "64GB", "63KB", "65GB"},
                               {"tombstone-ttl", "1s", "8760h", "999ms", "8761h"},
                               {"max-drift", "1ms", "8760h", "0", "8761h"},
                               {"slowlog", "0", "1h", "999us", "1h1ms"},
                               {"max-value", "1B", "4095", "0", "4096"}}) {
      CPPUNIT_ASSERT_MESSAGE(limit.name, accepts(limit.name, limit.least));
      CPPUNIT_ASSERT_MESSAGE(limit.name, accepts(limit.name, limit.most));
      CPPUNIT_ASSERT_MESSAGE(limit.name, !accepts(limit.name, limit.too_little));
      CPPUNIT_ASSERT_MESSAGE(limit.name, !accepts(limit.name, limit.too_much));
    }
    CPPUNIT_ASSERT(accepts("repair-rate", "0"));
    CPPUNIT_ASSERT(!accepts("log", "16385KB"));
    CPPUNIT_ASSERT(!accepts("data", ""));
    CPPUNIT_ASSERT(accepts("auth", std::string(65'535, 'k')));
    CPPUNIT_ASSERT(!accepts("auth", std::string(65'536, 'k')));
  }

  void each_value_lands_in_its_own_field() {
    Draft draft;
    for (const auto& [name, text] : {std::pair{"port", "1"}, {"http", "2"},
                                     {"bind", "::1"},        {"public-url", "http://n:3"},
                                     {"data", "/d"},         {"user", "u"},
                                     {"auth", "k"},          {"auth-file", "/k"},
                                     {"authmode", "writes"}, {"ratelimit", "4"},
                                     {"cache", "5"},         {"log", "16"},
                                     {"workers", "6"},       {"procs", "7"},
                                     {"sync", "interval:8"}, {"io-uring", "false"},
                                     {"async", "true"},      {"write-timeout", "9s"},
                                     {"max-value", "10"},    {"repair-interval", "12s"},
                                     {"repair-rate", "16"},  {"tombstone-ttl", "13s"},
                                     {"max-drift", "14s"},   {"cluster-nodes", "m:11"},
                                     {"log-level", "debug"}, {"log-format", "json"},
                                     {"slowlog", "15ms"},    {"accept-loss", "true"}}) {
      CPPUNIT_ASSERT_MESSAGE(name, find_setting(name)->apply(draft, text));
    }
    Config expected;
    expected.port = 1;
    expected.http_port = 2;
    expected.bind = "::1";
    expected.public_url = "n:3";
    expected.data_directory = "/d";
    expected.user = "u";
    expected.auth_key = "k";
    expected.auth_mode = AuthMode::kWrites;
    expected.rate_limit = 4;
    expected.cache_bytes = 5ULL << 20;
    expected.log_bytes = 16ULL << 20;
    expected.replication_connections = 6;
    expected.worker_processes = 7;
    expected.io_uring = false;
    expected.sync = {SyncMode::Kind::kInterval, std::chrono::milliseconds(8)};
    expected.async = true;
    expected.write_timeout = std::chrono::seconds(9);
    expected.max_value_bytes = 10ULL << 20;
    expected.cluster_nodes = {"m:11"};
    expected.repair_interval = std::chrono::seconds(12);
    expected.repair_bytes_a_second = 16ULL << 20;
    expected.tombstone_ttl = std::chrono::seconds(13);
    expected.max_drift = std::chrono::seconds(14);
    expected.log_level = LogLevel::kDebug;
    expected.log_format = LogFormat::kJson;
    expected.slow_operation = std::chrono::milliseconds(15);
    expected.accept_loss = true;
    CPPUNIT_ASSERT(draft.config == expected);
    CPPUNIT_ASSERT_EQUAL(std::string("/k"), draft.auth_file);
  }

  void environment_names() {
    CPPUNIT_ASSERT_EQUAL(std::string("MINIVAULT_PORT"), environment_name(*find_setting("port")));
    CPPUNIT_ASSERT_EQUAL(std::string("MINIVAULT_WRITE_TIMEOUT"),
                         environment_name(*find_setting("write-timeout")));
    CPPUNIT_ASSERT_EQUAL(std::string("CLUSTER_NODES"), environment_name(*find_setting("cluster-nodes")));
  }

  void help_names_every_flag() {
    const std::string help = help_text();
    for (const Setting& setting : all_settings()) {
      const std::string line = "\n  -" + std::string(setting.name) + " ";
      CPPUNIT_ASSERT_MESSAGE(line, help.find(line) != std::string::npos);
      CPPUNIT_ASSERT(help.find(setting.help) != std::string::npos);
    }
    for (const ActionFlag& flag : all_action_flags()) {
      CPPUNIT_ASSERT(help.find("\n  -" + std::string(flag.name) + " ") != std::string::npos);
    }
    CPPUNIT_ASSERT(help.find("\n  -port PORT   ") != std::string::npos);
    CPPUNIT_ASSERT(help.find("(default 3000)\n") != std::string::npos);
    CPPUNIT_ASSERT(help.find("where the kernel can (default true)\n") != std::string::npos);
    CPPUNIT_ASSERT(help.find("(default false)") == std::string::npos);  // what a switch is unless it is given
    CPPUNIT_ASSERT(help.ends_with('\n'));
    constexpr std::size_t kTerminalWidth = 110;
    for (std::size_t start = 0; start < help.size(); start = help.find('\n', start) + 1) {
      CPPUNIT_ASSERT_MESSAGE(help.substr(start, 40), help.find('\n', start) - start <= kTerminalWidth);
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(SettingsTest, "settings_test");
