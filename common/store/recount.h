#pragma once

#include <cstdint>
#include <optional>

#include "common/shared/region.h"
#include "common/store/base.h"

namespace minivault::store {

/// Takes what the base holds for all there is, where it was noted that it lost some
/// (State::recount_after). All records are read for that, in steps, so that checkpoints go on meanwhile.
/// Where it has got to is in memory alone: a successor begins anew. Checkpointer process only.
class Recount {
 public:
  static constexpr std::uint64_t kStepNs = 20'000'000;

  /// `step_ns`: how long a step goes on; 0: for as little as can be.
  Recount(shared::State& state, Base& base, std::uint64_t step_ns = kStepNs)
      : state_(state), base_(base), step_ns_(step_ns) {}

  /// Not before the base itself says that this node has forgotten something: else its count is all that
  /// tells.
  [[nodiscard]] bool is_due() const;
  /// Counts the next records. A full disk is no reason to wait: what it looks at is not written over, which
  /// may be what takes the room. False: there are none left, or it cannot go on now. REQUIRES: is_due().
  [[nodiscard]] bool go_on();
  [[nodiscard]] bool is_counted() const { return is_counted_; }
  /// REQUIRES: is_counted(). Errors: kNoSpace (once more later), kIo.
  [[nodiscard]] Status finish();

 private:
  [[nodiscard]] bool begin();
  void give_up(const Error& error);

  shared::State& state_;
  Base& base_;
  std::uint64_t step_ns_;
  std::optional<Base::Recount> count_;
  bool is_counted_ = false;
};

}  // namespace minivault::store
