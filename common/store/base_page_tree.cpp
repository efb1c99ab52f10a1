#include "common/store/base_page_tree.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/store/base_page_layout.h"

namespace minivault::store::base {
namespace {

constexpr std::size_t kLongestKey = 511;
constexpr unsigned kDeepestTree = 32;

tl::unexpected<Error> damaged(std::string what) {
  return fail(Code::kCorrupt, std::move(what));
}

std::size_t even(std::size_t bytes) {
  return bytes + bytes % 2;
}

Status check_header(const PageHeader& header, std::uint64_t number, std::uint16_t kind) {
  if (header.number != number) return damaged("it says that it is page " + std::to_string(header.number));
  if (header.flags == kind) return {};
  return damaged(kind == kLeafPage     ? "it is no leaf"
                 : kind == kBranchPage ? "it is no branch"
                                       : "it is no overflow page");
}

}  // namespace

/// A page whose entries are where it says, so that they can be read.
struct TreeWalk::Page {
  std::uint64_t number;
  bool is_leaf;
  std::vector<char> bytes;
  std::vector<std::uint16_t> entries;  ///< where they are

  [[nodiscard]] PageNode node(std::size_t i) const { return load<PageNode>(bytes.data() + entries[i]); }
  [[nodiscard]] std::string_view key(std::size_t i) const {
    return {bytes.data() + entries[i] + sizeof(PageNode), node(i).key_bytes};
  }

