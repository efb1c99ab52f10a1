#include "common/load/options.h"

#include <algorithm>
#include <array>

#include "common/client/command_arguments.h"
#include "common/config/values.h"

namespace minivault::load {
namespace {

constexpr std::array<std::pair<std::string_view, Protocol>, 4> kProtocols = {
    {{"binary", Protocol::kBinary},
     {"http", Protocol::kHttp},
     {"resp", Protocol::kResp},
     {"memcache", Protocol::kMemcache}}};

constexpr std::string_view kHelp =
    R"(usage: minivault bench ADDRESS... [flags]     measure a server: host:port, one or several

  -protocol P       binary (default), http, resp (Redis, Valkey) or memcache
  -connections N    50; dealt to the addresses in turn
  -idle N           0; as many more that stay open and ask nothing
  -threads N        1; of this program
  -pipeline N       1; requests sent at once on a connection
  -wait N           0; with -protocol resp, a WAIT for so many replicas behind each pipeline; its answer is
                    no answer of its own, but too few replicas are an error
  -get PERCENT      100; the others are SETs
  -value-size SIZE  100; bytes, or with K or M
  -keys N           100000
  -distribution D   uniform (default) or zipf (0.99)
  -duration T       10s; or
  -requests N       instead of a time
  -rate N           requests a second, at fixed moments (open loop; latency counts from these);
                    default: as fast as answers come (closed loop)
  -preload          store every key first, and wait until a node has checkpointed that and the
                    processes of -server-pid are at rest, 30 s at most; other servers are not waited for
  -verify           compare each value that was read with what -preload stores
  -seed N           1; the same seed draws the same keys
  -auth KEY         not with memcache
  -server-pid PID   read the CPU time of this process and its children; repeatable; auto asks the
                    first address, on this machine, for its processes
  -settle T         0; wait before reading it, for what the server does afterwards
  -errors-ok        exit with 0 in spite of errors
  -json             one JSON object instead of text
)";

tl::unexpected<Error> wrong(std::string message) {
  return fail(Code::kInvalidArgument, std::move(message));
}

/// What is wrong with a value, after its flag; empty: nothing.
using Complaint = std::string;

struct Number {
  std::uint64_t Options::*member;
  std::uint64_t least;
  std::uint64_t most;
};

struct Flag {
  std::string_view name;
  bool Options::*on = nullptr;                             ///< a switch
  Number number{};                                         ///< or a number
  Complaint (*set)(Options&, std::string_view) = nullptr;  ///< or anything else
};

std::string range_text(const Number& number) {
  return "want a number from " + std::to_string(number.least) + " to " + std::to_string(number.most);
}

Complaint set_number(Options& options, const Number& number, std::string_view text) {
  const auto value = settings::parse_number(text, number.least, number.most);
  if (!value) return range_text(number);
  options.*number.member = *value;
  return {};
}

Complaint set_protocol(Options& options, std::string_view text) {
  for (const auto& [name, protocol] : kProtocols) {
    if (text != name) continue;
    options.protocol = protocol;
    return {};
  }
  return "want binary, http, resp or memcache";
}

Complaint set_distribution(Options& options, std::string_view text) {
  if (text != "uniform" && text != "zipf") return "want uniform or zipf";
  options.distribution = text == "zipf" ? Distribution::kZipf : Distribution::kUniform;
  return {};
}

Complaint set_value_size(Options& options, std::string_view text) {
  unsigned shift = 0;
  if (text.ends_with('K')) shift = 10;
  if (text.ends_with('M')) shift = 20;
  constexpr std::uint64_t kMost = 100U << 20U;
  const auto value =
      settings::parse_number(text.substr(0, text.size() - (shift > 0 ? 1 : 0)), 1, kMost >> shift);
  if (!value) return "want 1 to 100M bytes";
  options.value_bytes = *value << shift;
  return {};
}

Complaint set_time(std::chrono::milliseconds& time, std::string_view text) {
  const auto parsed = client::parse_duration(text);
  if (!parsed) return parsed.error().message;
  time = *parsed;
  return {};
}

Complaint set_server_pid(Options& options, std::string_view text) {
  if (text == "auto") {
    options.find_server_pids = true;
    return {};
  }
  const auto pid = settings::parse_number(text, 1, 1U << 30U);
  if (!pid) return "want a process id, or auto";
  options.server_pids.push_back(static_cast<pid_t>(*pid));
  return {};
}

constexpr std::uint64_t kAny = std::uint64_t{1} << 40U;

const std::array kFlags = {
    Flag{"help", &Options::help},
    Flag{"preload", &Options::preload},
    Flag{"verify", &Options::verify},
    Flag{"errors-ok", &Options::errors_ok},
    Flag{"json", &Options::json},
    Flag{"connections", nullptr, {&Options::connections, 1, 60'000}},
    Flag{"idle", nullptr, {&Options::idle, 0, 1'000'000}},
    Flag{"threads", nullptr, {&Options::threads, 1, 256}},
    Flag{"pipeline", nullptr, {&Options::pipeline, 1, 10'000}},
    Flag{"wait", nullptr, {&Options::wait, 0, 100}},
    Flag{"keys", nullptr, {&Options::keys, 1, 1'000'000'000}},
    Flag{"get", nullptr, {&Options::get_percent, 0, 100}},
    Flag{"seed", nullptr, {&Options::seed, 0, kAny}},
    Flag{"requests", nullptr, {&Options::requests, 1, kAny}},
    Flag{"rate", nullptr, {&Options::rate, 1, 100'000'000}},
    Flag{"value-size", nullptr, {}, set_value_size},
    Flag{"protocol", nullptr, {}, set_protocol},
    Flag{"distribution", nullptr, {}, set_distribution},
    Flag{"server-pid", nullptr, {}, set_server_pid},
    Flag{"duration",
         nullptr,
         {},
         [](Options& to, std::string_view text) { return set_time(to.duration, text); }},
    Flag{"settle", nullptr, {}, [](Options& to, std::string_view text) { return set_time(to.settle, text); }},
    Flag{"auth",
         nullptr,
         {},
         [](Options& to, std::string_view text) {
           to.auth_key = text;
           return Complaint();
         }},
};

std::string dashed(std::string_view name) {
  return std::string(1, '-').append(name);
}

Status add_server(Options& options, std::string_view text) {
  auto address = client::parse_address(text);
  if (!address) return tl::unexpected(address.error());
  options.servers.push_back(std::move(*address));
  return {};
}

/// Sets the flag at the front of `words` and takes it off, its value too.
Status take_flag(Options& options, std::span<const std::string_view>& words) {
  const std::string_view word = words.front();
  const std::string_view bare = word.substr(word.starts_with("--") ? 2 : 1);
  const std::size_t equals = bare.find('=');
  const std::string_view name = bare.substr(0, equals);
  const auto flag =
      std::find_if(kFlags.begin(), kFlags.end(), [&](const Flag& one) { return one.name == name; });
  if (flag == kFlags.end()) return wrong("unknown flag " + std::string(word));
  words = words.subspan(1);
  if (flag->on != nullptr) {
    if (equals != std::string_view::npos) return wrong(dashed(name) + " takes no value");
    options.*flag->on = true;
    return {};
  }
  if (equals == std::string_view::npos && words.empty()) return wrong(dashed(name) + " needs a value");
  const std::string_view text = equals == std::string_view::npos ? words.front() : bare.substr(equals + 1);
  if (equals == std::string_view::npos) words = words.subspan(1);
  const Complaint complaint =
      flag->set != nullptr ? flag->set(options, text) : set_number(options, flag->number, text);
  if (complaint.empty()) return {};
  return wrong(dashed(name) + " " + std::string(text) + ": " + complaint);
}

Status check(const Options& options) {
  if (options.servers.empty()) return wrong("want the address of a server, host:port");
  if (options.threads > options.connections) return wrong("-threads: more than -connections");
  if (options.find_server_pids && !options.server_pids.empty()) return wrong("-server-pid: auto, or numbers");
  const bool names_itself = options.protocol == Protocol::kBinary || options.protocol == Protocol::kHttp;
  if (options.find_server_pids && !names_itself)
    return wrong("-server-pid auto: only with -protocol binary or http");
  if (options.wait > 0 && options.protocol != Protocol::kResp)
    return wrong("-wait: only with -protocol resp");
  if (options.wait > 0 && options.requests + options.rate > 0)
    return wrong("-wait: not with -requests or -rate");
  return {};
}

}  // namespace

Result<Options> parse_options(std::span<const std::string_view> words) {
  Options options;
  while (!words.empty()) {
    const bool is_flag = words.front().size() > 1 && words.front().starts_with('-');
    const Status taken = is_flag ? take_flag(options, words) : add_server(options, words.front());
    if (!taken) return tl::unexpected(taken.error());
    if (!is_flag) words = words.subspan(1);
  }
  if (options.help) return options;
  if (const Status good = check(options); !good) return tl::unexpected(good.error());
  return options;
}

std::string_view help_text() {
  return kHelp;
}

std::string_view protocol_name(Protocol protocol) {
  for (const auto& [name, candidate] : kProtocols) {
    if (candidate == protocol) return name;
  }
  return "";
}

}  // namespace minivault::load
