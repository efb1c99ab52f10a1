#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/archive/format.h"

namespace minivault::archive {

/// Fills a part of the room, at least a byte of it; 0: the end.
using Source = std::function<Result<std::size_t>(std::span<char>)>;

/// Reads one archive from a source, block by block, each verified before a record of it is told. One thread.
/// Memory grows with what arrives, never with what a length claims.
class Reader {
 public:
  /// Reads the header. Errors: kCorrupt (not an archive, damaged, of a newer version), the source's.
  [[nodiscard]] static Result<Reader> open(Source source);

  Reader(Reader&&) = default;
  Reader& operator=(Reader&&) = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() = default;

  [[nodiscard]] const Header& header() const { return header_; }

  /// The next record, its views good until the next call. nullopt: that was all, the end was there, and
  /// everything was as it was written. Errors: kCorrupt (damaged or cut off: where, and what), the source's.
  /// Nothing after an error.
  [[nodiscard]] Result<std::optional<Record>> next();

  /// Of the records told so far.
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  explicit Reader(Source source) : source_(std::move(source)) {}

  [[nodiscard]] Result<bool> read_block();
  [[nodiscard]] Status read_content(const BlockHead& head);
  [[nodiscard]] Status check_end(std::string_view trailer);
  [[nodiscard]] Status read(std::string& to, std::uint64_t bytes);
  [[nodiscard]] tl::unexpected<Error> damaged(const std::string& what) const;

  Source source_;
  Header header_;
  Chain chain_ = 0;
  std::string block_;
  std::string_view left_;  ///< of block_
  std::uint32_t block_records_ = 0;
  Counts counts_;
};

}  // namespace minivault::archive
