#pragma once

#include <string>
#include <vector>

#include "common/load/cpu_time.h"
#include "common/load/options.h"
#include "common/load/runner.h"

namespace minivault::load {

/// What a run found.
struct Report {
  Options options;
  Tally tally;
  double seconds = 0;  ///< from the first request to Tally::finished_ns
  CpuTime own;
  std::vector<ProcessCpu> server;  ///< empty where no -server-pid was given

  [[nodiscard]] double rate() const;  ///< answers a second
  /// Microseconds of processor time an answer.
  [[nodiscard]] double per_request_us(double cpu_s) const;
  [[nodiscard]] CpuTime server_time() const;  ///< of all its processes
};

/// A few lines for a person.
[[nodiscard]] std::string text_of(const Report& report);
/// One JSON object and a line end.
[[nodiscard]] std::string json_of(const Report& report);

/// 1234567 as "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t number);

}  // namespace minivault::load
