#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/archive/format.h"

namespace minivault::archive {

/// Takes all of the bytes, or says why not.
using Sink = std::function<Status(std::string_view)>;

/// Writes one archive to a sink: records in, compressed and checksummed blocks out. One thread.
/// Holds one block in memory, twice while it is compressed.
class Writer {
 public:
  explicit Writer(Sink sink) : sink_(std::move(sink)) {}

  /// First, once.
  [[nodiscard]] Status begin(const Header& header);
  /// REQUIRES: 1 to 65,535 bytes of key, less than 4 GiB of value. Errors: the sink's; kUnavailable (no
  /// memory).
  [[nodiscard]] Status add(const Record& record);
  /// Last, once: without it the archive is a cut-off one.
  [[nodiscard]] Status finish();

  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  [[nodiscard]] Status close_block();

  Sink sink_;
  Chain chain_ = 0;
  std::string block_;
  std::uint32_t block_records_ = 0;
  Counts counts_;
};

}  // namespace minivault::archive