  /// LMDB keeps entries side by side up to the end of the page, so that any bound or size that is wrong
  /// shows.
  [[nodiscard]] Status find_entries() {
    const auto header = load<PageHeader>(bytes.data());
    if (Status checked = check_header(header, number, is_leaf ? kLeafPage : kBranchPage); !checked)
      return checked;
    if (header.lower <= kPageHeader || header.lower % 2 != 0 || header.lower > header.upper ||
        header.upper > bytes.size()) {
      return damaged("its bounds are " + std::to_string(header.lower) + " and " +
                     std::to_string(header.upper));
    }
    entries.resize((header.lower - kPageHeader) / 2);
    std::memcpy(entries.data(), bytes.data() + kPageHeader, entries.size() * 2);
    std::vector<std::uint16_t> places = entries;
    std::sort(places.begin(), places.end());
    std::size_t next = header.upper;
    for (const std::uint16_t place : places) {
      if (place != next || place + sizeof(PageNode) > bytes.size())
        return damaged("its entries are not side by side");
      const PageNode found = load<PageNode>(bytes.data() + place);
      next += even(found.bytes(is_leaf));
      if (next > bytes.size() || found.key_bytes > kLongestKey)
        return damaged("an entry is larger than it can be");
    }
    return next == bytes.size() ? Status() : damaged("its entries are not side by side");
  }
};

PageFile PageFile::of(int fd, const MetaPage& meta, std::uint64_t file_bytes) {
  return {fd, meta.free.pad, std::min(file_bytes / meta.free.pad, meta.last_page + 1)};
}

Status PageFile::read(std::uint64_t page, std::size_t offset, char* to, std::size_t size) const {
  if (page >= pages || offset + size > (pages - page) * page_size) return damaged("it is not in the file");
  if (read_exactly(fd, to, size, page * page_size + offset)) return {};
  return errno == 0 ? damaged("it is not in the file") : fail_errno("reading it", errno);
}

Result<std::string> value_of(const PageFile& file, const LeafEntry& entry) {
  if (entry.overflow_page == kNoPage) return std::string(entry.value);
  std::string value(entry.value_bytes, '\0');
  if (Status read = file.read(entry.overflow_page, kPageHeader, value.data(), value.size()); !read) {
    return tl::unexpected(read.error());
  }
  return value;
}

TreeWalk::TreeWalk(const PageFile& file, std::string name, const PageTree& tree, Keys keys,
                   const TreeVisitor& visitor)
    : file_(file), name_(std::move(name)), tree_(tree), keys_(keys), visitor_(visitor) {}

void TreeWalk::run() {
  if (tree_.root != kNoPage && (tree_.depth == 0 || tree_.depth > kDeepestTree)) {
    return tell(tree_.root, kNoPage, "the tree is said to be " + std::to_string(tree_.depth) + " pages deep");
  }
  if (tree_.root != kNoPage) visit(tree_.root, kNoPage, 1, {});
  if (is_whole_) compare_counts();
}

void TreeWalk::visit(std::uint64_t number, std::uint64_t parent, unsigned depth, const Range& range) {
  if (!goes_on_) return;
  Page page{number, depth == tree_.depth, std::vector<char>(file_.page_size), {}};
  Status good = visitor_.claim(number, 1);
  if (good) good = file_.read(number, 0, page.bytes.data(), page.bytes.size());
  if (good) good = page.find_entries();
  if (good) good = check_children(page);
  if (good) good = check_order(page, range);
  if (!good) return tell(number, parent, good.error().message);
  ++(page.is_leaf ? found_.leaf_pages : found_.branch_pages);
  page.is_leaf ? visit_entries(page) : visit_children(page, depth, range);
}

void TreeWalk::visit_children(const Page& page, unsigned depth, const Range& range) {
  for (std::size_t i = 0; i < page.entries.size(); ++i) {
    const bool is_last = i + 1 == page.entries.size();
    const Range below{i == 0 ? range.low : page.key(i), is_last ? range.high : page.key(i + 1)};
    visit(page.node(i).child(), page.number, depth + 1, below);
  }
}

void TreeWalk::visit_entries(const Page& page) {
  found_.entries += page.entries.size();
  for (std::size_t i = 0; i < page.entries.size() && goes_on_; ++i) {
    const PageNode node = page.node(i);
    const char* const value = page.key(i).data() + node.key_bytes;
    const bool is_large = (node.flags & kValueInOverflow) != 0;
    LeafEntry entry{page.number, page.key(i),        (node.flags & kValueIsTable) != 0,
                    {},          node.value_bytes(), is_large ? load<std::uint64_t>(value) : kNoPage};
    if (!is_large) entry.value = {value, entry.value_bytes};
    if ((node.flags & ~(kValueInOverflow | kValueIsTable)) != 0) {
      tell(page.number, kNoPage, "an entry of an unknown kind");
    } else if (const Status good = is_large ? claim_overflow(entry) : Status(); !good) {
      tell(entry.overflow_page, page.number, good.error().message);
    } else if (Status seen = visitor_.entry(entry); !seen) {
      tell(page.number, kNoPage, seen.error().message);
    }
  }
}

Status TreeWalk::claim_overflow(const LeafEntry& entry) {
  PageHeader header{};
  char* const bytes = reinterpret_cast<char*>(&header);
  if (Status read = file_.read(entry.overflow_page, 0, bytes, sizeof header); !read) return read;
  if (Status checked = check_header(header, entry.overflow_page, kOverflowPage); !checked) return checked;
  // A value that was made smaller within one transaction keeps its pages.
  const std::uint64_t count = header.overflow_pages();
  const std::uint64_t least = (kPageHeader - 1 + entry.value_bytes) / file_.page_size + 1;
  if (count < least || count > file_.pages - entry.overflow_page) {
    return damaged("a value of " + std::to_string(entry.value_bytes) + " bytes on " + std::to_string(count) +
                   " pages");
  }
  found_.overflow_pages += count;
  return visitor_.claim(entry.overflow_page, count);
}

/// LMDB ends the process where a branch leads to a single page, but not in its free list, which may have such
/// ones (its ITS#8336).
Status TreeWalk::check_children(const Page& page) const {
  if (page.is_leaf || keys_ == Keys::kIntegers || page.entries.size() > 1) return {};
  return damaged("a branch that leads to a single page");
}

Status TreeWalk::check_order(const Page& page, const Range& range) const {
  // A branch's first key stands for the lowest there can be, whatever it is.
  const std::size_t first = page.is_leaf ? 0 : 1;
  for (std::size_t i = first; i < page.entries.size(); ++i) {
    const std::string_view key = page.key(i);
    if (key.empty() || (keys_ == Keys::kIntegers && key.size() != sizeof(std::uint64_t))) {
      return damaged("a key of " + std::to_string(key.size()) + " bytes");
    }
    if (i > first && !is_before(page.key(i - 1), key)) return damaged("its keys are out of order");
    if ((range.low && is_before(key, *range.low)) || (range.high && !is_before(key, *range.high))) {
      return damaged("it holds keys of another page's");
    }
  }
  return {};
}

bool TreeWalk::is_before(std::string_view a, std::string_view b) const {
  if (keys_ == Keys::kBytes) return a < b;
  return load<std::uint64_t>(a.data()) < load<std::uint64_t>(b.data());
}

void TreeWalk::compare_counts() {
  const auto compare = [&](const char* what, std::uint64_t said, std::uint64_t found) {
    if (said != found)
      problem(name_ + ": " + std::to_string(found) + " " + what + " of " + std::to_string(said));
  };
  compare("leaves", tree_.leaf_pages, found_.leaf_pages);
  compare("branches", tree_.branch_pages, found_.branch_pages);
  compare("overflow pages", tree_.overflow_pages, found_.overflow_pages);
  compare("entries", tree_.entries, found_.entries);
}

void TreeWalk::tell(std::uint64_t page, std::uint64_t parent, const std::string& what) {
  is_whole_ = false;
  const std::string from =
      parent == kNoPage || parent == page ? "" : ", to which page " + std::to_string(parent) + " leads";
  problem(name_ + ", page " + std::to_string(page) + from + ": " + what);
}

/// None after it was enough.
void TreeWalk::problem(const std::string& what) {
  goes_on_ = goes_on_ && visitor_.problem(what);
}

}  // namespace minivault::store::base
