#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "common/client/address.h"
#include "common/client/socket.h"
#include "common/core/error.h"

namespace minivault::client {

struct Options {
  std::string auth_key;  ///< sent as AUTH on every new connection; empty: none
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds request_timeout{10'000};  ///< of one answer; beyond the server's -write-timeout
  std::uint32_t largest_answer_bytes = 1U << 30;      ///< an answer that claims more is not believed
};

/// What the bytes of a value are on the wire; a GET always returns plain ones.
enum class Encoding { kPlain, kZstdFrame };

/// One connection to a node, speaking the binary protocol. One thread at a time.
///
/// Errors are the same for every request:
///   kInvalidArgument  the key is empty or longer than 65,535 bytes; nothing was sent
///   kTooLarge         the value does not fit a request's 32-bit length; nothing was sent
///   kNotFound         a GET was answered FF. The binary FF carries no reason: no such key, no authority and
///   the
///                     rate limit look the same (HTTP tells them apart)
///   kUnavailable      the connection is gone, or a HEALTH was answered FF
///   kTimedOut         no answer in time; the connection cannot be used any more
///   kCorrupt          the answer is not one of this protocol; the connection cannot be used any more
///   kOutcomeUnknown   a SET or DELETE was sent whole, and then answered FF (refused, or stored here without
///   reaching
///                     its quorum: FF does not tell) or not answered. After every other error it had no
///                     effect and will have none.
class Connection {
 public:
  /// Connects, and authenticates where there is a key. Errors: kUnavailable, kTimedOut, kUnauthorized (AUTH
  /// refused).
  [[nodiscard]] static Result<Connection> open(const Address& address, const Options& options);

  // One request and its answer. REQUIRES: outstanding() == 0.
  [[nodiscard]] Result<std::string> get(std::string_view key);
  [[nodiscard]] Status set(std::string_view key, std::string_view value,
                           Encoding encoding = Encoding::kPlain);
  [[nodiscard]] Status remove(std::string_view key);  ///< OK also where there was no such key
  [[nodiscard]] Result<std::string> health();         ///< the node's health as JSON

  /// A message between nodes: its answer, the first byte of which tells a refusal (common/cluster/message.h).
  /// Errors: kUnavailable (answered FF: not allowed, or not the time for it), and as above.
  [[nodiscard]] Result<std::string> sync(std::string_view kind, std::string_view message);

  // Many requests at once: queue them, then receive() once for each, in the same order. Memory is the only
  // bound: what is queued stays here until the node reads it, and answers come in while requests go out.
  [[nodiscard]] Status queue_get(std::string_view key);
  [[nodiscard]] Status queue_set(std::string_view key, std::string_view value,
                                 Encoding encoding = Encoding::kPlain);
  [[nodiscard]] Status queue_remove(std::string_view key);
  void queue_health();
  /// As much of it as the kernel takes at once leaves now: the node may work on it before receive() is
  /// called.
  [[nodiscard]] Status queue_sync(std::string_view kind, std::string_view message);

  /// The answer to the oldest request that has none yet; its value, or "" where an answer has none.
  /// REQUIRES: outstanding() > 0. An error of the connection is told to every request that it leaves
  /// unanswered.
  [[nodiscard]] Result<std::string> receive();

  /// Requests queued and not received.
  [[nodiscard]] std::size_t outstanding() const { return pending_.size(); }

  /// False once the connection has failed, and where the node closed it or sent what nobody asked for.
  [[nodiscard]] bool usable() const;

 private:
  enum class Kind : std::uint8_t { kGet, kWrite, kHealth, kAuth, kSync };

  /// A request without an answer; `end` is where its bytes end in the stream of all requests.
  struct Pending {
    Kind kind;
    std::uint64_t end;
  };

  Connection(Socket socket, const Options& options) : socket_(std::move(socket)), options_(options) {}

  [[nodiscard]] Status authenticate();
  void queued(Kind kind);
  [[nodiscard]] std::optional<Result<std::string>> next_answer();
  [[nodiscard]] Result<std::string> refusal(Kind kind) const;
  [[nodiscard]] Result<std::string> lost(const Pending& request) const;
  [[nodiscard]] Status exchange(const Deadline& deadline);
  void send_more();

  Socket socket_;
  Options options_;
  std::deque<Pending> pending_;
  std::string outgoing_;  ///< requests, of which the first sent_ bytes are with the kernel
  std::size_t sent_ = 0;
  std::uint64_t outgoing_start_ = 0;  ///< position of outgoing_'s first byte in the stream of all requests
  std::string incoming_;              ///< answers, of which the first consumed_ bytes were taken
  std::size_t consumed_ = 0;
  std::optional<Error> broken_;
};

}  // namespace minivault::client
