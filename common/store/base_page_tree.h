#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/error.h"
#include "common/store/base_pages.h"

/// One B+tree of LMDB's file, read page by page with pread(2). Nothing that a page says is trusted: a damaged
/// one is told by its number, and never makes anybody read where nothing is.
namespace minivault::store::base {

/// The file as far as it is there and its newest meta page knows of it. Does not own the descriptor.
struct PageFile {
  int fd = -1;
  std::uint32_t page_size = 0;
  std::uint64_t pages = 0;

  [[nodiscard]] static PageFile of(int fd, const MetaPage& meta, std::uint64_t file_bytes);
  /// Any bytes from the beginning of a page on. Errors: kCorrupt (not in the file), kIo.
  [[nodiscard]] Status read(std::uint64_t page, std::size_t offset, char* to, std::size_t size) const;
};

/// What a leaf holds under one key; the views are good during the visit.
struct LeafEntry {
  std::uint64_t page;
  std::string_view key;
  bool is_table;           ///< the value is a PageTree
  std::string_view value;  ///< empty where it is on pages of its own
  std::uint64_t value_bytes;
  std::uint64_t overflow_page;  ///< kNoPage: the value is here
};
/// Wherever it is. Errors: kIo.
[[nodiscard]] Result<std::string> value_of(const PageFile& file, const LeafEntry& entry);

struct TreeVisitor {
  /// Before pages are looked at. An error: they are not, and it is a problem of theirs.
  std::function<Status(std::uint64_t first, std::uint64_t count)> claim;
  std::function<Status(const LeafEntry&)> entry;
  /// False: enough, the walk ends.
  std::function<bool(const std::string& what)> problem;
};

enum class Keys { kBytes, kIntegers };

/// Visits a whole tree in the order of its keys and holds each page to what LMDB writes: its own number, its
/// kind, entries side by side without a gap, in order, between the keys that lead to it, of a branch two at
/// least; and the tree's own counts. A page that is not so is told, and not looked into. Ends whatever the
/// pages say if `claim` refuses what it had.
class TreeWalk {
 public:
  TreeWalk(const PageFile& file, std::string name, const PageTree& tree, Keys keys,
           const TreeVisitor& visitor);
  void run();

 private:
  using Bound = std::optional<std::string_view>;
  /// Keys of a page are at or above `low` and below `high`.
  struct Range {
    Bound low;
    Bound high;
  };
  struct Page;

  void visit(std::uint64_t number, std::uint64_t parent, unsigned depth, const Range& range);
  void visit_children(const Page& page, unsigned depth, const Range& range);
  void visit_entries(const Page& page);
  [[nodiscard]] Status claim_overflow(const LeafEntry& entry);
  [[nodiscard]] Status check_children(const Page& page) const;
  [[nodiscard]] Status check_order(const Page& page, const Range& range) const;
  [[nodiscard]] bool is_before(std::string_view a, std::string_view b) const;
  void compare_counts();
  void tell(std::uint64_t page, std::uint64_t parent, const std::string& what);
  void problem(const std::string& what);

  const PageFile& file_;
  std::string name_;
  const PageTree& tree_;
  Keys keys_;
  const TreeVisitor& visitor_;
  PageTree found_{};
  bool is_whole_ = true;
  bool goes_on_ = true;
};

}  // namespace minivault::store::base
