#pragma once

#include <sys/types.h>

#include <cstdint>
#include <utility>

#include "common/core/unique_fd.h"
#include "common/net/input_buffer.h"
#include "common/net/output_buffer.h"
#include "common/net/poller.h"
#include "common/net/send_batch.h"

namespace minivault::net {

/// A client's stream socket with what was received and what waits to be sent. Knows no protocol.
///
/// Reads at most once and writes at most once a call (frozen bytes apart), and remembers what the
/// edge-triggered Poller will not say again: whether the socket was still readable or writable. One thread.
class Connection {
 public:
  enum class Received {
    kBytes,
    kNothing,
    kEnd,     ///< the client sends no more; it may still read
    kBroken,  ///< reset, or no memory for what it sends
  };
  enum class Sent {
    kAll,   ///< everything that may leave has left
    kPart,  ///< the client's side is full; some left, or none
    kBroken,
  };

  Connection(UniqueFd socket, BlockPool& pool) : socket_(std::move(socket)), input_(pool), output_(pool) {}

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] InputBuffer& input() { return input_; }
  [[nodiscard]] OutputBuffer& output() { return output_; }

  void note(const Event& event);
  [[nodiscard]] bool readable() const { return readable_; }
  [[nodiscard]] bool writable() const { return writable_; }
  /// The client sends no more.
  [[nodiscard]] bool ended() const { return ended_; }

  /// One recv(2), as much as the buffer has room for. `request_bytes`: see InputBuffer::room().
  [[nodiscard]] Received receive(std::size_t request_bytes);
  /// One send(2) or sendmsg(2) of what no hold keeps back once `reached` is reached; where there are frozen
  /// bytes, one for what is between them and one sendfile(2) for each. What was not taken is still borrowed
  /// where it was borrowed: OutputBuffer::keep().
  [[nodiscard]] Sent send(std::uint64_t reached);
  /// Adds what send() would send to the batch, if that is one piece in memory; false: nothing was added.
  /// Until sent_together() is told the outcome nothing else may be done here.
  [[nodiscard]] bool send_together(std::uint64_t reached, SendBatch& batch, void* owner);
  /// `result`: as SendBatch::run() tells it. False: the connection is broken.
  [[nodiscard]] bool sent_together(int result);

  /// Tells the client that nothing more comes, while it may still send.
  void finish_sending();
  /// Reads and forgets, once. A socket closed with unread bytes in it is reset, and a reset takes back what
  /// the client has not read yet: so whoever closes first sends its end and then reads away what still comes.
  [[nodiscard]] Received discard();

  /// Total bytes that went each way: whoever watches for progress compares two looks.
  [[nodiscard]] std::uint64_t bytes_received() const { return bytes_received_; }
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  [[nodiscard]] Received after_recv(ssize_t got, std::size_t asked);
  [[nodiscard]] bool send_in_memory();
  [[nodiscard]] bool send_frozen(const OutputBuffer::Frozen& frozen);
  [[nodiscard]] bool after_send(ssize_t taken, bool all);

  UniqueFd socket_;
  InputBuffer input_;
  OutputBuffer output_;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::size_t sent_with_others_ = 0;  ///< bytes that a batch was given
  bool readable_ = false;
  bool writable_ = true;  ///< a new socket takes bytes; whether it has some the Poller will say
  bool ending_ = false;   ///< an end or an error is there, behind the bytes
  bool ended_ = false;
};

}  // namespace minivault::net
