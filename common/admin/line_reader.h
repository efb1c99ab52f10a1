#pragma once

#include <cstdint>
#include <istream>
#include <string>

#include "common/core/error.h"

namespace minivault::admin {

/// Lines of a stream, none longer than a bound: what has no end is not read into memory as a whole. One
/// thread.
class LineReader {
 public:
  LineReader(std::istream& in, std::uint64_t longest) : in_(in), longest_(longest) {}

  /// The next line without its newline into `line`; false at the end. A last line may lack its newline.
  /// Errors: kTooLarge (nothing further can be read), kIo.
  [[nodiscard]] Result<bool> next(std::string& line);

 private:
  std::istream& in_;
  std::uint64_t longest_;
};

}  // namespace minivault::admin
