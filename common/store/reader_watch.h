#pragma once

#include <cstdint>

#include "common/shared/layout.h"
#include "common/store/base.h"

namespace minivault::store {

/// Tells in shared::Totals who looks at old commits of the base, and for how long: while somebody does, LMDB
/// cannot use freed pages again and the file grows. Checkpointer process only.
class ReaderWatch {
 public:
  /// To be called often; looks twice a second.
  void look(shared::Totals& totals, const Base& base, std::uint64_t now_ms);

 private:
  std::uint64_t next_look_ms_ = 0;
  std::uint64_t oldest_commit_ = 0;  ///< of those that somebody looked at, 0: none
};

}  // namespace minivault::store
