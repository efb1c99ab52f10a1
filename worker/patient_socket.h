#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/core/error.h"

namespace minivault::worker {

/// A client's socket in the hands of a process that serves this client alone, and may therefore wait for it:
/// but not for one that takes less than 64 KB in 30 s, or says nothing for as long. The socket is not closed.
class PatientSocket {
 public:
  explicit PatientSocket(int socket);

  /// All of it. Errors: kTimedOut, kIo.
  [[nodiscard]] Status send(std::string_view bytes);
  /// At least one byte more behind `received`. Errors: kTimedOut, kUnavailable (the client has ended), kIo.
  [[nodiscard]] Status receive(std::string& received);
  /// A socket that is closed with unread bytes in it is reset, and the client loses what it has not read.
  void end() const;

 private:
  void note_progress(std::size_t bytes);
  [[nodiscard]] Status wait_for_room() const;

  int socket_;
  std::size_t progress_ = 0;
  std::uint64_t since_ms_;
};

}  // namespace minivault::worker
