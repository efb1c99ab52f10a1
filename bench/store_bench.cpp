#include "bench/store_bench.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

namespace minivault::bench {
namespace {

constexpr double kLoopSeconds = 0.15;

std::vector<Line> run_apart(const Contender& contender, const Options& options) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) std::abort();
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    Bench bench(options);
    int status = 0;
    try {
      contender.run(bench);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      status = 1;
    }
    send(ends[1], bench.lines());
    ::_exit(status);
  }
  ::close(ends[1]);
  std::vector<Line> lines = receive(ends[0]);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0) std::printf("  %s failed (wait status %d)\n", contender.engine.c_str(), status);
  return lines;
}

/// Contender by contender becomes row by row.
std::vector<Line> by_row(std::vector<Line> lines) {
  std::vector<Line> out;
  for (const Line& first : lines) {
    bool seen = false;
    for (const Line& line : out) seen = seen || line.row == first.row;
    if (seen) continue;
    for (const Line& line : lines) {
      if (line.row == first.row) out.push_back(line);
    }
  }
  return out;
}

void run_group(const Group& group, const Options& options) {
  std::printf("\n== %s\n   to reach: %s\n", group.title.c_str(), group.target.c_str());
  std::fflush(stdout);
  std::vector<Line> lines;
  for (const Contender& contender : group.contenders) {
    if (contender.engine.find(options.engines) == std::string::npos) continue;
    for (Line& line : run_apart(contender, options)) lines.push_back(std::move(line));
  }
  print_table(by_row(std::move(lines)));
}

Options parse(std::span<char*> arguments) {
  Options options;
  options.full = std::getenv("FULL") != nullptr;
  for (const std::string_view argument : arguments) {
    if (argument == "--full") {
      options.full = true;
    } else if (argument.starts_with("--repetitions=")) {
      options.repetitions = std::atoi(argument.data() + argument.find('=') + 1);
    } else if (argument.starts_with("--cache=")) {
      options.cache_mb = std::strtoull(argument.data() + argument.find('=') + 1, nullptr, 10);
    } else if (argument.starts_with("--only=")) {
      options.only = argument.substr(argument.find('=') + 1);
    } else if (argument.starts_with("--engines=")) {
      options.engines = argument.substr(argument.find('=') + 1);
    } else {
      std::fprintf(
          stderr,
          "usage: store_bench [--full] [--repetitions=N] [--cache=MB] [--only=PART-OF-A-GROUP'S-TITLE] "
          "[--engines=PART-OF-A-NAME]\n");
      std::exit(2);
    }
  }
  if (options.full && options.repetitions == 3) options.repetitions = 7;
  return options;
}

}  // namespace

void Bench::loop(const std::string& row, const std::string& engine,
                 std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark((row + '/' + engine).c_str(), std::move(body))
      ->MinTime(kLoopSeconds)
      ->Repetitions(options_.repetitions)
      ->ReportAggregatesOnly();
}

void Bench::once(const std::string& row, const std::string& engine,
                 std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark((row + '/' + engine).c_str(), std::move(body))
      ->Iterations(1)
      ->UseManualTime()
      ->Repetitions(options_.repetitions)
      ->ReportAggregatesOnly();
}

void Bench::single(const std::string& row, const std::string& engine,
                   std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark((row + '/' + engine).c_str(), std::move(body))->Iterations(1)->UseManualTime();
}

void Bench::run() {
  benchmark::RunSpecifiedBenchmarks(&collector_);
  benchmark::ClearRegisteredBenchmarks();
}

std::string short_number(std::uint64_t number) {
  if (number >= 1'000'000) return std::to_string(number / 1'000'000) + " M";
  return number >= 1'000 ? std::to_string(number / 1'000) + " k" : std::to_string(number);
}

}  // namespace minivault::bench

int main(int argc, char** argv) {
  using namespace minivault::bench;
  constexpr int kToCount = 4;
  if (argc == kToCount && std::string_view(argv[1]) == "--count") {
    return count(argv[2], std::strtoull(argv[3], nullptr, 10));
  }
  int own = 1;
  benchmark::Initialize(&own, argv);
  const Options options = parse({argv + 1, static_cast<std::size_t>(argc - 1)});
  std::printf(
      "Medians of %d runs. x: the others' time in units of the first line's (above 1: the first is faster), "
      "by\n"
      "the wall clock, by the CPU of the asking thread, and by the CPU of all threads and processes at "
      "work.\n",
      options.repetitions);
  for (const auto& groups : {get_groups(options), set_groups(options), large_groups(options),
                             process_groups(options), sustained_groups(options), start_groups(options)}) {
    for (const Group& group : groups) {
      if (group.title.find(options.only) != std::string::npos) run_group(group, options);
    }
  }
  return 0;
}
