#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace minivault::bench {

/// One line of the table: what one engine did in one row.
struct Line {
  std::string row;
  std::string engine;
  double wall_ns = 0;  ///< an operation, each; medians of the repetitions
  double cpu_ns = 0;
  double all_cpu_ns = 0;
  std::string remark;
};

/// Collects the medians that Google Benchmark reports; a benchmark's name is ROW/ENGINE.
class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override;
  [[nodiscard]] const std::vector<Line>& lines() const { return lines_; }

 private:
  std::vector<Line> lines_;
};

/// How lines get from the process that measured to the one that prints.
void send(int fd, const std::vector<Line>& lines);
std::vector<Line> receive(int fd);

/// Lines of one row under each other. The first engine of a row is compared with the others: how many times
/// their time is ours, by the wall clock and by the CPU time of everyone at work.
void print_table(const std::vector<Line>& lines);

}  // namespace minivault::bench
