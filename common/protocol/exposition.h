#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/core/error.h"

/// The text in which Prometheus reads metrics (exposition format 0.0.4), written and read. Pure, any thread.
namespace minivault::protocol {

/// A family after the other: its head, then all its samples.
class Exposition {
 public:
  using Label = std::pair<std::string_view, std::string_view>;
  using Labels = std::span<const Label>;

  enum class Type { kCounter, kGauge, kHistogram };

  void family(std::string_view name, Type type, std::string_view help);
  /// A sample of the family at hand. `suffix` is `_bucket`, `_sum` or `_count` in a histogram. Values that
  /// are not UTF-8 are nobody's: labels are names that this program gives, and addresses.
  void sample(Labels labels, std::uint64_t value) { sample({}, labels, std::to_string(value)); }
  void sample(Labels labels, double value) { sample({}, labels, number(value)); }
  void sample(std::string_view suffix, Labels labels, std::string_view value);

  /// The shortest text that is read back as the same number.
  [[nodiscard]] static std::string number(double value);

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::string name_;  ///< of the family at hand
};

struct MetricSample {
  std::string name;  ///< with its suffix
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;

  /// "" where there is no such label.
  [[nodiscard]] std::string_view label(std::string_view name) const;
};

struct MetricFamily {
  std::string name;
  std::string type;
  std::string help;
  std::vector<MetricSample> samples;
};

/// Reads strictly what the format allows and this program writes: every family begins with its HELP and TYPE
/// and is in one piece, no sample comes twice, buckets of a histogram grow up to `+Inf`, which equals
/// `_count`. Errors: kCorrupt, naming the line.
[[nodiscard]] Result<std::vector<MetricFamily>> parse_exposition(std::string_view text);

}  // namespace minivault::protocol
