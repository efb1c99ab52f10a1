#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "common/config/config.h"
#include "common/shared/layout.h"
#include "common/store/operation.h"

namespace minivault::worker {

[[nodiscard]] constexpr shared::Op op_of(store::Operation operation) {
  return operation == store::Operation::kDelete ? shared::Op::kDelete : shared::Op::kSet;
}

/// What this process counts and how long things take, in its set of shared::ProcessMetrics; and the slow ones
/// for the log.
///
/// Clocks are read for a turn, a batch of reads and a commit, not for a request: all requests of a batch or
/// a commit have its times. A request's time begins with the turn that read it.
class Meter {
 public:
  Meter(shared::ProcessMetrics& metrics, const Config& config);

  void count(shared::Proto proto, shared::Op op, shared::Told told, std::uint64_t times = 1) {
    shared::add(metrics_->request(proto, op, told), times);
  }

  void begin_turn(std::uint64_t now_ns) { turn_ns_ = now_ns; }
  [[nodiscard]] std::uint64_t turn_ns() const { return turn_ns_; }
  /// The answers of what was looked up in this turn have left, as far as the clients take them.
  void end_turn();

  /// Requests that were answered from one lookup.
  struct Lookup {
    shared::Proto proto;
    shared::Op op;
    std::uint64_t asked_ns;  ///< when the store was asked,
    std::uint64_t found_ns;  ///< and when it had answered
    std::uint64_t times = 1;
    std::string_view key = {};  ///< of the first, and what was found of it
    std::size_t value_bytes = 0;
  };
  void looked_up(const Lookup& lookup);

  /// The writes of one commit that were done. Of the largest it tells more.
  struct Commit {
    std::uint64_t sets = 0;
    std::uint64_t deletes = 0;
    std::uint64_t begun_ns = 0;
    std::uint64_t asked_ns = 0;
    std::uint64_t stored_ns = 0;
    shared::Lsn durable_at = 0;  ///< where the log must be durable for their answers; 0: need not be
    shared::Lsn quorum_at = 0;   ///< the same for other nodes
    shared::Proto proto = shared::Proto::kBinary;
    shared::Op op = shared::Op::kSet;
    std::string key;  ///< of the largest, if the log may name it
    std::size_t key_bytes = 0;
    std::size_t value_bytes = 0;
  };
  void committed(Commit commit);
  /// Whether Commit shall tell of the largest write.
  [[nodiscard]] bool wants_largest() const { return slow_ns_ != 0; }

  [[nodiscard]] bool waits() const { return !waits_.empty(); }
  /// How far log and other nodes are now; `quorum` is kNoLsn where nobody waits for other nodes.
  /// `durable_since_ns`: when the log became that, where it is known: who waits for other nodes is not woken
  /// by it.
  void settle(shared::Lsn durable, shared::Lsn quorum, std::uint64_t now_ns,
              std::uint64_t durable_since_ns = ~std::uint64_t{0});

 private:
  struct Wait {
    Commit commit;
    std::uint64_t durable_ns = 0;  ///< how long it took; 0: was not waited for, or not in time
    std::uint64_t quorum_ns = 0;
  };
  void record(const Commit& commit, shared::Stage stage, std::uint64_t ns);
  void settle_front(std::uint64_t now_ns);
  void tell_slow(const Wait& wait, std::uint64_t whole_ns);
  [[nodiscard]] bool out_of_time(const Commit& commit, std::uint64_t now_ns) const {
    return now_ns >= commit.begun_ns + patience_ns_;
  }

  shared::ProcessMetrics* metrics_;
  std::uint64_t slow_ns_;      ///< 0: nothing is
  std::uint64_t patience_ns_;  ///< for a quorum
  std::uint64_t turn_ns_ = 0;
  std::uint64_t lookups_[shared::kTimedOps] = {};  ///< in this turn
  std::deque<Wait> waits_;                         ///< in the order of the log
  std::size_t durable_ = 0;                        ///< the first so many wait for the disk no more,
  std::size_t with_quorum_ = 0;                    ///< and these not for other nodes
};

}  // namespace minivault::worker
