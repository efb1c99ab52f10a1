#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/core/unique_fd.h"
#include "tests/support/wait.h"

namespace minivault::test {

/// A TCP connection to 127.0.0.1 over which a test sends exactly the bytes it wants, right or wrong. Every
/// call ends within its deadline; what should have happened and did not is a std::runtime_error.
class RawConnection {
 public:
  explicit RawConnection(std::uint16_t port, milliseconds patience = kPatience);
  /// Takes over a connected, non-blocking socket.
  explicit RawConnection(UniqueFd fd) : fd_(std::move(fd)), patience_(kPatience) {}

  void send(std::string_view bytes);
  /// Sends while the other side takes it: how many bytes it took before it stopped for `pause`, or closed.
  [[nodiscard]] std::size_t send_until_stuck(std::string_view bytes, milliseconds pause);
  /// Nothing more will be sent; answers may still come.
  void finish_sending();
  /// Ends the connection with a reset, as a machine that vanished and came back would.
  void reset();

  [[nodiscard]] std::string receive(std::size_t count);
  [[nodiscard]] std::string receive_through(std::string_view mark);
  /// All that comes until the other side closes (or resets).
  [[nodiscard]] std::string receive_until_close();
  /// Nothing arrives for `pause`, and the connection stays open.
  [[nodiscard]] bool silent_for(milliseconds pause);

  /// send(), then receive() of as much as is expected: for exchanges whose answer is known.
  [[nodiscard]] std::string exchange(std::string_view request, std::size_t answer_size);

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  [[nodiscard]] bool wait(short events, milliseconds limit) const;
  /// More bytes into received_; false at the end of the stream.
  [[nodiscard]] bool receive_more(std::chrono::steady_clock::time_point end);
  [[nodiscard]] std::string take(std::size_t count);

  UniqueFd fd_;
  milliseconds patience_;
  std::string received_;
};

}  // namespace minivault::test
