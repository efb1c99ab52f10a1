#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/core/error.h"
#include "common/net/connection.h"
#include "common/net/dialer.h"
#include "common/net/poller.h"

namespace minivault::replicator {

/// A connection that this node makes to another: dialled without ever blocking, frames out, answers in, in
/// order. Knows nothing of what they say. One thread.
class Line {
 public:
  enum class State { kClosed, kDialling, kOpen };
  /// One answer, good during the call. An error ends the line.
  using Answered = std::function<Status(std::string_view message)>;

  Line(net::Poller& poller, net::BlockPool& pool) : poller_(&poller), pool_(&pool) {}
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() { close(); }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] int fd() const { return connection_ ? connection_->fd() : dialer_ ? dialer_->fd() : -1; }
  /// Becomes kDialling.
  void dial(const std::string& address);
  void close();

  /// The poller saw something of fd().
  void note(const net::Event& event);
  /// Goes on dialling, or takes what was answered. Errors: kUnavailable (with the reason; call close()),
  /// kUnauthorized (status FF), kCorrupt, and what `answered` says.
  [[nodiscard]] Status run(const Answered& answered);

  /// Queues a frame; `borrowed` ones must stay put until they are answered.
  void send(std::string_view frame);
  void send_borrowed(std::string_view frame);
  /// Sends what the socket takes. What breaks is seen by the next run().
  void flush();
  [[nodiscard]] std::size_t backlog() const { return connection_ ? connection_->output().backlog() : 0; }
  /// More was received than one run() takes up, or could be sent than one flush() does.
  [[nodiscard]] bool has_more() const;
  /// It dials, and not yet the last of the addresses that the name has.
  [[nodiscard]] bool dials_on() const { return dialer_ && dialer_->has_other_places(); }
  /// An address is being looked up: no event will tell of its end.
  [[nodiscard]] bool waits_for_name() const { return dialer_ && dialer_->waits_for_name(); }

 private:
  [[nodiscard]] Status take_answers(const Answered& answered);

  net::Poller* poller_;
  net::BlockPool* pool_;
  State state_ = State::kClosed;
  std::optional<net::Dialer> dialer_;
  std::unique_ptr<net::Connection> connection_;
  std::size_t answer_bytes_ = 0;  ///< of the answer that is arriving, as far as it claims
};

}  // namespace minivault::replicator
