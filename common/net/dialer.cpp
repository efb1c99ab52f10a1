#include "common/net/dialer.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

namespace minivault::net {
namespace {

constexpr std::uint64_t kLookupLookMs = 2;

}  // namespace

Result<UniqueFd> Dialer::run(std::uint64_t now_ms) {
  if (lookup_) {
    auto found = lookup_->result();
    if (!found) return UniqueFd();
    lookup_.reset();
    if (!*found) return tl::unexpected(found->error());
    places_.assign((*found)->rbegin(), (*found)->rend());
  }
  int error = 0;
  if (settled_) {
    socklen_t size = sizeof error;
    ::getsockopt(connecting_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) return std::move(connecting_);
  }
  const bool is_late = now_ms >= since_ms_ + kPatienceMs;
  if (!connecting_ || (!places_.empty() && (settled_ || is_late))) {
    if (Status begun = connect_next(now_ms); !begun) return tl::unexpected(begun.error());
  } else if (settled_) {
    return fail(Code::kUnavailable, std::strerror(error));
  }
  return UniqueFd();
}

Status Dialer::connect_next(std::uint64_t now_ms) {
  give_up();
  Result<UniqueFd> socket = fail(Code::kUnavailable, "no address");
  while (!socket && !places_.empty()) {
    socket = begin_connect(places_.back());
    places_.pop_back();
  }
  if (!socket) return tl::unexpected(socket.error());
  connecting_ = std::move(*socket);
  since_ms_ = now_ms;
  settled_ = false;
  return poller_->watch_stream(connecting_.get());
}

/// A process forked meanwhile may still have a copy of the socket, which would stay among the watched.
void Dialer::give_up() {
  if (connecting_) poller_->forget(connecting_.get());
  connecting_.reset();
}

std::uint64_t Dialer::next_look_ms(std::uint64_t now_ms) const {
  if (lookup_) return now_ms + kLookupLookMs;
  return places_.empty() ? std::numeric_limits<std::uint64_t>::max() : since_ms_ + kPatienceMs;
}

}  // namespace minivault::net
