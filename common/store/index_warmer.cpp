#include "common/store/index_warmer.h"

#include <algorithm>

namespace minivault::store {
namespace {

constexpr std::size_t kStepWords = (std::size_t{1} << 20) / sizeof(std::uint64_t);
constexpr std::size_t kPageWords = std::size_t{4096} / sizeof(std::uint64_t);

}  // namespace

bool IndexWarmer::step() {
  if (left_.empty()) return false;
  const auto step = left_.first(std::min(left_.size(), kStepWords));
  // A store that leaves what is there, whoever else stores at the same time: to a page that was only read,
  // the kernel would have to come a second time.
  for (std::size_t at = 0; at < step.size(); at += kPageWords)
    step[at].fetch_or(0, std::memory_order_relaxed);
  left_ = left_.subspan(step.size());
  return true;
}

}  // namespace minivault::store
