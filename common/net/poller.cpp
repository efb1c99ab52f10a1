#include "common/net/poller.h"

#include <cerrno>
#include <ctime>
#include <utility>

namespace minivault::net {

Result<Poller> Poller::create() {
  Poller poller;
  poller.epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!poller.epoll_) return fail_errno("cannot create an epoll instance", errno);
  return poller;
}

Status Poller::watch_stream(int fd) {
  return add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}
Status Poller::watch_bell(int fd) {
  return add(fd, EPOLLIN);
}
Status Poller::watch_listener(int fd) {
  return add(fd, EPOLLIN | EPOLLEXCLUSIVE);
}

Status Poller::add(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return fail_errno("cannot watch descriptor " + std::to_string(fd), errno);
  }
  return {};
}

void Poller::forget(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

std::span<const Event> Poller::wait(int timeout_ms) {
  std::array<epoll_event, kEventsAWait> seen;
  const int count = ::epoll_wait(epoll_.get(), seen.data(), kEventsAWait, timeout_ms);
  if (count <= 0) return {};  // a time-out, or a signal: its handler has left word elsewhere
  return take_in(std::span(seen).first(static_cast<std::size_t>(count)));
}

std::span<const Event> Poller::wait_ns(std::uint64_t timeout_ns) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  std::array<epoll_event, kEventsAWait> seen;
  const timespec timeout{static_cast<time_t>(timeout_ns / kSecond), static_cast<long>(timeout_ns % kSecond)};
  const int count = ::epoll_pwait2(epoll_.get(), seen.data(), kEventsAWait, &timeout, nullptr);
  if (count < 0 && (errno == ENOSYS || errno == EPERM)) {
    return wait(static_cast<int>((timeout_ns + 999'999) / 1'000'000));
  }
  if (count <= 0) return {};
  return take_in(std::span(seen).first(static_cast<std::size_t>(count)));
}

std::span<const Event> Poller::take_in(std::span<const epoll_event> seen) {
  std::size_t count = 0;
  for (const epoll_event& event : seen) {
    const bool ending = (event.events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0;
    events_[count++] = {event.data.fd, ending || (event.events & EPOLLIN) != 0,
                        ending || (event.events & EPOLLOUT) != 0, ending};
  }
  return std::span<const Event>(events_).first(count);
}

}  // namespace minivault::net
