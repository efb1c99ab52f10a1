#pragma once

#include <span>

#include "common/protocol/binary.h"
#include "worker/client.h"
#include "worker/peer_reads.h"
#include "worker/services.h"
#include "worker/sync_session.h"

namespace minivault::worker {

/// The binary protocol of PROTOCOL.md over a Client. Holds nothing of its own: all state is the client's.
///
/// SETs and DELETEs do not wait for each other: a client may have many in the write queue, and their answers
/// are appended as the outcomes come, in order. Everything else first waits for them.
class BinarySession {
 public:
  BinarySession(Services& services, SyncSession& sync, PeerReads& peer_reads)
      : services_(&services), sync_(&sync), peer_reads_(&peer_reads) {}

  /// Deals with the request at the front of the client's input. REQUIRES: in a turn of the store.
  [[nodiscard]] Progress step(Client& client);
  /// Fetches what the first requests of several clients will look at. At most Store::kMostAtOnce clients.
  void look_ahead(std::span<Client* const> clients) const;
  void write_settled(Client& client, const WriteOutcome& outcome);
  /// These answers' quorum was reached, or its time is up: then they become FF. They were appended, and have
  /// not left.
  void quorum_settled(Client& client, const QuorumWait& wait, bool reached);

 private:
  [[nodiscard]] Progress skip(Client& client);
  [[nodiscard]] Progress start_skip(Client& client, std::uint64_t size, shared::Op op, shared::Told why);
  [[nodiscard]] Progress await_bytes(Client& client, const protocol::BinaryRequest& request,
                                     std::uint64_t size);
  [[nodiscard]] bool is_hopeless(const Client& client, protocol::Opcode opcode) const;
  [[nodiscard]] bool is_large_message(const Client& client, const protocol::BinaryRequest& request,
                                      std::uint64_t size, std::uint64_t largest) const;
  [[nodiscard]] Progress carry_out(Client& client, const protocol::BinaryRequest& request, std::size_t size);
  [[nodiscard]] Progress write(Client& client, const protocol::BinaryRequest& request, std::size_t size);
  [[nodiscard]] Progress get(Client& client, std::string_view key);
  [[nodiscard]] bool get_many(Client& client);
  [[nodiscard]] std::size_t answer_many(Client& client, std::span<const store::Found> found);
  void authenticate(Client& client, std::string_view key);
  [[nodiscard]] Progress synchronize(Client& client, const protocol::BinaryRequest& request,
                                     std::size_t size);

  [[nodiscard]] Progress refuse(Client& client, std::size_t size, shared::Op op, shared::Told why);
  void count(shared::Op op, shared::Told told, std::uint64_t times = 1) {
    services_->meter.count(shared::Proto::kBinary, op, told, times);
  }
  void answer_ok(Client& client);
  void answer_error(Client& client);
  void answer_value(Client& client, const store::Found& found);
  void answer_health(Client& client);

  Services* services_;
  SyncSession* sync_;
  PeerReads* peer_reads_;
};

}  // namespace minivault::worker
