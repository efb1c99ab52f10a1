#pragma once

#include <liburing.h>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "common/core/error.h"

namespace minivault::net {

/// Sends to many sockets by one system call, where the kernel lets this process use io_uring(7). One thread,
/// the one that made it.
///
/// Nothing is under way when run() has returned: the sockets are asked not to wait, so each send ends within
/// the call that submits it, as send(2) would.
class SendBatch {
 public:
  static constexpr std::size_t kMost = 64;

  /// One that is not available().
  SendBatch() = default;
  /// Errors: kIo, the kernel is older than 6.0, or forbids it to this process.
  [[nodiscard]] static Result<SendBatch> create();

  [[nodiscard]] bool available() const { return ring_ != nullptr; }
  [[nodiscard]] bool full() const { return count_ == kMost; }

  /// REQUIRES: available(), not full(). `bytes` stay where they are until run() has returned.
  void add(int fd, std::string_view bytes, void* owner);

  /// Sends what was added, and tells of each in turn how many bytes were taken, or the negated errno. Where
  /// the ring itself fails, what it did not take ends with -EINTR, what it took and does not tell of with
  /// -EIO, and the batch is available() no more. Errors: kIo, why it failed, and all were told.
  [[nodiscard]] Status run(const std::function<void(void* owner, int result)>& sent);

 private:
  struct Close {
    void operator()(io_uring* ring) const;
  };

  std::unique_ptr<io_uring, Close> ring_;
  std::size_t count_ = 0;
  std::array<void*, kMost> owners_{};
};

}  // namespace minivault::net
