#include "worker/patient_socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "common/core/clock.h"

namespace minivault::worker {
namespace {

constexpr std::uint64_t kProgressMs = 30'000;
constexpr std::size_t kFairProgressBytes = 64 * 1024;
constexpr std::size_t kReceiveBytes = 64 * 1024;

}  // namespace

PatientSocket::PatientSocket(int socket) : socket_(socket), since_ms_(monotonic_ms()) {}

Status PatientSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t taken = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0 && errno != EAGAIN && errno != EINTR) return fail_errno("send", errno);
    if (taken > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(taken));
      note_progress(static_cast<std::size_t>(taken));
    } else if (Status ready = wait_for_room(); !ready) {
      return ready;
    }
  }
  return {};
}

Status PatientSocket::receive(std::string& received) {
  const std::size_t before = received.size();
  received.resize(before + kReceiveBytes);
  pollfd waiting{socket_, POLLIN, 0};
  ssize_t got = -1;
  do {
    got = ::poll(&waiting, 1, static_cast<int>(kProgressMs)) == 0
              ? -1
              : ::recv(socket_, received.data() + before, kReceiveBytes, MSG_DONTWAIT);
  } while (got < 0 && waiting.revents != 0 && (errno == EAGAIN || errno == EINTR));
  received.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
  since_ms_ = monotonic_ms();
  if (got > 0) return {};
  if (got == 0) return fail(Code::kUnavailable, "the client has ended the conversation");
  if (waiting.revents == 0) return fail(Code::kTimedOut, "the client says nothing");
  return fail_errno("receive", errno);
}

void PatientSocket::end() const {
  ::shutdown(socket_, SHUT_WR);
  std::array<char, 4'096> ignored;
  pollfd waiting{socket_, POLLIN, 0};
  constexpr int kLingerMs = 2'000;
  while (::poll(&waiting, 1, kLingerMs) > 0 &&
         ::recv(socket_, ignored.data(), ignored.size(), MSG_DONTWAIT) > 0) {
  }
}

void PatientSocket::note_progress(std::size_t bytes) {
  progress_ += bytes;
  if (progress_ < kFairProgressBytes) return;
  progress_ = 0;
  since_ms_ = monotonic_ms();
}

Status PatientSocket::wait_for_room() const {
  const std::uint64_t now_ms = monotonic_ms();
  const std::uint64_t end_ms = since_ms_ + kProgressMs;
  if (now_ms >= end_ms) return fail(Code::kTimedOut, "the client does not take it");
  pollfd waiting{socket_, POLLOUT, 0};
  ::poll(&waiting, 1, static_cast<int>(end_ms - now_ms));
  return {};
}

}  // namespace minivault::worker
