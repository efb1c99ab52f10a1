#include "tests/support/fault_proxy_pipe.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace minivault::test {
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::size_t kMostHeldBytes = 16 << 20;

/// A slow line holds a tenth of a second, so that its sender feels it.
std::size_t room(const Faults& faults) {
  if (faults.bytes_per_second == 0) return kMostHeldBytes;
  return std::clamp<std::size_t>(faults.bytes_per_second / 10, 1, kMostHeldBytes);
}

bool not_now() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

bool FaultProxyPipe::wants_to_read(const Faults& faults) const {
  return !read_all_ && held_bytes_ < room(faults);
}

void FaultProxyPipe::read(const Faults& faults) {
  std::array<char, kPieceBytes> bytes;
  while (wants_to_read(faults)) {
    const std::size_t most = std::min(bytes.size(), room(faults) - held_bytes_);
    const ssize_t count = ::recv(from_, bytes.data(), most, 0);
    if (count < 0 && not_now()) return;
    if (count > 0) {
      add(Kind::kBytes, std::string(bytes.data(), static_cast<std::size_t>(count)), faults);
    } else {
      read_all_ = true;
      add(count == 0 ? Kind::kEnd : Kind::kReset, "", faults);
    }
  }
}

void FaultProxyPipe::add(Kind kind, std::string bytes, const Faults& faults) {
  line_free_ = std::max(line_free_, Clock::now());
  if (faults.bytes_per_second != 0) {
    line_free_ += std::chrono::nanoseconds(bytes.size() * 1'000'000'000U / faults.bytes_per_second);
  }
  held_bytes_ += bytes.size();
  pieces_.push_back({kind, std::move(bytes), line_free_});
}

std::optional<FaultProxyPipe::Clock::time_point> FaultProxyPipe::due(const Faults& faults) const {
  if (pieces_.empty() || faults.stalled || blocked_) return std::nullopt;
  return pieces_.front().through + faults.delay;
}

FaultProxyPipe::Delivery FaultProxyPipe::deliver(const Faults& faults, std::uint64_t allowed,
                                                 std::uint64_t& delivered) {
  blocked_ = false;
  const auto now = Clock::now();
  for (auto at = due(faults); at && *at <= now; at = due(faults)) {
    Piece& piece = pieces_.front();
    if (piece.kind == Kind::kReset) return Delivery::kBroken;
    if (piece.kind == Kind::kEnd) {
      ::shutdown(to_, SHUT_WR);
      finished_ = true;
      pieces_.pop_front();
      return Delivery::kGoesOn;
    }
    const std::size_t most = std::min<std::uint64_t>(piece.bytes.size(), allowed);
    const ssize_t count = ::send(to_, piece.bytes.data(), most, MSG_NOSIGNAL);
    if (count < 0 && !not_now()) return Delivery::kBroken;
    const std::size_t sent = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    delivered += sent;
    allowed -= sent;
    held_bytes_ -= sent;
    piece.bytes.erase(0, sent);
    if (allowed == 0) return Delivery::kBroken;
    blocked_ = sent < most;
    if (piece.bytes.empty()) pieces_.pop_front();
  }
  return Delivery::kGoesOn;
}

}  // namespace minivault::test
