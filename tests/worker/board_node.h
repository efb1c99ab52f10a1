#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/cluster/message.h"
#include "common/config/config.h"
#include "common/core/unique_fd.h"
#include "common/shared/region.h"
#include "common/store/store.h"
#include "tests/support/loopback_listener.h"
#include "tests/support/raw_connection.h"
#include "tests/support/temporary_directory.h"

namespace minivault::test {

/// A node of one worker and one checkpointer in processes of their own, whose board is the test's: it says
/// what a replicator would say. Make it a local variable of the test. Every process it started is gone after
/// its destructor.
class BoardNode {
 public:
  explicit BoardNode(Config config = {});
  BoardNode(const BoardNode&) = delete;
  BoardNode& operator=(const BoardNode&) = delete;
  ~BoardNode();

  [[nodiscard]] std::uint16_t port() const { return listener_.port; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(listener_.port); }
  [[nodiscard]] shared::State& state() const { return region_->state(); }
  [[nodiscard]] shared::ClusterBoard& board() const { return state().cluster; }
  [[nodiscard]] std::string base_file() const { return directory_.file("base.mdb"); }
  [[nodiscard]] std::uint64_t id() const { return state().limits.node_id.load(); }
  [[nodiscard]] shared::Lsn tail() const { return state().marks.tail.load(); }

  /// What a replicator does after it changed the board.
  void ring_worker() const { region_->ring(kWorkerSlot); }
  void set_quorum(shared::Lsn lsn) const;
  void set_needed(std::uint32_t peers) const;
  /// Makes `other` the peer at `place`.
  void set_peer(unsigned place, const BoardNode& other) const;
  void set_peer(unsigned place, std::uint64_t id, const std::string& address) const;

  /// What `work` says of the node's store, in a process of its own. Throws where that fails.
  [[nodiscard]] std::string in_store(const std::function<std::string(store::Store&)>& work) const;
  /// That the node is a member, and since when; of FakePeer::kId it is, since ever.
  void know(std::uint64_t id, std::uint64_t since_hlc = 1) const;
  /// Stamped there, or as `version` says.
  void write_note(std::string_view name, std::string_view value, const store::Version& version = {}) const;
  [[nodiscard]] std::string note(std::string_view name) const;

  void await_durable() const;  ///< all that is in the log

  /// The most bytes that were ever resident of the worker.
  [[nodiscard]] std::uint64_t worker_peak_memory() const;
  void stop_worker() const;  ///< SIGSTOP
  void continue_worker() const;
  /// SIGSTOP and SIGCONT for the syncing process: meanwhile nothing becomes durable.
  void hold_disk() const;
  void release_disk() const;

 private:
  static constexpr unsigned kCheckpointerSlot = 0;
  static constexpr unsigned kWorkerSlot = 1;
  static constexpr unsigned kStoreSlot = 2;
  [[nodiscard]] pid_t fork_child(unsigned slot, shared::Role role);
  void await_ready(unsigned slot);

  TemporaryDirectory directory_;
  Config config_;
  mutable std::optional<shared::Region> region_;  ///< what is in it is every process's
  LoopbackListener listener_;
  pid_t checkpointer_ = 0;
  pid_t worker_ = 0;
};

/// Another node's side of a conversation with a worker: frames by hand around the project's messages.
class FakePeer {
 public:
  static constexpr std::uint64_t kId = 0xABCD'0000'0000'0001;
  static constexpr std::uint64_t kEpoch = 77;

  explicit FakePeer(std::uint16_t port, std::uint64_t id = kId, std::uint64_t epoch = kEpoch)
      : connection_(port), id_(id), epoch_(epoch) {}

  [[nodiscard]] RawConnection& raw() { return connection_; }
  [[nodiscard]] std::uint64_t id() const { return id_; }

  /// One SYNC frame and the message that answers it. Throws where the status is FF.
  std::string ask(std::string_view kind, std::string_view message, bool compressed = false);
  void send(std::string_view kind, std::string_view message);
  [[nodiscard]] std::string receive();

  [[nodiscard]] cluster::Hello hello_message(bool dial_back = false) const;
  cluster::HelloReply hello(bool dial_back = false);
  /// An empty batch: the stream begins at `from`.
  cluster::BatchReply begin(std::uint64_t from, bool jump = false, std::uint64_t hlc = 0);

  struct Entry {
    std::string key;
    std::optional<std::string> value;  ///< none: a delete
    std::uint64_t hlc;
  };
  [[nodiscard]] std::string batch_message(std::uint64_t from, std::uint64_t to,
                                          const std::vector<Entry>& entries) const;
  cluster::BatchReply batch(std::uint64_t from, std::uint64_t to, const std::vector<Entry>& entries);

 private:
  RawConnection connection_;
  std::uint64_t id_;
  std::uint64_t epoch_;
};

/// One that has said hello, and whose stream has begun.
class StreamingPeer : public FakePeer {
 public:
  explicit StreamingPeer(const BoardNode& node, std::uint64_t from = 0, bool jump = false,
                         std::uint64_t hlc = 0)
      : FakePeer(node.port()) {
    (void)hello();
    (void)begin(from, jump, hlc);
  }
};

/// An HLC value of now, and `step` more.
[[nodiscard]] std::uint64_t hlc_now(std::uint64_t step = 0);

/// The kind of refusal in an answer; kOk where it is none.
[[nodiscard]] cluster::Reply refusal_in(std::string_view answer);

}  // namespace minivault::test
