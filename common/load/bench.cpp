#include "common/load/bench.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <thread>

#include "common/client/connection.h"
#include "common/core/clock.h"
#include "common/load/fleet.h"
#include "common/load/report.h"
#include "common/load/rest.h"
#include "common/load/server_pids.h"

namespace minivault::load {
namespace {

constexpr int kDone = 0;
constexpr int kNotDone = 1;
constexpr int kWrongUsage = 2;
constexpr std::chrono::seconds kLongestRest{30};

volatile std::sig_atomic_t interrupted = 0;

void note_interrupt(int /*signal*/) {
  interrupted = 1;
}

int complain(const std::string& why, int status) {
  std::cerr << "minivault: " << why << '\n';
  return status;
}

/// Connections are descriptors: take as many as we may.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

/// One line on a terminal that tells how it goes; nothing elsewhere.
class Progress {
 public:
  explicit Progress(std::string what) : what_(std::move(what)), on_(::isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (on_) std::fputs("\r\x1b[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// False once the user has had enough.
  bool show(std::uint64_t answered) {
    const std::uint64_t now_ms = monotonic_ms();
    if (on_ && now_ms - shown_ms_ >= 1000) {
      const std::uint64_t rate = (answered - shown_) * 1000 / (now_ms - shown_ms_);
      std::fprintf(stderr, "\r\x1b[K%s: %s done, %s/s", what_.c_str(), grouped(answered).c_str(),
                   grouped(rate).c_str());
      shown_ms_ = now_ms;
      shown_ = answered;
    }
    return interrupted == 0;
  }

 private:
  std::string what_;
  bool on_;
  std::uint64_t shown_ms_ = monotonic_ms();
  std::uint64_t shown_ = 0;
};

Result<std::vector<pid_t>> server_pids(const Options& options) {
  if (!options.find_server_pids) return options.server_pids;
  client::Options how;
  how.auth_key = options.auth_key;
  auto connection = client::Connection::open(options.servers.front(), how);
  if (!connection) return tl::unexpected(connection.error());
  const auto health = connection->health();
  if (!health) return tl::unexpected(health.error());
  const auto supervisor = supervisor_in(*health, read_process);
  if (!supervisor) return tl::unexpected(supervisor.error());
  return std::vector<pid_t>{*supervisor};
}

Status fill(Fleet& fleet, const Options& options, const Values& values, std::span<const pid_t> pids) {
  Progress progress("storing " + grouped(options.keys) + " keys");
  const Tally tally = fleet.fill(options, values, [&](std::uint64_t done) { return progress.show(done); });
  if (interrupted != 0) return fail(Code::kUnavailable, "-preload: interrupted");
  if (tally.errors() > 0 && !options.errors_ok) {
    const std::string why = tally.first_break.empty() ? "" : ": " + tally.first_break;
    return fail(Code::kUnavailable, "-preload: " + grouped(tally.errors()) + " requests failed" + why);
  }
  if (!await_rest(options, pids, kLongestRest, [] { return interrupted == 0; })) {
    if (interrupted != 0) return fail(Code::kUnavailable, "-preload: interrupted");
    std::cerr << "minivault: -preload: the server still works on it after " << kLongestRest.count()
              << " s; that is measured too\n";
  }
  return {};
}

Result<Report> measure(Fleet& fleet, const Options& options, const Values& values,
                       std::span<const pid_t> pids) {
  Report report;
  report.options = options;
  fleet.prepare(options, values);

  Progress progress("measuring");
  const auto before = read_processes(pids);
  if (!before) return tl::unexpected(before.error());
  const CpuTime own_before = own_cpu_time();
  const std::uint64_t start_ns = monotonic_ns();
  report.tally = fleet.play(options, values, [&](std::uint64_t done) { return progress.show(done); });
  const CpuTime own_after = own_cpu_time();
  if (!pids.empty()) std::this_thread::sleep_for(options.settle);
  const auto after = read_processes(pids);
  if (!after) return tl::unexpected(after.error());

  report.seconds = static_cast<double>(report.tally.finished_ns - start_ns) / 1e9;
  report.own = {own_after.user_s - own_before.user_s, own_after.system_s - own_before.system_s};
  report.server = used_between(*before, *after);
  return report;
}

Result<Report> bench(const Options& options) {
  const Values values(options.value_bytes);
  auto fleet = Fleet::open(options);
  if (!fleet) return tl::unexpected(fleet.error());
  const auto pids = server_pids(options);
  if (!pids) return tl::unexpected(pids.error());
  if (options.preload) {
    if (const Status filled = fill(*fleet, options, values, *pids); !filled)
      return tl::unexpected(filled.error());
  }
  return measure(*fleet, options, values, *pids);
}

}  // namespace

int run_bench(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 2, argv + argc);
  const auto options = parse_options(words);
  if (!options) return complain("bench: " + options.error().message + " (-help explains)", kWrongUsage);
  if (options->help) {
    std::cout << help_text();
    return kDone;
  }
  raise_descriptor_limit();
  std::signal(SIGINT, note_interrupt);
  const auto report = bench(*options);
  if (!report) return complain(report.error().message, kNotDone);
  std::cout << (options->json ? json_of(*report) : text_of(*report)) << std::flush;
  if (report->tally.answered == 0) return complain("bench: not one answer", kNotDone);
  return report->tally.errors() == 0 || options->errors_ok ? kDone : kNotDone;
}

}  // namespace minivault::load
