#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/cluster/range.h"
#include "common/core/error.h"

namespace minivault::cluster {

/// Answers the requests of a comparison about one node's records, wherever they are.
class RangeServer {
 public:
  using Visit = std::function<bool(const Record&)>;

  /// What it reads from. Records are told in the node's own order from `from` on, until `visit` says no;
  /// views are good during the call.
  struct Source {
    std::function<Status(std::string_view from, const Visit& visit)> scan;
    std::function<Status(std::string_view key, const Visit& visit)> get;  ///< visits at most once
  };

  explicit RangeServer(Source source) : source_(std::move(source)) {}

  /// The answer to a request of `kind`, a Reply byte in front. Bad requests are answered, not failed. Errors:
  /// the source's.
  [[nodiscard]] Result<std::string> answer(std::string_view kind, std::string_view request) const;

 private:
  [[nodiscard]] Result<std::string> split(std::string_view request) const;
  [[nodiscard]] Result<std::string> sums(std::string_view request) const;
  [[nodiscard]] Result<std::string> items(std::string_view request) const;
  [[nodiscard]] Result<std::string> records(std::string_view request) const;
  [[nodiscard]] Result<std::string> fetch(std::string_view request) const;
  /// The records of a span that count, until `visit` says no.
  [[nodiscard]] Status scan(const Span& span, const Visit& visit) const;

  Source source_;
};

}  // namespace minivault::cluster
