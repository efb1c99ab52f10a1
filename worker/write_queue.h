#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/config/config.h"
#include "common/core/error.h"
#include "common/store/batch.h"
#include "common/store/store.h"
#include "worker/client.h"
#include "worker/meter.h"

namespace minivault::worker {

/// What a client is told about its write.
struct WriteOutcome {
  store::WriteResult::Outcome outcome;
  shared::Lsn answer_after;  ///< as in store::WriteResult
  shared::Lsn end;           ///< what a quorum must have; kDone only
  shared::Lsn own_end;       ///< where the last of them ends itself; kDone only
  std::uint64_t since_ms;    ///< when the turn that wrote it began
  const Error* error;        ///< kFailed only
  std::size_t count;         ///< of writes in a row that became the same; over HTTP 1
  store::Operation operation = store::Operation::kSet;  ///< of all of them
};

/// The writes of all clients on their way into the store: one batch is being committed, another is filling.
///
/// Usually both are the batch of this turn. When the log has no room the first stays, with the clients it
/// belongs to, until there is room or the write time-out is over; meanwhile others go on reading, and new
/// writes gather in the second up to its limit.
class WriteQueue {
 public:
  /// A batch that has this much is committed before it gets more; one write may be larger.
  static constexpr std::uint64_t kBatchBytes = 1 << 20;
  /// From this size on a batch pays for its append and its sync by itself.
  static constexpr std::size_t kFewWrites = 64;

  using Settled = std::function<void(Client&, const WriteOutcome&)>;

  WriteQueue(store::Store& store, Meter& meter, const Config& config, Settled settled)
      : store_(&store),
        meter_(&meter),
        timeout_ms_(static_cast<std::uint64_t>(config.write_timeout.count())),
        at_once_(config.async),
        settled_(std::move(settled)) {}

  /// Whether one more write may be added.
  [[nodiscard]] bool has_room() const { return filling_.batch.log_bytes() < kBatchBytes; }
  /// Queues the write; counts it in client.pending_writes until its outcome is told. `kept`: the bytes that
  /// write.value looks at, if nobody else keeps them. REQUIRES: has_room().
  void add(Client& client, const store::Write& write, std::string&& kept = {});

  /// Commits what was queued and tells the outcomes. REQUIRES: in a turn of the store.
  void commit(std::uint64_t now_ms);

  [[nodiscard]] bool empty() const { return committing_.batch.empty() && filling_.batch.empty(); }
  /// There are writes, none of which a commit has tried, and so few that more would make them cheaper.
  [[nodiscard]] bool few() const {
    return !filling_.batch.empty() && filling_.batch.size() < kFewWrites && committing_.batch.empty();
  }
  /// How many writes no commit has tried.
  [[nodiscard]] std::size_t waiting() const { return filling_.batch.size(); }
  /// When the oldest write came that no commit has tried (monotonic_ms()). REQUIRES: few().
  [[nodiscard]] std::uint64_t waits_since_ms() const { return filling_.done.begun_ns / 1'000'000; }
  /// Waits for room in the log: commit() again when the bell rings or after a millisecond.
  [[nodiscard]] bool blocked() const { return blocked_; }

 private:
  struct Part {
    store::Batch batch;
    std::vector<Client*> clients;  ///< one a write
    std::vector<std::string> kept;
    std::size_t told = 0;
    std::uint64_t since_ms = 0;  ///< what its writes' patience is counted from; 0: not yet known
    Meter::Commit done;          ///< of it, as far as it is told
    void clear();
  };

  void tell(const Error* error, std::uint64_t now_ms);
  void note_done(Part& part, std::size_t first, std::size_t end);
  void give_up(std::uint64_t now_ms);

  store::Store* store_;
  Meter* meter_;
  std::uint64_t timeout_ms_;
  bool at_once_;  ///< answers wait for no peer, and the log says so of each write
  Settled settled_;
  Part committing_;
  Part filling_;
  bool blocked_ = false;
};

}  // namespace minivault::worker
