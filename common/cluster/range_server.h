#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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

  explicit RangeServer(Source source, std::size_t page_bytes = kPageBytes)
      : source_(std::move(source)), page_bytes_(page_bytes) {}

  /// The answer to a request of `kind`, a Reply byte in front. Bad requests are answered, not failed. Errors:
  /// the source's.
  [[nodiscard]] Result<std::string> answer(std::string_view kind, std::string_view request) const;

 private:
  [[nodiscard]] Result<std::string> split(std::string_view request) const;
  [[nodiscard]] Result<std::string> sums(std::string_view request) const;
  [[nodiscard]] Result<std::string> bucket_sums(std::string_view request) const;
  [[nodiscard]] Result<std::string> items(std::string_view request) const;
  [[nodiscard]] Result<std::string> page_of_items(const PageRequest& request, bool whole_crowds) const;
  [[nodiscard]] Result<std::string> crowd(std::string_view request) const;
  [[nodiscard]] Result<std::string> lookup(std::string_view request) const;
  [[nodiscard]] Result<std::string> records(std::string_view request) const;
  [[nodiscard]] Result<std::string> fetch(std::string_view request) const;
  /// The records of a span, or of what is left of it, that count, until `visit` says no.
  [[nodiscard]] Status scan(const PageRequest& request, const Visit& visit) const;
  /// A record that a page has no room for begins the next one, so that a large one travels alone: whoever
  /// takes it has room for a single record of the largest size and no more.
  [[nodiscard]] bool is_full(const BatchWriter& page, const Record& record) const;

  Source source_;
  std::size_t page_bytes_;
};

}  // namespace minivault::cluster
