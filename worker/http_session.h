#pragma once

#include <string_view>

#include "common/protocol/http.h"
#include "common/protocol/http_condition.h"
#include "common/protocol/http_target.h"
#include "worker/client.h"
#include "worker/peer_reads.h"
#include "worker/services.h"

namespace minivault::worker {

/// The reason of a 503.
inline constexpr std::string_view kFilling =
    "this node is still being filled, and no complete node could be asked in time";

/// HTTP/1.1 as PROTOCOL.md has it over a Client. Holds nothing of its own: all state is the client's.
///
/// One request at a time: the answer of a write names its outcome, so what follows on the connection waits.
class HttpSession {
 public:
  HttpSession(Services& services, PeerReads& peer_reads) : services_(&services), peer_reads_(&peer_reads) {}

  /// Deals with the request at the front of the client's input. REQUIRES: in a turn of the store.
  [[nodiscard]] Progress step(Client& client);
  void write_settled(Client& client, const WriteOutcome& outcome);
  /// Other nodes have the write that the request made, or did not have it in time.
  void quorum_settled(Client& client, const QuorumWait& wait, bool reached);

 private:
  // Framing (http_session.cpp).
  [[nodiscard]] Progress parse(Client& client);
  static void keep_by_parser(Client& client, std::size_t bytes);
  [[nodiscard]] Progress await_bytes(Client& client, const protocol::HttpParse& parsed);
  [[nodiscard]] Progress answer_expectation(Client& client);
  [[nodiscard]] bool lacks_key(const Client& client) const;
  [[nodiscard]] Progress refuse_unread(Client& client, std::uint64_t size);
  [[nodiscard]] Progress refuse_unparsed(Client& client, const protocol::HttpParse& parsed);
  [[nodiscard]] Progress read_past(Client& client, std::uint64_t size);

  // Writes, and what becomes of them (http_writes.cpp).
  [[nodiscard]] Progress put(Client& client, store::Write write);
  [[nodiscard]] bool set_condition(Client& client, store::Write& write);

  // Other requests (http_requests.cpp).
  [[nodiscard]] Progress carry_out(Client& client);
  [[nodiscard]] Progress start_backup(Client& client);
  [[nodiscard]] Progress use_key(Client& client, std::string_view key);
  [[nodiscard]] Progress get(Client& client, std::string_view key);
  [[nodiscard]] Progress get_here(Client& client, std::string_view key);
  [[nodiscard]] Progress get_of_quorum(Client& client, std::string_view key);
  [[nodiscard]] bool reserve_answer(Client& client, const store::Found& found);
  void answer_found(Client& client, const store::Found& found);
  void answer_bytes(Client& client, const store::Found& found, const protocol::EtagLine& etag);
  void answer_json(Client& client, const store::Found& record, std::string_view etag);
  void tell_about_node(Client& client, const protocol::HttpTarget& target);
  void answer_health(Client& client);
  void answer_ready(Client& client);
  void refuse_method(Client& client, std::string_view allowed);

  [[nodiscard]] static Access access_of(const protocol::HttpTarget& target, protocol::HttpMethod method);
  [[nodiscard]] static bool wants_bytes(const Client& client);

  /// False: the request was answered with a refusal.
  [[nodiscard]] bool admit(Client& client, Access needed);
  void fail(Client& client, int status, std::string_view message);
  /// The request is over.
  void count(const Client& client);
  /// Moves what is in the scratch to the client's output.
  void flush(Client& client);
  /// Flushes and lets the request go.
  [[nodiscard]] Progress finish(Client& client);

  Services* services_;
  PeerReads* peer_reads_;
};

}  // namespace minivault::worker
