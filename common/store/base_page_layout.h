#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

/// The pages of LMDB's B+trees as bytes, for whoever reads the base without LMDB. Layout by LMDB 0.9's mdb.c;
/// unchanged since 2012.
namespace minivault::store::base {

inline constexpr std::uint16_t kBranchPage = 0x01;
inline constexpr std::uint16_t kLeafPage = 0x02;
inline constexpr std::uint16_t kOverflowPage = 0x04;
inline constexpr std::uint16_t kValueInOverflow = 0x01;
inline constexpr std::uint16_t kValueIsTable = 0x02;

struct PageHeader {
  std::uint64_t number;
  std::uint16_t unused;
  std::uint16_t flags;
  std::uint16_t lower;  ///< where the offsets of the entries end, which follow this header
  std::uint16_t upper;  ///< where the entries begin

  /// Of an overflow page: how many pages it is the first of.
  [[nodiscard]] std::uint64_t overflow_pages() const { return lower | std::uint64_t{upper} << 16U; }
};
inline constexpr std::size_t kPageHeader = 16;
static_assert(sizeof(PageHeader) == kPageHeader);

/// An entry of a branch or a leaf; its key follows, and behind that, in a leaf, its value or its page.
struct PageNode {
  std::uint16_t low;
  std::uint16_t high;
  std::uint16_t flags;
  std::uint16_t key_bytes;

  [[nodiscard]] std::uint64_t value_bytes() const { return low | std::uint64_t{high} << 16U; }
  [[nodiscard]] std::uint64_t child() const { return value_bytes() | std::uint64_t{flags} << 32U; }
  /// Without the hole that makes it even.
  [[nodiscard]] std::size_t bytes(bool is_leaf) const {
    const std::size_t head = sizeof(PageNode) + key_bytes;
    if (!is_leaf) return head;
    return head + ((flags & kValueInOverflow) != 0 ? sizeof(std::uint64_t) : value_bytes());
  }
};

template <typename T>
[[nodiscard]] T load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace minivault::store::base
