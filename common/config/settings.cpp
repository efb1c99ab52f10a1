#include "common/config/settings.h"

#include <algorithm>

#include "common/config/values.h"

namespace minivault::settings {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMegabyte = 1ULL << 20;
constexpr std::uint64_t kGigabyte = 1ULL << 30;
constexpr std::uint64_t kSmallestLog = 16 * kMegabyte;
constexpr std::uint64_t kLargestLog = 64 * kGigabyte;
constexpr std::uint64_t kLargestCache = 1024 * kGigabyte;
constexpr std::uint64_t kLargestValue = 4 * kGigabyte - kMegabyte;  // a length on the wire has 32 bits
constexpr std::uint64_t kLongestKey = 65'535;                       // AUTH carries a 16-bit length
constexpr std::uint64_t kSmallestRate = 64 << 10;
constexpr auto kYear = std::chrono::hours(24 * 365);

template <typename Field, typename Value>
bool keep(Field& field, std::optional<Value> value) {
  if (!value) return false;
  field = static_cast<Field>(*std::move(value));
  return true;
}

bool keep_size(std::uint64_t& field, std::string_view text, std::uint64_t least, std::uint64_t most) {
  const auto bytes = parse_size(text);
  return bytes && *bytes >= least && *bytes <= most && keep(field, bytes);
}

bool keep_duration(std::chrono::milliseconds& field, std::string_view text, std::chrono::milliseconds least,
                   std::chrono::milliseconds most) {
  const auto duration = parse_duration(text);
  return duration && *duration >= least && *duration <= most && keep(field, duration);
}

bool keep_text(std::string& field, std::string_view text) {
  if (!is_plain_text(text)) return false;
  field = text;
  return true;
}

constexpr Setting kSettings[] = {
    {.name = "port",
     .value_name = "PORT",
     .default_text = "3000",
     .help = "port for both protocols; 0: the kernel chooses",
     .accepted = "a number from 0 to 65535",
     .apply = [](Draft& draft,
                 std::string_view text) { return keep(draft.config.port, parse_number(text, 0, 65'535)); }},
    {.name = "http",
     .value_name = "PORT",
     .default_text = "0",
     .help = "port for HTTP alone; 0: none",
     .accepted = "a number from 0 to 65535",
     .apply =
         [](Draft& draft, std::string_view text) {
           return keep(draft.config.http_port, parse_number(text, 0, 65'535));
         }},
    {.name = "bind",
     .value_name = "HOST",
     .default_text = "0.0.0.0",
     .help = "address to listen on",
     .accepted = "an IPv4 or IPv6 address or a host name",
     .apply = [](Draft& draft, std::string_view text) { return keep(draft.config.bind, parse_host(text)); }},
    {.name = "public-url",
     .value_name = "ADDRESS",
     .default_text = "localhost:PORT",
     .help = "this node's address in the cluster",
     .accepted = "host:port, http://host[:port] or https://host[:port]",
     .apply = [](Draft& draft,
                 std::string_view text) { return keep(draft.config.public_url, parse_address(text)); }},
    {.name = "cluster-nodes",
     .value_name = "ADDRESS,...",
     .default_text = "",
     .help = "the nodes of the cluster, with or without this one",
     .accepted = "addresses separated by commas, each host:port, http://host[:port] or https://host[:port]",
     .apply =
         [](Draft& draft, std::string_view text) {
           return keep(draft.config.cluster_nodes, parse_address_list(text));
         },
     .environment = "CLUSTER_NODES"},
    {.name = "data",
     .value_name = "DIRECTORY",
     .default_text = "/data",
     .help = "data directory",
     .accepted = "a path without control characters",
     .apply =
         [](Draft& draft, std::string_view text) {
           return !text.empty() && keep_text(draft.config.data_directory, text);
         }},
    {.name = "user",
     .value_name = "NAME",
     .default_text = "",
     .help = "whom to become when started as root, once the ports are bound",
     .accepted = "the name of a user of this machine",
     .apply = [](Draft& draft, std::string_view text) { return keep_text(draft.config.user, text); }},
    {.name = "auth",
     .value_name = "KEY",
     .default_text = "",
     .help = "the key that clients show; -auth-file keeps it out of ps",
     .accepted = "at most 65535 bytes without control characters",
     .apply =
         [](Draft& draft, std::string_view text) {
           return text.size() <= kLongestKey && keep_text(draft.config.auth_key, text);
         },
     .is_secret = true},
    {.name = "auth-file",
     .value_name = "FILE",
     .default_text = "",
     .help = "file that holds the key, not readable by everybody; excludes -auth",
     .accepted = "a path without control characters",
     .apply = [](Draft& draft, std::string_view text) { return keep_text(draft.auth_file, text); }},
    {.name = "authmode",
     .value_name = "MODE",
     .default_text = "none",
     .help = "what needs the key: none, writes, or all but health",
     .accepted = "none, writes or all",
     .apply = [](Draft& draft,
                 std::string_view text) { return keep(draft.config.auth_mode, parse_auth_mode(text)); }},
    {.name = "ratelimit",
     .value_name = "OPS",
     .default_text = "0",
     .help = "operations a second over all workers; 0: unlimited",
     .accepted = "a number from 0 to 1000000000",
     .apply =
         [](Draft& draft, std::string_view text) {
           return keep(draft.config.rate_limit, parse_number(text, 0, 1'000'000'000));
         }},
    {.name = "cache",
     .value_name = "SIZE",
     .default_text = "512MB",
     .help = "read caches, half of it for large values",
     .accepted = "a size from 0 to 1024GB; a plain number is MB",
     .apply =
         [](Draft& draft, std::string_view text) {
           return keep_size(draft.config.cache_bytes, text, 0, kLargestCache);
         }},
    {.name = "log",
     .value_name = "SIZE",
     .default_text = "512MB",
     .help = "change log",
     .accepted = "a size from 16MB to 64GB in whole MB; a plain number is MB",
     .apply =
         [](Draft& draft, std::string_view text) {
           const auto bytes = parse_size(text);
           const bool is_whole = bytes && *bytes % kMegabyte == 0;
           return is_whole && keep_size(draft.config.log_bytes, text, kSmallestLog, kLargestLog);
         }},
    {.name = "workers",
     .value_name = "N",
     .default_text = "50",
     .help = "connections for replication, shared out over the peers",
     .accepted = "a number from 1 to 10000",
     .apply =
         [](Draft& draft, std::string_view text) {
           return keep(draft.config.replication_connections, parse_number(text, 1, 10'000));
         }},
    {.name = "procs",
     .value_name = "N",
     .default_text = "one a core",
     .help = "worker processes",
     .accepted = "a number from 1 to 64",
     .apply =
         [](Draft& draft, std::string_view text) {
           return keep(draft.config.worker_processes, parse_number(text, 1, 64));
         }},
    {.name = "io-uring",
     .value_name = "",
     .default_text = "true",
     .help = "send to many clients by one system call, where the kernel can",
     .accepted = "true or false",
     .apply = [](Draft& draft,
                 std::string_view text) { return keep(draft.config.io_uring, parse_switch(text)); },
     .kind = Kind::kSwitch},
    {.name = "sync",
     .value_name = "MODE",
     .default_text = "always",
     .help = "when the log reaches the disk: always, interval:MS or none",
     .accepted = "always, none or interval:MS with MS from 1 to 60000",
     .apply = [](Draft& draft,
                 std::string_view text) { return keep(draft.config.sync, parse_sync_mode(text)); }},
    {.name = "async",
     .value_name = "",
     .default_text = "false",
     .help = "acknowledge without waiting for a quorum",
     .accepted = "true or false",
     .apply = [](Draft& draft,
                 std::string_view text) { return keep(draft.config.async, parse_switch(text)); },
     .kind = Kind::kSwitch},
    {.name = "write-timeout",
     .value_name = "DURATION",
     .default_text = "5s",
     .help = "how long a write waits for its quorum, or for room",
     .accepted = "a duration from 1ms to 1h, as 5s, 500ms or 1m30s",
     .apply = [](Draft& draft,
                 std::string_view text) { return keep_duration(draft.config.write_timeout, text, 1ms, 1h); }},
    {.name = "repair-interval",
     .value_name = "DURATION",
     .default_text = "1h",
     .help = "how often all data is compared with each peer",
     .accepted = "a duration from 1s to 8760h, as 1h or 30m",
     .apply =
         [](Draft& draft, std::string_view text) {
           return keep_duration(draft.config.repair_interval, text, 1s, kYear);
         }},
    {.name = "repair-rate",
     .value_name = "SIZE",
     .default_text = "0",
     .help = "a repair moves no more a second; 0: 32MB where it is routine",
     .accepted = "0, or a size from 64KB to 64GB; a plain number is MB",
     .apply =
         [](Draft& draft, std::string_view text) {
           const std::uint64_t least = text == "0" ? 0 : kSmallestRate;
           return keep_size(draft.config.repair_bytes_a_second, text, least, 64 * kGigabyte);
         }},
    {.name = "tombstone-ttl",
     .value_name = "DURATION",
     .default_text = "168h",
     .help = "how long others remember deletes for a node that is away",
     .accepted = "a duration from 1s to 8760h, as 168h",
     .apply =
         [](Draft& draft, std::string_view text) {
           return keep_duration(draft.config.tombstone_ttl, text, 1s, kYear);
         }},
    {.name = "max-drift",
     .value_name = "DURATION",
     .default_text = "60s",
     .help = "a clock this far from those of the peers is not stamped by",
     .accepted = "a duration from 1ms to 8760h, as 60s",
     .apply = [](Draft& draft,
                 std::string_view text) { return keep_duration(draft.config.max_drift, text, 1ms, kYear); }},
    {.name = "max-value",
     .value_name = "SIZE",
     .default_text = "100MB",
     .help = "largest value, where a quarter of -log is not less",
     .accepted = "a size from 1B to 4095MB; a plain number is MB",
     .apply =
         [](Draft& draft, std::string_view text) {
           return keep_size(draft.config.max_value_bytes, text, 1, kLargestValue);
         }},
    {.name = "log-level",
     .value_name = "LEVEL",
     .default_text = "info",
     .help = "the least that is logged: error, warning, info or debug",
     .accepted = "error, warning, info or debug",
     .apply = [](Draft& draft,
                 std::string_view text) { return keep(draft.config.log_level, parse_log_level(text)); }},
    {.name = "log-format",
     .value_name = "FORMAT",
     .default_text = "text",
     .help = "how lines of the log look: text or json",
     .accepted = "text or json",
     .apply = [](Draft& draft,
                 std::string_view text) { return keep(draft.config.log_format, parse_log_format(text)); }},
    {.name = "slowlog",
     .value_name = "DURATION",
     .default_text = "0",
     .help = "log operations that take this long; 0: none",
     .accepted = "0, or a duration from 1ms to 1h, as 10ms",
     .apply =
         [](Draft& draft, std::string_view text) {
           const bool is_whole = text == "0" || parse_duration(text) != 0ms;
           return is_whole && keep_duration(draft.config.slow_operation, text, 0ms, 1h);
         }},
    {.name = "accept-loss",
     .value_name = "",
     .default_text = "false",
     .help = "start although acknowledged writes are damaged; never in the file",
     .accepted = "true or false",
     .apply = [](Draft& draft,
                 std::string_view text) { return keep(draft.config.accept_loss, parse_switch(text)); },
     .kind = Kind::kSwitch,
     .reach = Reach::kNotInFile},
    {.name = "config",
     .value_name = "FILE",
     .default_text = "/etc/minivault/minivault.conf",
     .help = "settings as name = value lines",
     .accepted = "a path without control characters",
     .apply = [](Draft&, std::string_view text) { return is_plain_text(text); },
     .reach = Reach::kNotInFile},
};

constexpr ActionFlag kActionFlags[] = {
    {"help", Action::kHelp, "print this"},
    {"h", Action::kHelp, "the same"},
    {"version", Action::kVersion, "print the version"},
    {"check-config", Action::kCheckConfig, "check the configuration, print it with its origins, and exit"},
};

template <typename Row>
const Row* find_row(std::span<const Row> rows, std::string_view name) {
  const auto row =
      std::find_if(rows.begin(), rows.end(), [name](const Row& each) { return each.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

void add_line(std::string& text, std::string flag, std::string_view help) {
  constexpr std::size_t kHelpColumn = 30;
  flag.resize(std::max(flag.size() + 1, kHelpColumn), ' ');
  text.append("  -").append(flag).append(help);
}

}  // namespace

std::span<const Setting> all_settings() {
  return kSettings;
}

std::span<const ActionFlag> all_action_flags() {
  return kActionFlags;
}

const Setting* find_setting(std::string_view name) {
  return find_row(all_settings(), name);
}

const ActionFlag* find_action_flag(std::string_view name) {
  return find_row(all_action_flags(), name);
}

std::string environment_name(const Setting& setting) {
  if (!setting.environment.empty()) return std::string(setting.environment);
  std::string name = "MINIVAULT_";
  for (const char letter : setting.name) {
    name +=
        letter == '-' ? '_' : static_cast<char>(letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter);
  }
  return name;
}

std::string help_text() {
  std::string text = "minivault " MINIVAULT_VERSION
                     ": a geo-replicated key-value store\n\n"
                     "  minivault [-name value]...                        run a node\n"
                     "  minivault get|set|del|health ADDRESS...           talk to one\n"
                     "  minivault status|config ADDRESS...                look at running nodes\n"
                     "  minivault reload|drain [DATA]                     tell the one of this machine\n"
                     "  minivault check|dump|load|backup|restore -help    look after its data\n"
                     "  minivault cluster|repair|new-id -help             look after a cluster\n"
                     "  minivault top ADDRESS [-help]                     watch one\n"
                     "  minivault bench ADDRESS... [-help]                measure one\n\n"
                     "Settings, as -name value, -name=value or with two dashes:\n";
  for (const Setting& setting : all_settings()) {
    std::string flag(setting.name);
    if (setting.kind == Kind::kValue) flag.append(" ").append(setting.value_name);
    add_line(text, std::move(flag), setting.help);
    // A switch is off unless it is given, but for those that say otherwise.
    const bool off = setting.kind == Kind::kSwitch && setting.default_text == "false";
    if (!off && !setting.default_text.empty())
      text.append(" (default ").append(setting.default_text).append(")");
    text += '\n';
  }
  text += "Instead of running:\n";
  for (const ActionFlag& flag : all_action_flags()) {
    add_line(text, std::string(flag.name), flag.help);
    text += '\n';
  }
  text +=
      "\nA setting comes from its flag, else from the environment (MINIVAULT_WRITE_TIMEOUT for "
      "-write-timeout;\n"
      "CLUSTER_NODES keeps its own name), else from the configuration file (write-timeout = 5s), else its "
      "default.\n"
      "Sizes: a plain number is MB; B, KB, MB, GB in steps of 1024.\n";
  return text;
}

}  // namespace minivault::settings
