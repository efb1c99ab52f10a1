#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "bench/store_table.h"

namespace minivault::bench {

struct Options {
  bool full = false;  ///< the sizes and times of the targets; else what fits into a few minutes
  int repetitions = 3;
  std::uint64_t cache_mb = 512;  ///< of the rows behind a read cache
  std::string only;              ///< groups whose title has this in it
  std::string engines;           ///< those whose name has this in it
};

/// Google Benchmark for one engine in a process of its own.
class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {}

  [[nodiscard]] bool full() const { return options_.full; }
  [[nodiscard]] std::uint64_t cache_mb() const { return options_.cache_mb; }

  /// `body` loops over the state; Google Benchmark decides how often.
  void loop(const std::string& row, const std::string& engine, std::function<void(benchmark::State&)> body);
  /// `body` does a fixed amount of work once a repetition, and sets the iteration time itself.
  void once(const std::string& row, const std::string& engine, std::function<void(benchmark::State&)> body);
  /// The same without repetitions, for what takes long and has a remark to make (SetLabel).
  void single(const std::string& row, const std::string& engine, std::function<void(benchmark::State&)> body);
  /// Runs what was added so far; what it refers to may go afterwards.
  void run();

  [[nodiscard]] const std::vector<Line>& lines() const { return collector_.lines(); }

 private:
  Options options_;
  Collector collector_;
};

struct Contender {
  std::string engine;
  std::function<void(Bench&)> run;
};

/// Rows over the same data. Each contender runs in a process of its own, one after the other.
struct Group {
  std::string title;
  std::string target;
  std::vector<Contender> contenders;
};

std::vector<Group> get_groups(const Options& options);
std::vector<Group> set_groups(const Options& options);
std::vector<Group> large_groups(const Options& options);
std::vector<Group> process_groups(const Options& options);
std::vector<Group> sustained_groups(const Options& options);
std::vector<Group> start_groups(const Options& options);

/// Does one kind of operation `rounds` times 10,000 times in this process and prints its pid, for a tool that
/// counts instructions (store_instructions). Returns an exit status.
int count(const std::string& what, std::size_t rounds);

/// "1 k", "10 M".
std::string short_number(std::uint64_t number);

}  // namespace minivault::bench
