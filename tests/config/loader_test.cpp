// The whole way from command line, environment and files to one configuration or one line of refusal. The
// world outside is a map of variables and a map of files, but for the last tests, which ask the real one.

#include "common/config/loader.h"

#include <cppunit/extensions/HelperMacros.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include "tests/support/temporary_directory.h"

using namespace minivault;
using settings::Action;
using settings::Given;

namespace {

using Arguments = std::vector<const char*>;

}  // namespace

class LoaderTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LoaderTest);
  CPPUNIT_TEST(nothing_given_is_the_defaults);
  CPPUNIT_TEST(flag_beats_environment_beats_file_beats_default);
  CPPUNIT_TEST(a_switch_can_be_turned_off_from_above);
  CPPUNIT_TEST(an_empty_variable_is_not_set);
  CPPUNIT_TEST(every_variable_is_read);
  CPPUNIT_TEST(help_and_version_look_at_nothing_else);
  CPPUNIT_TEST(check_config_checks);
  CPPUNIT_TEST(refusals_name_setting_origin_and_accepted);
  CPPUNIT_TEST(a_refusal_never_shows_the_key);
  CPPUNIT_TEST(a_named_file_must_be_readable);
  CPPUNIT_TEST(the_default_file_may_be_missing_but_not_unreadable);
  CPPUNIT_TEST(an_empty_file_name_means_no_file);
  CPPUNIT_TEST(a_wrong_file_is_refused_even_where_overridden);
  CPPUNIT_TEST(procs_follow_the_cores);
  CPPUNIT_TEST(public_url_follows_the_port);
  CPPUNIT_TEST(auth_file_gives_the_key);
  CPPUNIT_TEST(bad_auth_files_are_refused);
  CPPUNIT_TEST(an_auth_file_for_all_to_read_is_refused);
  CPPUNIT_TEST(a_user_must_be_known);
  CPPUNIT_TEST(auth_and_auth_file_exclude_each_other);
  CPPUNIT_TEST(authmode_needs_a_key);
  CPPUNIT_TEST(workers_are_enough_for_the_nodes_of_the_list);
  CPPUNIT_TEST(a_list_has_as_many_nodes_as_a_cluster_may);
  CPPUNIT_TEST(two_listeners_need_two_ports);
  CPPUNIT_TEST(cluster_of_this_node_alone);
  CPPUNIT_TEST(peers_are_all_but_this_node);
  CPPUNIT_TEST(a_value_larger_than_the_log_allows_is_no_error);
  CPPUNIT_TEST(loading_again_sees_what_changed);
  CPPUNIT_TEST(describe_can_be_fed_back);
  CPPUNIT_TEST(describe_of_port_zero_can_be_fed_back);
  CPPUNIT_TEST(describe_of_what_is_no_comment_can_be_fed_back);
  CPPUNIT_TEST(describe_of_what_no_file_can_hold_is_a_comment);
  CPPUNIT_TEST(describe_hides_the_key);
  CPPUNIT_TEST(the_real_environment);
  CPPUNIT_TEST(the_real_files);
  CPPUNIT_TEST(the_real_secrets_and_users);
  CPPUNIT_TEST_SUITE_END();

 public:
  void nothing_given_is_the_defaults() {
    const auto loaded = load({});
    Config expected;
    expected.worker_processes = 3;
    expected.public_url = "localhost:3000";
    CPPUNIT_ASSERT(loaded.config == expected);
    CPPUNIT_ASSERT(loaded.action == Action::kRun);
    CPPUNIT_ASSERT_EQUAL(settings::all_settings().size(), loaded.given.size());
    for (const auto& [name, given] : loaded.given)
      CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::string("default"), given.origin);
    CPPUNIT_ASSERT_EQUAL(std::string("3"), loaded.given.at("procs").text);
    CPPUNIT_ASSERT_EQUAL(std::string("localhost:3000"), loaded.given.at("public-url").text);
  }

  void flag_beats_environment_beats_file_beats_default() {
    files_[kDefaultConfigFile] = "# sample\nport = 1\nhttp = 2\ncache = 3\n";
    variables_ = {{"MINIVAULT_PORT", "10"}, {"MINIVAULT_HTTP", "20"}};
    const auto loaded = load({"-port", "100"});
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{100}, loaded.config.port);
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{20}, loaded.config.http_port);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3} << 20, loaded.config.cache_bytes);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{512} << 20, loaded.config.log_bytes);
    CPPUNIT_ASSERT((loaded.given.at("port") == Given{"100", "flag -port"}));
    CPPUNIT_ASSERT((loaded.given.at("http") == Given{"20", "environment MINIVAULT_HTTP"}));
    CPPUNIT_ASSERT((loaded.given.at("cache") == Given{"3", "/etc/minivault/minivault.conf:4"}));
    CPPUNIT_ASSERT((loaded.given.at("log") == Given{"512MB", "default"}));
  }

  void a_switch_can_be_turned_off_from_above() {
    files_[kDefaultConfigFile] = "async = on\n";
    CPPUNIT_ASSERT(load({}).config.async);
    variables_["MINIVAULT_ASYNC"] = "no";
    CPPUNIT_ASSERT(!load({}).config.async);
    CPPUNIT_ASSERT(load({"-async"}).config.async);
    variables_["MINIVAULT_ASYNC"] = "1";
    CPPUNIT_ASSERT(!load({"--async=false"}).config.async);
  }

  void an_empty_variable_is_not_set() {
    variables_["MINIVAULT_PORT"] = "";
    variables_["CLUSTER_NODES"] = "";
    CPPUNIT_ASSERT_EQUAL(std::string("default"), load({}).given.at("port").origin);
  }

  void every_variable_is_read() {
    for (const settings::Setting& setting : settings::all_settings()) {
      variables_ = {{settings::environment_name(setting), "a\nb"}};
      const std::string message = load_error({});
      CPPUNIT_ASSERT_MESSAGE(message, message.starts_with(std::string(setting.name) + " (environment " +
                                                          settings::environment_name(setting) + "): "));
    }
  }

  void help_and_version_look_at_nothing_else() {
    files_[kDefaultConfigFile] = "rubbish";
    variables_["MINIVAULT_PORT"] = "rubbish";
    CPPUNIT_ASSERT(load({"-help"}).action == Action::kHelp);
    CPPUNIT_ASSERT(load({"-port", "rubbish", "-version"}).action == Action::kVersion);
  }

  void check_config_checks() {
    CPPUNIT_ASSERT(load({"-check-config"}).action == Action::kCheckConfig);
    variables_["MINIVAULT_PORT"] = "rubbish";
    load_error({"-check-config"});
  }

  void refusals_name_setting_origin_and_accepted() {
    CPPUNIT_ASSERT_EQUAL(
        std::string("port (flag -port): \"65536\" is not accepted; accepted: a number from 0 to 65535"),
        load_error({"-port", "65536"}));
    variables_["MINIVAULT_WRITE_TIMEOUT"] = "5";
    CPPUNIT_ASSERT_EQUAL(
        std::string("write-timeout (environment MINIVAULT_WRITE_TIMEOUT): \"5\" is not accepted; "
                    "accepted: a duration from 1ms to 1h, as 5s, 500ms or 1m30s"),
        load_error({}));
    variables_.clear();
    files_["/mv.conf"] = "\nlog = 15\n";
    CPPUNIT_ASSERT_EQUAL(
        std::string("log (/mv.conf:2): \"15\" is not accepted; accepted: a size from 16MB to 64GB "
                    "in whole MB; a plain number is MB"),
        load_error({"-config", "/mv.conf"}));
    CPPUNIT_ASSERT(load_error({"-nothing"}).starts_with("unknown flag \"-nothing\""));
  }

  void a_refusal_never_shows_the_key() {
    CPPUNIT_ASSERT_EQUAL(
        std::string("auth (flag -auth): the value is not accepted; accepted: at most 65535 bytes "
                    "without control characters"),
        load_error({"-auth", "secret\n"}));
  }

  void a_named_file_must_be_readable() {
    CPPUNIT_ASSERT_EQUAL(std::string("config (flag -config): no such file"),
                         load_error({"-config", "/none"}));
    variables_["MINIVAULT_CONFIG"] = "/none";
    CPPUNIT_ASSERT_EQUAL(std::string("config (environment MINIVAULT_CONFIG): no such file"), load_error({}));
    files_["/none"] = "port = 7\n";
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{7}, load({}).config.port);
  }

  void the_default_file_may_be_missing_but_not_unreadable() {
    CPPUNIT_ASSERT(load({}).given.at("config").origin == "default");
    unreadable_ = kDefaultConfigFile;
    CPPUNIT_ASSERT_EQUAL(std::string("config (default): permission denied"), load_error({}));
  }

  void an_empty_file_name_means_no_file() {
    files_[kDefaultConfigFile] = "port = 7\n";
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{3000}, load({"-config="}).config.port);
  }

  void a_wrong_file_is_refused_even_where_overridden() {
    files_[kDefaultConfigFile] = "port = rubbish\n";
    CPPUNIT_ASSERT(
        load_error({"-port", "80"}).starts_with("port (/etc/minivault/minivault.conf:1): \"rubbish\""));
  }

  void procs_follow_the_cores() {
    cores_ = 0;
    CPPUNIT_ASSERT_EQUAL(1U, load({}).config.worker_processes);
    cores_ = 128;
    CPPUNIT_ASSERT_EQUAL(64U, load({}).config.worker_processes);
    CPPUNIT_ASSERT_EQUAL(5U, load({"-procs", "5"}).config.worker_processes);
  }

  void public_url_follows_the_port() {
    CPPUNIT_ASSERT_EQUAL(std::string("localhost:80"), load({"-port", "80"}).config.public_url);
    CPPUNIT_ASSERT_EQUAL(std::string("localhost:0"), load({"-port", "0"}).config.public_url);
    CPPUNIT_ASSERT_EQUAL(std::string("n1:443"), load({"-public-url", "https://n1"}).config.public_url);
  }

  void auth_file_gives_the_key() {
    for (const char* content : {"secret", "secret\n", "secret\r\n"}) {
      files_["/key"] = content;
      const auto loaded = load({"-auth-file", "/key", "-authmode", "all"});
      CPPUNIT_ASSERT_EQUAL(std::string("secret"), loaded.config.auth_key);
      CPPUNIT_ASSERT(loaded.config.auth_mode == AuthMode::kAll);
    }
    files_["/key"] = " with blanks \n";
    CPPUNIT_ASSERT_EQUAL(std::string(" with blanks "), load({"-auth-file", "/key"}).config.auth_key);
  }

  void bad_auth_files_are_refused() {
    CPPUNIT_ASSERT_EQUAL(std::string("auth-file (flag -auth-file): no such file"),
                         load_error({"-auth-file", "/none"}));
    for (const char* content : {"", "\n", "\r\n"}) {
      files_["/key"] = content;
      CPPUNIT_ASSERT_EQUAL(std::string("auth-file (flag -auth-file): \"/key\" holds no key"),
                           load_error({"-auth-file", "/key"}));
    }
    for (const std::string& content : {std::string("two\nlines\n"), std::string(65'536, 'k')}) {
      files_["/key"] = content;
      CPPUNIT_ASSERT_EQUAL(
          std::string("auth-file (flag -auth-file): \"/key\" holds no usable key; accepted: one line "
                      "of at most 65535 bytes without control characters"),
          load_error({"-auth-file", "/key"}));
    }
  }

  void an_auth_file_for_all_to_read_is_refused() {
    files_["/key"] = "secret\n";
    CPPUNIT_ASSERT_EQUAL(std::string("secret"), load({"-auth-file", "/key"}).config.auth_key);
    open_to_all_ = "/key";
    CPPUNIT_ASSERT_EQUAL(std::string("auth-file (flag -auth-file): open to every user"),
                         load_error({"-auth-file", "/key"}));
  }

  void a_user_must_be_known() {
    CPPUNIT_ASSERT_EQUAL(std::string(), load({}).config.user);
    CPPUNIT_ASSERT_EQUAL(std::string("minivault"), load({"-user", "minivault"}).config.user);
    variables_["MINIVAULT_USER"] = "nobody-here";
    CPPUNIT_ASSERT_EQUAL(std::string("user (environment MINIVAULT_USER): there is no user nobody-here"),
                         load_error({}));
  }

  void auth_and_auth_file_exclude_each_other() {
    files_["/key"] = "secret";
    variables_["MINIVAULT_AUTH"] = "other";
    CPPUNIT_ASSERT_EQUAL(
        std::string(
            "auth-file (flag -auth-file): excludes auth (environment MINIVAULT_AUTH); give the key once"),
        load_error({"-auth-file", "/key"}));
    CPPUNIT_ASSERT_EQUAL(std::string("secret"), load({"-auth-file", "/key", "-auth="}).config.auth_key);
  }

  void authmode_needs_a_key() {
    for (const char* mode : {"writes", "all"}) {
      CPPUNIT_ASSERT_EQUAL("authmode (flag -authmode): \"" + std::string(mode) +
                               "\" needs a key from auth or auth-file; accepted without: none",
                           load_error({"-authmode", mode}));
      CPPUNIT_ASSERT_EQUAL(std::string("k"), load({"-authmode", mode, "-auth", "k"}).config.auth_key);
    }
    CPPUNIT_ASSERT(load({"-authmode", "none"}).config.auth_key.empty());
  }

  void workers_are_enough_for_the_nodes_of_the_list() {
    CPPUNIT_ASSERT_EQUAL(
        std::string(
            "workers (flag -workers): 5 is too few for 2 other nodes (cluster-nodes); accepted: 6 or more, "
            "2 for each of them and 2 for a repair"),
        load_error({"-workers", "5", "-cluster-nodes", "a:1,b:1"}));
    CPPUNIT_ASSERT_EQUAL(6U,
                         load({"-workers", "6", "-cluster-nodes", "a:1,b:1"}).config.replication_connections);
    CPPUNIT_ASSERT_EQUAL(1U, load({"-workers", "1"}).config.replication_connections);
  }

  void a_list_has_as_many_nodes_as_a_cluster_may() {
    std::string list = "self:3000";
    for (std::size_t i = 0; i < kMostPeers; ++i) list += ",n" + std::to_string(i) + ":3000";
    variables_["CLUSTER_NODES"] = list;
    const Arguments arguments{"-public-url", "self:3000", "-workers", "200"};
    CPPUNIT_ASSERT_EQUAL(kMostPeers, load(arguments).config.cluster_nodes.size());
    variables_["CLUSTER_NODES"] = list + ",more:3000";
    CPPUNIT_ASSERT_EQUAL(
        std::string(
            "cluster-nodes (environment CLUSTER_NODES): 64 nodes other than this one (public-url) are "
            "too many; accepted: 63 or fewer, each name of a node counted"),
        load_error(arguments));
  }

  void two_listeners_need_two_ports() {
    CPPUNIT_ASSERT_EQUAL(
        std::string("http (flag -http): 3000 is also port (default); accepted: another port, or 0"),
        load_error({"-http", "3000"}));
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{0}, load({"-http", "0", "-port", "0"}).config.http_port);
  }

  void cluster_of_this_node_alone() {
    variables_["CLUSTER_NODES"] = "http://localhost:3000, localhost:3000";
    CPPUNIT_ASSERT(load({}).config.cluster_nodes.empty());
    CPPUNIT_ASSERT_EQUAL(std::string("environment CLUSTER_NODES"), load({}).given.at("cluster-nodes").origin);
    variables_["CLUSTER_NODES"] = "https://n1";
    CPPUNIT_ASSERT(load({"-public-url", "n1:443"}).config.cluster_nodes.empty());
  }

  void peers_are_all_but_this_node() {
    variables_["CLUSTER_NODES"] = "localhost:3000,https://n2, n3:3000,n2:443";
    const std::vector<std::string> expected = {"n2:443", "n3:3000"};
    CPPUNIT_ASSERT(expected == load({}).config.cluster_nodes);
    variables_["CLUSTER_NODES"] = "n2";
    CPPUNIT_ASSERT(
        load_error({}).starts_with("cluster-nodes (environment CLUSTER_NODES): \"n2\" is not accepted; "));
  }

  void a_value_larger_than_the_log_allows_is_no_error() {
    const auto loaded = load({"-log", "64", "-max-value", "100MB"});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100} << 20, loaded.config.max_value_bytes);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{64} << 20, loaded.config.log_bytes);
  }

  void loading_again_sees_what_changed() {
    files_["/mv.conf"] = "ratelimit = 1\n";
    const Arguments arguments = {"-config", "/mv.conf"};
    const auto before = load(arguments);
    files_["/mv.conf"] = "ratelimit = 2\n";
    const auto after = load(arguments);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, before.config.rate_limit);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, after.config.rate_limit);
  }

  void describe_can_be_fed_back() {
    const auto loaded =
        load({"-port", "80", "-sync", "interval:5", "-async", "-max-value", "1KB", "-write-timeout", "1m",
              "-bind", "::1", "-data", "/some dir", "-accept-loss=false"});
    files_["/described"] = describe(loaded);
    const auto again = load({"-config", "/described"});
    CPPUNIT_ASSERT(again.config == loaded.config);
    CPPUNIT_ASSERT(describe(loaded).find("port = 80                               # flag -port\n") !=
                   std::string::npos);
  }

  /// Of which the address that others are told cannot be made.
  void describe_of_port_zero_can_be_fed_back() {
    files_["/described"] = describe(load({"-port", "0"}));
    const auto again = load({"-config", "/described"});
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{0}, again.config.port);
    CPPUNIT_ASSERT_EQUAL(std::string("localhost:0"), again.config.public_url);
  }

  /// A `#` that stands behind no blank.
  void describe_of_what_is_no_comment_can_be_fed_back() {
    files_["/mv.conf"] = "data =#dir#1 # a comment\n";
    const auto loaded = load({"-config", "/mv.conf"});
    CPPUNIT_ASSERT_EQUAL(std::string("#dir#1"), loaded.config.data_directory);
    files_["/described"] = describe(loaded);
    CPPUNIT_ASSERT(load({"-config", "/described"}).config == loaded.config);
  }

  void describe_of_what_no_file_can_hold_is_a_comment() {
    for (const char* directory : {"/a #b", " /blank", "'/quoted"}) {
      const auto loaded = load({"-data", directory});
      CPPUNIT_ASSERT_EQUAL(std::string(directory), loaded.config.data_directory);
      files_["/described"] = describe(loaded);
      const auto again = load({"-config", "/described"});
      CPPUNIT_ASSERT_EQUAL(load({}).config.data_directory, again.config.data_directory);
    }
  }

  void describe_hides_the_key() {
    const std::string text = describe(load({"-auth", "secret"}));
    CPPUNIT_ASSERT(text.find("secret") == std::string::npos);
    CPPUNIT_ASSERT(text.find("# auth = (hidden)") != std::string::npos);
  }

  void the_real_environment() {
    const auto sources = ConfigSources::of_system();
    ::setenv("MINIVAULT_TEST_VARIABLE", "x", 1);
    CPPUNIT_ASSERT(sources.environment("MINIVAULT_TEST_VARIABLE") == "x");
    ::unsetenv("MINIVAULT_TEST_VARIABLE");
    CPPUNIT_ASSERT(!sources.environment("MINIVAULT_TEST_VARIABLE"));
    CPPUNIT_ASSERT(sources.cores >= 1);
  }

  void the_real_files() {
    const auto sources = ConfigSources::of_system();
    std::string directory = (std::filesystem::temp_directory_path() / "minivault_config_XXXXXX").string();
    CPPUNIT_ASSERT(::mkdtemp(directory.data()) != nullptr);
    const std::string path = directory + "/file";
    const std::string content(10'000, 'x');
    std::ofstream(path) << content;
    const auto read = sources.read_file(path);
    std::ofstream(path) << std::string((1U << 20) + 1, 'x');
    const auto too_large = sources.read_file(path);
    std::filesystem::remove(path);
    const auto missing = sources.read_file(path);
    const auto not_a_file = sources.read_file(directory);
    std::filesystem::remove(directory);

    CPPUNIT_ASSERT(read == content);
    CPPUNIT_ASSERT(!too_large && too_large.error().code == Code::kIo);
    CPPUNIT_ASSERT(!missing && missing.error().code == Code::kNotFound);
    CPPUNIT_ASSERT_EQUAL("cannot read \"" + path + "\": No such file or directory", missing.error().message);
    CPPUNIT_ASSERT(!not_a_file && not_a_file.error().code == Code::kIo);
  }

  void the_real_secrets_and_users() {
    const auto sources = ConfigSources::of_system();
    const test::TemporaryDirectory directory;
    const std::string path = directory.write("key", "secret\n");
    for (const mode_t mode : {mode_t{0644}, mode_t{0604}, mode_t{0602}}) {
      CPPUNIT_ASSERT_EQUAL(0, ::chmod(path.c_str(), mode));
      const auto open_to_all = sources.read_secret(path);
      CPPUNIT_ASSERT(!open_to_all && open_to_all.error().code == Code::kUnauthorized);
      CPPUNIT_ASSERT(open_to_all.error().message.find("chmod o= " + path) != std::string::npos);
    }
    for (const mode_t mode : {mode_t{0640}, mode_t{0600}}) {
      CPPUNIT_ASSERT_EQUAL(0, ::chmod(path.c_str(), mode));
      CPPUNIT_ASSERT(sources.read_secret(path) == "secret\n");
    }
    const std::string fifo = directory.file("fifo");
    CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(fifo.c_str(), 0600));
    for (const std::string& other : {fifo, std::string("/dev/null"), directory.path()}) {
      const auto refused = sources.read_secret(other);  // at once, although nobody writes into the FIFO
      CPPUNIT_ASSERT(!refused && refused.error().code == Code::kInvalidArgument);
      CPPUNIT_ASSERT_EQUAL('"' + other + "\" is not a regular file", refused.error().message);
    }
    const auto missing = sources.read_secret(directory.file("none"));
    CPPUNIT_ASSERT(!missing && missing.error().code == Code::kNotFound);
    CPPUNIT_ASSERT(sources.find_user("root").has_value());
    CPPUNIT_ASSERT(sources.find_user("no-such-user").error().code == Code::kNotFound);
  }

 private:
  ConfigSources sources() {
    return {[this](const std::string& name) -> std::optional<std::string> {
              const auto variable = variables_.find(name);
              if (variable == variables_.end()) return std::nullopt;
              return variable->second;
            },
            [this](const std::string& path) -> Result<std::string> {
              if (path == unreadable_) return fail(Code::kIo, "permission denied");
              const auto file = files_.find(path);
              if (file == files_.end()) return fail(Code::kNotFound, "no such file");
              return file->second;
            },
            cores_,
            [this](const std::string& path) -> Result<std::string> {
              if (path == open_to_all_) return fail(Code::kUnauthorized, "open to every user");
              return sources().read_file(path);
            },
            [](const std::string& name) -> Status {
              if (name == "minivault") return {};
              return fail(Code::kNotFound, "there is no user " + name);
            }};
  }

  LoadedConfig load(const Arguments& arguments) {
    auto loaded = load_config(arguments, sources());
    CPPUNIT_ASSERT_MESSAGE(loaded ? "" : loaded.error().message, loaded.has_value());
    return *std::move(loaded);
  }

  std::string load_error(const Arguments& arguments) {
    const auto loaded = load_config(arguments, sources());
    CPPUNIT_ASSERT_MESSAGE("was accepted", !loaded.has_value());
    CPPUNIT_ASSERT(loaded.error().code == Code::kInvalidArgument);
    CPPUNIT_ASSERT(loaded.error().message.find('\n') == std::string::npos);
    return loaded.error().message;
  }

  std::map<std::string, std::string> variables_;
  std::map<std::string, std::string> files_;
  std::string unreadable_;
  std::string open_to_all_;
  unsigned cores_ = 3;
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(LoaderTest, "loader_test");
