#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "common/core/error.h"
#include "common/core/mapping.h"
#include "common/core/unique_fd.h"
#include "common/shared/layout.h"

namespace minivault::shared {

/// The node's shared memory and the bells (eventfds) that wake its processes.
/// Created once by the supervisor; children inherit it by fork. A crash of the whole node forgets it.
class Region {
 public:
  /// `index_words` is rounded up to a power of two. Errors: kIo (no memory, no descriptors).
  [[nodiscard]] static Result<Region> create(std::uint64_t index_words);

  [[nodiscard]] State& state() const { return *state_; }
  [[nodiscard]] ChildSlot& slot(unsigned index) const { return state_->slots[index]; }
  /// What the owner of `slot`, and those before it, counted. Untouched memory until somebody counts.
  [[nodiscard]] ProcessMetrics& metrics(unsigned slot) const { return metrics_[slot]; }
  /// 64-byte aligned; the size is a power of two.
  [[nodiscard]] std::span<std::atomic<std::uint64_t>> index_words() const { return index_words_; }

  /// Readable when somebody woke the owner of `slot`. Every process may wake every slot; async-signal-safe.
  [[nodiscard]] int bell(unsigned slot) const { return bells_[slot].get(); }
  void ring(unsigned slot) const;
  void ring_all() const;  ///< every slot in use
  void ring_role(Role role) const;
  /// Asks the checkpointer to bring everything below `lsn` into the base as soon as it can.
  void ask_for_checkpoint(Lsn lsn) const;
  /// Empties the bell so that it can ring again.
  void silence(unsigned slot) const;

  /// The supervisor's own bell, for children that became ready.
  [[nodiscard]] int supervisor_bell() const { return supervisor_bell_.get(); }
  void ring_supervisor() const;

  /// Clears what a dead child held in its slot: pin, wishes, ticket, gauges. Supervisor only, after the reap.
  void clear_slot(unsigned slot) const;

 private:
  Region() = default;

  Mapping memory_;
  State* state_ = nullptr;
  std::span<std::atomic<std::uint64_t>> index_words_;
  std::span<ProcessMetrics> metrics_;
  std::vector<UniqueFd> bells_;
  UniqueFd supervisor_bell_;
};

/// Raises `mark` to `value` if that is larger. The only way a watermark moves.
inline void raise(std::atomic<Lsn>& mark, Lsn value) {
  Lsn seen = mark.load(std::memory_order_relaxed);
  while (seen < value && !mark.compare_exchange_weak(seen, value, std::memory_order_acq_rel)) {
  }
}

}  // namespace minivault::shared
