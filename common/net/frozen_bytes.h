#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "common/core/unique_fd.h"

namespace minivault::net {

/// A copy of some bytes in a sealed file in memory. A socket takes its pages by reference instead of their
/// bytes (sendfile), and the kernel keeps those that are still on their way after this object is gone. That
/// would go wrong with memory that is written again; here nobody can, this process neither.
class FrozenBytes {
 public:
  /// nullptr: no memory, or no descriptor, or a kernel without such files.
  [[nodiscard]] static std::shared_ptr<const FrozenBytes> copy_of(std::string_view bytes);

  [[nodiscard]] int fd() const { return file_.get(); }
  [[nodiscard]] std::uint64_t size() const { return size_; }

  FrozenBytes(UniqueFd file, std::uint64_t size) : file_(std::move(file)), size_(size) {}

 private:
  UniqueFd file_;
  std::uint64_t size_;
};

}  // namespace minivault::net
