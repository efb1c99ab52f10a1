#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/cluster/message.h"
#include "common/protocol/binary.h"
#include "common/store/batch.h"
#include "worker/client.h"
#include "worker/services.h"

namespace minivault::worker {

/// What another node has said on a connection.
struct SyncState {
  cluster::NodeId id = 0;  ///< 0: no hello yet
  std::uint64_t epoch = 0;
  bool introduced = false;       ///< its hello was more than a question: it may send its stream
  bool is_member = false;        ///< as this node's note of members has it
  std::uint64_t joined_hlc = 0;  ///< the note of members is of then: the caller came in before, or with it
  std::uint64_t members_digest = 0;  ///< of the set by which it was last looked up among those forgotten
  /// Where the next batch begins; none: the stream has not begun, or was refused in the middle.
  std::optional<shared::Lsn> next;

  // Of the message under way alone: records on their way into the log. They look into `plain`, or into the
  // client's input.
  bool writing = false;
  bool is_push = false;
  net::Reservation memory;
  std::string plain;
  std::vector<cluster::Record> records;
  cluster::BatchHead head;
  store::Batch batch;
  std::uint64_t since_ms = 0;
};

/// The answering side of what nodes say to each other (common/cluster/message.h, README.md) over a Client.
/// All state is the client's, but for who claims whose id, and memory for the next message.
///
/// A batch, or a push, goes into the log as it comes, past the queue of writes: it is a group of its own. Its
/// answer leaves once the log is durable up to what was appended for it, and to whatever newer record made it
/// skip one: that lies before the position, which is appended last.
class SyncSession {
 public:
  explicit SyncSession(Services& services) : services_(&services) {}

  /// Deals with the SYNC request at the front of the client's input. kGoOn: it was answered, or the
  /// connection was handed over. REQUIRES: in a turn of the store; the client may be a peer.
  [[nodiscard]] Progress answer(Client& client, const protocol::BinaryRequest& request);

  /// Answers a message that was read past because it is larger than largest_message(). REQUIRES:
  /// has_said_hello(); in a turn of the store.
  void answer_too_large(Client& client, std::uint64_t bytes);
  [[nodiscard]] static bool has_said_hello(const Client& client) {
    return client.sync && client.sync->id != 0;
  }

  /// Of a message on the wire, and of its content: a batch of one record with the largest key and value, or
  /// of many small ones.
  [[nodiscard]] static constexpr std::uint64_t largest_message(std::uint64_t largest_value) {
    constexpr std::uint64_t kManyRecords = 8 << 20;
    constexpr std::uint64_t kAround = 128 * 1024;
    return (largest_value > kManyRecords ? largest_value : kManyRecords) + kAround;
  }

  /// What messages under way may take together besides their own bytes, which are a client's request: one of
  /// the largest unfolded, or one of the most records that waits for the log. Whoever finds no room to be
  /// unfolded holds none and tries again; whose records find none to wait in are refused. So nobody waits for
  /// one who waits.
  [[nodiscard]] static constexpr std::size_t memory_limit(std::uint64_t largest_value) {
    constexpr std::uint64_t kMany = cluster::kMostBytesOfMany + kRecordMemory * cluster::kMostRecords;
    const std::uint64_t one = largest_message(largest_value) + kRecordMemory;
    return static_cast<std::size_t>(one > kMany ? one : kMany);
  }

 private:
  /// Of a hello that comes compressed: many times what one of ours can have.
  static constexpr std::uint64_t kLargestHello = 256 * 1024;
  /// A decoded record and its place in the batch, roughly.
  static constexpr std::uint64_t kRecordMemory = 384;

  [[nodiscard]] std::uint64_t largest_content(const Client& client) const;
  [[nodiscard]] std::optional<std::string_view> content_of(Client& client,
                                                           const protocol::BinaryRequest& request);
  [[nodiscard]] Progress answer_new(Client& client, const protocol::BinaryRequest& request);
  void let_go(SyncState& state);
  void read(Client& client, std::string_view key);
  void debt(Client& client);
  [[nodiscard]] Progress compare(Client& client, const protocol::BinaryRequest& request);
  void repair(Client& client);
  [[nodiscard]] bool has_heard_of(Client& client, cluster::NodeId id);
  void forget(Client& client, std::string_view id);
  [[nodiscard]] bool was_forgotten_since(Client& client);
  void refuse_forgotten(Client& client, cluster::NodeId id);

  // Hello and pulse (sync_hello.cpp).
  void hello(Client& client, std::string_view message);
  [[nodiscard]] Result<bool> has_agreed(Client& client);
  [[nodiscard]] bool accept_caller(Client& client, const cluster::Hello& hello,
                                   const cluster::MemberSet& known);
  /// A node that answers at another connection with the id of the caller, but of another start.
  enum class OtherHolder { kNone, kMayBeGone, kLives };
  [[nodiscard]] OtherHolder other_holder(const cluster::Hello& hello, const std::string& address);
  void introduce(Client& client, const cluster::Hello& hello) const;
  void pulse(Client& client);

  // Records (sync_records.cpp).
  [[nodiscard]] Progress batch(Client& client, std::string_view message);
  [[nodiscard]] bool follows(Client& client, const cluster::BatchHead& head);
  [[nodiscard]] bool add_position(Client& client);
  [[nodiscard]] Progress push(Client& client, std::string_view message);
  [[nodiscard]] bool take_records(Client& client, std::vector<cluster::Record> records);
  [[nodiscard]] Progress write(Client& client);
  [[nodiscard]] bool may_wait(SyncState& state);
  void answer_written(Client& client);
  void refuse_too_large(Client& client, std::uint64_t bytes);
  [[nodiscard]] std::string remedy_for(std::uint64_t bytes) const;
  void refuse_failed(Client& client, const cluster::Record& record);
  void settle_equals(const std::vector<const cluster::Record*>& equals);

  void refuse(Client& client, cluster::Reply reply, std::string_view text);
  void reply(Client& client, std::string_view message, shared::Told told = shared::Told::kOk);
  /// A note's value, held for until it is durable; empty: none. The view is good for the turn.
  [[nodiscard]] Result<std::string_view> note(Client& client, std::string_view name);
  [[nodiscard]] Result<cluster::Position> position_in(Client& client, cluster::NodeId origin);
  [[nodiscard]] Result<cluster::MemberSet> members(Client& client);
  [[nodiscard]] std::uint64_t guard_against(Client& client);
  [[nodiscard]] const shared::ClusterBoard& board() const { return services_->state.cluster; }
  [[nodiscard]] cluster::NodeId own_id() const {
    return services_->state.limits.node_id.load(std::memory_order_relaxed);
  }

  /// An id that somebody claims while somebody else was just heard under it, and since when.
  struct Contest {
    cluster::NodeId id;
    std::uint64_t epoch;
    std::uint64_t since_ms;
  };
  static constexpr std::size_t kMostContests = 64;

  Services* services_;
  std::vector<Contest> contests_;
  std::vector<cluster::Record> spare_records_;
  store::Batch spare_batch_;
};

}  // namespace minivault::worker
