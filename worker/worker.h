#pragma once

#include <memory>
#include <span>
#include <vector>

#include "common/core/unique_fd.h"
#include "common/net/block.h"
#include "common/net/list.h"
#include "common/net/poller.h"
#include "common/net/timeouts.h"
#include "common/process/roles.h"
#include "common/store/store.h"
#include "worker/acceptor.h"
#include "worker/binary_session.h"
#include "worker/client.h"
#include "worker/gathering.h"
#include "worker/http_session.h"
#include "worker/peer_calls.h"
#include "worker/peer_reads.h"
#include "worker/services.h"
#include "worker/sync_session.h"

namespace minivault::worker {

/// One worker process: its clients and the turns they are served in.
///
/// A turn: what the poller saw -> each ready client is read once and served until it must wait -> the writes
/// of all are committed together -> clients that waited for them go on -> ... until nobody can -> everybody's
/// answers leave, as far as they may -> what a slow socket did not take is copied out of the store. Nothing
/// that points into the ring or the base is left when the turn ends.
class Worker {
 public:
  Worker(const ChildContext& context, store::Store& store, net::Poller poller, UniqueFd signals);

  /// Serves until asked to end by SIGTERM and done with what was received, or until asked twice.
  [[nodiscard]] Status run();

 private:
  static constexpr std::size_t kServedTogether = store::Store::kMostAtOnce;

  // Turns (worker.cpp).
  void open_batch();
  void turn(std::span<const net::Event> events);
  void notice(const net::Event& event);
  void serve_ready();
  [[nodiscard]] bool writes_wait();
  void gather_writes();
  [[nodiscard]] bool receive(Client& client);
  void advance(Client& client);
  [[nodiscard]] Progress step(Client& client);
  void settle_writes();
  void write_settled(Client& client, const WriteOutcome& outcome);
  void quorum_settled(Client& client, const QuorumWait& wait, bool reached);
  void go_on(Client& client);
  void resume(net::List<Client, LineTag>& line);
  void retry_log();
  void resume_memory_line();
  [[nodiscard]] bool turn_is_long() const;
  [[nodiscard]] std::span<const net::Event> sleep();
  [[nodiscard]] int sleep_ms();

  // The end of a turn for a client (worker_clients.cpp).
  void accepted(UniqueFd socket, bool http_only);
  [[nodiscard]] Client* client_at(int fd) const;
  void finish_touched();
  void send_together();
  void finish(Client& client);
  void send(Client& client);
  [[nodiscard]] bool has_said_all(Client& client) const;
  [[nodiscard]] bool can_go_on(Client& client) const;
  void count_answers(Client& client, std::size_t waiting);
  [[nodiscard]] bool must_read_first(Client& client) const;
  void park(Client& client);
  void send_released();
  std::size_t release_parked();
  void linger(Client& client);
  void watch_progress(Client& client);
  void expire();
  void destroy(Client& client);
  void touch(Client& client);

  // Signals and the end (worker.cpp).
  void read_signals();
  void start_draining();
  [[nodiscard]] bool drained();

  const ChildContext* context_;
  net::Poller poller_;
  UniqueFd signals_;
  net::SendBatch batch_;  ///< of sends; unavailable: each leaves by itself
  net::BlockPool pool_;
  Services services_;
  PeerCalls peer_calls_;
  PeerReads peer_reads_;
  SyncSession sync_;
  BinarySession binary_;
  HttpSession http_;
  Acceptor acceptor_;

  std::vector<std::unique_ptr<Client>> clients_;  ///< by descriptor
  std::size_t client_count_ = 0;
  net::List<Client, ReadyTag> ready_;      ///< to be served this turn, or the next
  net::List<Client, TouchedTag> touched_;  ///< whose turn is to be finished
  net::List<Client, LineTag> awaiting_writes_;
  net::List<Client, LineTag> awaiting_room_;
  net::List<Client, LineTag> awaiting_log_;
  net::List<Client, ParkedTag> parked_;  ///< whose answers wait for a mark
  shared::Lsn lowest_mark_ = shared::kNoLsn;
  Gathering gathering_;
  net::Timeouts<Client> progress_timeouts_;
  net::Timeouts<Client> linger_timeouts_;
  std::size_t answers_waiting_ = 0;  ///< bytes of all clients, without what the budget counts
  std::size_t memory_seen_ = 0;      ///< of the budget, when the line was last tried
  std::uint64_t now_ms_ = 0;         ///< at the start of the turn
  std::uint64_t drain_until_ms_ = 0;
  unsigned stop_requests_ = 0;
};

}  // namespace minivault::worker
