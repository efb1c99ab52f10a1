#include "common/admin/line_reader.h"

#include <algorithm>
#include <array>

namespace minivault::admin {

Result<bool> LineReader::next(std::string& line) {
  line.clear();
  std::array<char, 64U << 10> piece;  // not cleared: lines are many and short
  while (true) {
    // One byte more than is allowed tells that there is more.
    const std::uint64_t room = std::min<std::uint64_t>(piece.size(), longest_ - line.size() + 2);
    in_.getline(piece.data(), static_cast<std::streamsize>(room));
    const auto got = static_cast<std::size_t>(in_.gcount());
    if (in_.bad()) return fail(Code::kIo, "cannot be read");
    // It stops with `fail` alone where the piece is full; else at the newline, which counts, or at the end.
    const bool has_more = in_.fail() && !in_.eof();
    const bool has_newline = !in_.fail() && !in_.eof();
    line.append(piece.data(), got - (has_newline ? 1U : 0U));
    if (line.size() > longest_)
      return fail(Code::kTooLarge, "longer than " + std::to_string(longest_) + " bytes");
    if (!has_more) return has_newline || !line.empty();
    in_.clear();
  }
}

}  // namespace minivault::admin
