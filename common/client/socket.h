#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/client/address.h"
#include "common/core/error.h"
#include "common/core/unique_fd.h"

namespace minivault::client {

/// The moment until which something may take, however many steps it needs.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds time_out);

  [[nodiscard]] std::chrono::milliseconds left() const;
  [[nodiscard]] bool passed() const { return left().count() == 0; }

 private:
  std::chrono::steady_clock::time_point end_;
};

/// A connected TCP socket that never blocks longer than its caller's deadline. One thread at a time.
///
/// Not Poco::Net::StreamSocket: its time-out is one of each read, so a server that sends a byte now and then
/// holds a caller for ever; and a pipeline must read while it still writes, or both sides fill their buffers
/// and wait.
class Socket {
 public:
  /// Tries each address of the host in turn. Looking the name up is the resolver's and not bound by the
  /// deadline. Errors: kUnavailable, kTimedOut.
  [[nodiscard]] static Result<Socket> connect(const Address& address, const Deadline& deadline);

  /// Waits until there is something to read, or `to_write` and room to write. Errors: kTimedOut.
  [[nodiscard]] Status wait(bool to_write, const Deadline& deadline) const;

  /// How many bytes the kernel took now, which may be none. Errors: kUnavailable.
  [[nodiscard]] Result<std::size_t> write_some(std::string_view bytes) const;

  /// How many bytes were there now, which may be none. Errors: kUnavailable; an end of stream is one too.
  [[nodiscard]] Result<std::size_t> read_some(std::span<char> room) const;

  /// Nothing to read and not closed: what an idle connection must be like to be used again.
  [[nodiscard]] bool quiet() const;

  /// For a poller of the caller's own; stays with this socket.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit Socket(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace minivault::client
