#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/net/connection.h"
#include "common/net/list.h"
#include "common/net/memory_budget.h"
#include "common/net/timeouts.h"
#include "common/protocol/http.h"
#include "common/protocol/http_response.h"
#include "common/shared/metrics.h"

namespace minivault::worker {

struct ReadyTag;
struct TouchedTag;
struct LineTag;
struct ParkedTag;
struct QuorumTag;
struct PeerRead;
struct SyncState;

/// Requests and answers up to this size need no reservation.
inline constexpr std::size_t kSmallBytes = 16 * 1024;
/// A client with more than this to send is not served further until it has read,
inline constexpr std::size_t kAnswerBacklog = 1 << 20;
/// or with more than this, while answers that nobody reads take more than kManyAnswers in all.
inline constexpr std::size_t kFewAnswers = 16 * 1024;
inline constexpr std::size_t kManyAnswers = std::size_t{128} << 20;

/// What became of looking at the front of a client's input.
enum class Progress {
  kGoOn,         ///< a request was dealt with, or a part of one: look again
  kNeedBytes,    ///< no whole request is there
  kAwaitWrites,  ///< the client's own writes must be settled first
  kAwaitRoom,    ///< the queue of writes is full
  kAwaitMemory,  ///< the memory budget is spent; the client stands in line
  kAwaitLog,     ///< the log has no room for what another node sends: try again soon
  kAwaitPeers,   ///< other nodes must have or say something first; who asked them goes on with the client
};

/// Answers in a client's output, or the place of one that is not there yet, that wait for other nodes.
struct QuorumWait {
  std::uint64_t answers_begin;  ///< places in the output's stream
  std::uint64_t answers_end;
  std::uint64_t lsn;  ///< what must have reached enough nodes
  std::uint64_t deadline_ms;
  shared::Op op;
  std::uint64_t conditional_end = 0;  ///< of a write on a condition, its own end; else 0
};

/// What only an HTTP client needs.
struct HttpState {
  explicit HttpState(const protocol::HttpLimits& limits) : parser(limits) {}

  protocol::HttpParser parser;
  std::string key_scratch;
  /// A whole request was parsed and not carried out yet; its views point into the input, which must not move.
  bool parsed = false;
  std::size_t request_bytes = 0;          ///< of the input that the parsed request takes
  std::uint64_t gathered = 0;             ///< bytes of the request under way that the parser keeps itself
  protocol::ResponseForm form;            ///< of the answer that the request gets
  shared::Op op = shared::Op::kOther;     ///< what the request is counted as, and
  shared::Told told = shared::Told::kOk;  ///< what its client is told
  int success_status = 200;               ///< of a write under way
  int refused_status = 409;               ///< … whose condition does not hold
  bool is_conditional = false;            ///< it is on a condition
  bool awaits_quorum = false;             ///< the write is done here and its answer waits for other nodes,
  std::uint64_t answer_after = 0;         ///< and then for this
};

/// One connection and where it is in its conversation. Sessions change it, the worker's turns move it about.
///
/// Requests are dealt with in order and answered in order. Whatever a client waits for, it is not read
/// meanwhile, so what it may make this process remember is bounded by one request and one backlog of answers.
struct Client final : net::TimeoutHook,
                      net::ListHook<ReadyTag>,
                      net::ListHook<TouchedTag>,
                      net::ListHook<LineTag>,
                      net::ListHook<ParkedTag>,
                      net::ListHook<QuorumTag> {
  enum class Protocol : std::uint8_t { kUnknown, kBinary, kHttp };

  Client(UniqueFd socket, net::BlockPool& pool, bool http_only);
  ~Client();

  net::Connection connection;
  std::unique_ptr<HttpState> http;
  std::unique_ptr<SyncState> sync;       ///< of another node's connection
  std::shared_ptr<PeerRead> peer_read;   ///< the request at the front asks other nodes
  std::vector<QuorumWait> quorum_waits;  ///< the oldest first

  net::Reservation request_memory;  ///< for a large request that is still arriving
  net::Reservation answer_memory;   ///< for a large answer that is still leaving
  std::uint64_t request_bytes = 0;  ///< size of the request under way, as far as it claims; 0: unknown
  std::uint64_t skip_bytes = 0;     ///< still to be read past
  std::uint64_t progress_seen = 0;  ///< bytes in both directions when the time-out was last restarted
  std::uint64_t accepted_ms = 0;
  std::size_t answers_counted = 0;  ///< its part of Worker::answers_waiting_

  unsigned pending_writes = 0;  ///< handed to the write queue, result unknown
  Progress stopped_at = Progress::kNeedBytes;
  Protocol protocol = Protocol::kUnknown;
  bool authorized = false;  ///< a binary client that said the right AUTH
  bool admitted = false;    ///< the request at the front passed authority and rate limit
  bool fail_after_skip = false;
  /// Of a message of another node, too large, that is read past: it is answered, not failed.
  std::uint64_t skipped_message_bytes = 0;
  bool closing = false;      ///< take no more requests; end once the answers have left
  bool lingering = false;    ///< the answers have left; reading away what still comes
  bool had_answers = false;  ///< some left this turn, before the others' were finished
  bool broken = false;       ///< nothing can be sent any more
  bool handed_over = false;  ///< broken here because another process has the socket now

  /// The bytes in the input are pointed to from elsewhere.
  [[nodiscard]] bool input_pinned() const {
    return pending_writes > 0 || (http != nullptr && http->parsed) || stopped_at == Progress::kAwaitLog;
  }
  /// The input is, or may become, larger than a client may hold unasked.
  [[nodiscard]] bool holds_large_request() {
    return input_pinned() || request_bytes > kSmallBytes || (http != nullptr && http->gathered > 0) ||
           connection.input().unread().size() > net::BlockPool::kBlockBytes;
  }
  /// A request has begun and is not whole.
  [[nodiscard]] bool mid_request() {
    return !connection.input().empty() || skip_bytes > 0 || (http != nullptr && http->parser.in_request());
  }
};

}  // namespace minivault::worker
