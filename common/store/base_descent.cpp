#include "common/store/base_descent.h"

#include <algorithm>
#include <cstring>

namespace minivault::store::base {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kUsualLines = 3;  ///< of an entry; the processor itself follows a longer one
constexpr std::size_t kOffset = sizeof(std::uint16_t);
constexpr const char* kOutside = "an entry is not within it";

}  // namespace

Descent::Descent(const PageMap& map, std::uint64_t root, unsigned depth, std::string_view key)
    : map_(map), key_(key), levels_(depth) {
  go_to(root);
}

void Descent::go_to(std::uint64_t page) {
  number_ = page;
  if (page >= map_.pages) return damaged("it is not in the file");
  page_ = map_.first + page * map_.page_size;
  __builtin_prefetch(page_);
  __builtin_prefetch(page_ + kLine);
  state_ = State::kArrived;
}

void Descent::open() {
  const auto header = load<PageHeader>(page_);
  if (header.number != number_) return damaged("it says that it is another page");
  if (header.flags != (levels_ == 1 ? kLeafPage : kBranchPage)) return damaged("it is of another kind");
  if (header.lower <= kPageHeader || header.lower > map_.page_size) return damaged("its bounds are wrong");
  high_ = static_cast<unsigned>((header.lower - kPageHeader) / kOffset);
  low_ = levels_ == 1 ? 0 : 1;  // a branch's first key stands for the lowest there can be
  equal_ = false;
  state_ = State::kNarrowing;
}

inline const char* Descent::entry(unsigned i) const {
  const std::size_t at = load<std::uint16_t>(page_ + kPageHeader + kOffset * i);
  if (at + sizeof(PageNode) > map_.page_size) return nullptr;
  const char* const found = page_ + at;
  return at + sizeof(PageNode) + load<PageNode>(found).key_bytes <= map_.page_size ? found : nullptr;
}

/// Below 0: `key` is before the one that is looked for. As LMDB orders them: bytes, a prefix first.
inline int Descent::compare(const char* key, std::size_t bytes) const {
  const std::size_t both = std::min(bytes, key_.size());
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= both; at += sizeof(std::uint64_t)) {
    const auto theirs = load<std::uint64_t>(key + at);
    const auto ours = load<std::uint64_t>(key_.data() + at);
    if (theirs != ours) return __builtin_bswap64(theirs) < __builtin_bswap64(ours) ? -1 : 1;
  }
  const int order = at == both ? 0 : std::memcmp(key + at, key_.data() + at, both - at);
  if (order != 0 || bytes == key_.size()) return order;
  return bytes < key_.size() ? -1 : 1;
}

/// One comparison, with an entry that is fetched.
inline void Descent::narrow() {
  const unsigned middle = (low_ + high_) / 2;
  const char* const found = entry(middle);
  if (found == nullptr) return damaged(kOutside);
  const int order = compare(found + sizeof(PageNode), load<PageNode>(found).key_bytes);
  if (order > 0) {
    high_ = middle;
    return;
  }
  low_ = middle + 1;
  if (order < 0) return;
  high_ = low_;
  equal_ = true;
}

void Descent::conclude() {
  if (levels_ == 1 && !equal_) {
    state_ = State::kAbsent;
    return;
  }
  const char* const place = entry(low_ - 1);
  if (place == nullptr) return damaged(kOutside);
  const auto found = load<PageNode>(place);
  if (levels_ > 1) {
    --levels_;
    return go_to(found.child());
  }
  if (static_cast<std::size_t>(place - page_) + found.bytes(true) > map_.page_size) return damaged(kOutside);
  const char* const value = place + sizeof(PageNode) + found.key_bytes;
  if ((found.flags & kValueInOverflow) != 0) return take_overflow(value, found.value_bytes());
  value_ = {value, found.value_bytes()};
  for (std::size_t line = 1; line < kUsualLines; ++line) __builtin_prefetch(place + line * kLine);
  state_ = State::kFound;
}

void Descent::take_overflow(const char* place, std::uint64_t bytes) {
  number_ = load<std::uint64_t>(place);
  if (number_ >= map_.pages || kPageHeader + bytes > (map_.pages - number_) * map_.page_size)
    return damaged("it is not in the file");
  page_ = map_.first + number_ * map_.page_size;
  const auto header = load<PageHeader>(page_);
  if (header.number != number_) return damaged("it says that it is another page");
  if (header.flags != kOverflowPage) return damaged("it is of another kind");
  value_ = {page_ + kPageHeader, bytes};
  state_ = State::kFound;
}

void Descent::fetch_middle() const {
  __builtin_prefetch(page_ + load<std::uint16_t>(page_ + kPageHeader + kOffset * ((low_ + high_) / 2)));
}

void Descent::damaged(const char* what) {
  damage_ = what;
  state_ = State::kDamaged;
}

bool Descent::step() {
  state_ == State::kArrived ? open() : narrow();
  if (state_ == State::kNarrowing) low_ < high_ ? fetch_middle() : conclude();
  return !is_over();
}

void Descent::finish() {
  while (!is_over()) {
    if (state_ == State::kArrived) open();
    while (state_ == State::kNarrowing && low_ < high_) narrow();
    if (state_ == State::kNarrowing) conclude();
  }
}

}  // namespace minivault::store::base
