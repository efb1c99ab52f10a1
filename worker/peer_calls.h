#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/block.h"
#include "common/net/connection.h"
#include "common/net/dialer.h"
#include "common/net/poller.h"
#include "common/process/roles.h"

namespace minivault::worker {

/// SYNC requests from this worker to workers of other nodes, for reads that cannot be answered here. One
/// connection a peer, dialled when it is first needed and kept; requests are pipelined on it. Nothing blocks.
class PeerCalls {
 public:
  /// The message of the answer, good during the call; or why there is none (kUnavailable, kTimedOut).
  using Answered = std::function<void(const Result<std::string_view>&)>;

  PeerCalls(const ChildContext& context, net::Poller& poller, net::BlockPool& pool)
      : context_(&context), poller_(&poller), pool_(&pool) {}

  /// Asks the node at `address`. `answered` is called once, from run(), never from here.
  void call(const std::string& address, std::string_view kind, std::string_view message, Answered answered);

  /// Whether the event was of one of its connections.
  [[nodiscard]] bool note(const net::Event& event);
  /// Dials, receives, tells answers. To be called every turn, as send_all() at its end.
  void run(std::uint64_t now_ms);
  void send_all();
  /// When run() has something to do that the poller will not tell.
  [[nodiscard]] std::uint64_t next_look_ms(std::uint64_t now_ms) const;

 private:
  struct Waiting {
    Answered answered;
    std::uint64_t since_ms;
  };
  struct Line {
    explicit Line(std::string where) : address(std::move(where)) {}
    std::string address;
    std::optional<net::Dialer> dialer;
    std::unique_ptr<net::Connection> connection;
    std::string unsent;  ///< requests from before there is a connection
    std::deque<Waiting> waiting;
    std::size_t answer_bytes = 0;  ///< of the answer that is arriving, as far as it claims
    std::uint64_t used_ms = 0;
  };

  [[nodiscard]] Line& line_to(const std::string& address);
  void greet(Line& line);
  void run(Line& line, std::uint64_t now_ms);
  [[nodiscard]] Status dial(Line& line, std::uint64_t now_ms);
  [[nodiscard]] Status receive(Line& line);
  [[nodiscard]] Status tell_answers(Line& line);
  void close(Line& line);
  void hang_up(Line& line, const Error& why);

  const ChildContext* context_;
  net::Poller* poller_;
  net::BlockPool* pool_;
  std::vector<std::unique_ptr<Line>> lines_;
};

}  // namespace minivault::worker
