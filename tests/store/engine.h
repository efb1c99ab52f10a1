#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/shared/region.h"
#include "common/store/store.h"
#include "tests/store/shared_object.h"
#include "tests/support/temporary_directory.h"

namespace minivault::test {

/// A storage engine without a node around it: shared memory, a checkpointer in a process of its own, and as
/// many other processes with a Store as a test wants. Every process it started is gone after its destructor.
class Engine {
 public:
  static constexpr unsigned kCheckpointerSlot = 0;

  explicit Engine(std::uint64_t log_bytes = 16ULL << 20, SyncMode sync = {});
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  Config config;                  ///< changes count from the next start on
  std::uint64_t index_words = 0;  ///< 0: as many as the log's size asks for
  bool clock_known = true;        ///< a start is told the time, as by a replicator; false: it knows none

  /// New shared memory, new checkpointer; waits until it has recovered. Throws when it refuses; see
  /// exit_status().
  void start();
  /// Without waiting for recovery to succeed: returns false when the checkpointer refused to start.
  [[nodiscard]] bool try_start();
  /// As a replicator does, and waits until writes may be stamped by it. start() has done it.
  void tell_the_time();
  /// An orderly stop. Every Store must be gone.
  void stop();
  /// SIGKILL for every process: what a crash of the whole node leaves on disk.
  void kill();
  /// SIGKILL for the checkpointer alone; then another one as the supervisor would start it.
  void kill_checkpointer();
  void restart_checkpointer();
  void fork_checkpointer();  ///< without waiting
  /// Waits for the checkpointer to die by itself (at a stop point); its slot is cleared as the supervisor
  /// would.
  void reap_checkpointer();
  /// SIGTERM alone; stop() waits for the end.
  void terminate_checkpointer() const;
  void suspend_checkpointer() const;
  void resume_checkpointer() const;

  [[nodiscard]] shared::Region& region() { return *region_; }
  [[nodiscard]] shared::State& state() { return region_->state(); }
  [[nodiscard]] const std::string& directory() const { return directory_.path(); }
  /// The exit status of the last checkpointer that ended by itself.
  [[nodiscard]] int exit_status() const { return exit_status_; }

  /// What the checkpointers did between two waits.
  struct Rounds {
    std::atomic<std::uint64_t> begun{0};
    std::atomic<std::uint64_t> rung{0};  ///< waits that the bell ended
    std::atomic<int> pause_ms{0};        ///< how long the last one that ended may wait
  };
  [[nodiscard]] const Rounds& rounds() const { return *rounds_; }

  /// A Store of this process in a slot of its own.
  [[nodiscard]] store::Store open_store(unsigned slot = 1);
  /// Forks a process that opens a Store in `slot` and ends with what `work` returns.
  pid_t spawn(unsigned slot, const std::function<int(store::Store&)>& work);
  /// Waits for a spawned process, clears its slot as the supervisor would, and returns its wait status.
  int reap(pid_t pid);
  void kill(pid_t pid);

  void wait_durable(store::Lsn lsn);
  void wait_checkpoint(store::Lsn lsn);
  /// Everything written so far is in the base. At once: asks for it as a writer without room does.
  void checkpoint_now();
  /// … and only there: the index forgets all that it knows, as laps of the ring would make it.
  void move_to_base();

 private:
  struct Child {
    pid_t pid;
    unsigned slot;
  };
  void end_children();

  TemporaryDirectory directory_;
  SharedObject<Rounds> rounds_;
  std::optional<shared::Region> region_;
  std::vector<Child> children_;
  pid_t checkpointer_ = 0;
  int exit_status_ = 0;
};

/// Runs `work` in a turn and ends it, whatever happens.
template <typename Work>
auto in_turn(store::Store& store, Work&& work) {
  struct Turn {
    store::Store& store;
    explicit Turn(store::Store& s) : store(s) { store.begin_turn(); }
    ~Turn() { store.end_turn(); }
  } turn(store);
  return work();
}

/// Whether the slot's bell rings, or has rung since it was silenced.
[[nodiscard]] bool rings(Engine& engine, unsigned slot, int patience_ms = 20'000);
[[nodiscard]] store::Write write_of(std::string_view key, std::string_view value,
                                    store::Condition condition = store::Condition::kNone);
/// Commits one write, waiting for room as a worker does; the result it got.
store::WriteResult commit_one(store::Store& store, const store::Write& write);
void put(store::Store& store, std::string_view key, std::string_view value);
void remove(store::Store& store, std::string_view key);
/// A copy of the value, or nullopt.
std::optional<std::string> value_of(store::Store& store, std::string_view key);
/// Commits all of `batch`, waiting for room. Throws on any error but kNoSpace.
void commit_all(store::Store& store, store::Batch& batch);

}  // namespace minivault::test
