#pragma once

#include <algorithm>
#include <memory>
#include <string_view>

namespace minivault::test {

/// The same bytes in memory of exactly their size: reading one byte too many is an error that
/// AddressSanitizer sees.
class ExactCopy {
 public:
  explicit ExactCopy(std::string_view bytes)
      : bytes_(std::make_unique<char[]>(bytes.size())), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), bytes_.get());
  }

  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_;
};

}  // namespace minivault::test
