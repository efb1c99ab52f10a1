#include "tests/support/fault_proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

namespace minivault::test {
namespace {

using Clock = FaultProxyPipe::Clock;

constexpr std::size_t kThere = 0;
constexpr std::size_t kBack = 1;

std::size_t number(Way way) {
  return way == Way::kThere ? kThere : kBack;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::uint16_t port_of(const sockaddr_in& address) {
  return ntohs(address.sin_port);
}

void close_with_reset(UniqueFd& fd) {
  const linger at_once{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  fd.reset();
}

void send_at_once(const UniqueFd& fd) {
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// A connection to `port` under way; none where that fails at once.
UniqueFd start_connecting(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  send_at_once(fd);
  const sockaddr_in address = loopback(port);
  const int status = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (status != 0 && errno != EINPROGRESS) fd.reset();
  return fd;
}

}  // namespace

struct FaultProxy::Connection {
  Connection(UniqueFd from, UniqueFd to, Link of)
      : caller(std::move(from)),
        target(std::move(to)),
        link(of),
        pipes{{caller.get(), target.get()}, {target.get(), caller.get()}} {}

  UniqueFd caller;
  UniqueFd target;
  Link link;
  bool connecting = true;
  bool broken = false;  ///< to be reset
  FaultProxyPipe pipes[kWays];

  [[nodiscard]] bool finished() const { return pipes[kThere].finished() && pipes[kBack].finished(); }
};

/// The bell, the listener, then caller and target of each connection.
struct FaultProxy::PollSet {
  std::vector<pollfd> entries;
  std::optional<Clock::time_point> next;

  void add(int fd, short events) { entries.push_back({events != 0 ? fd : -1, events, 0}); }
  void until(std::optional<Clock::time_point> due) {
    if (due && (!next || *due < *next)) next = due;
  }
  void wait() {
    timespec pause{};
    if (next) {
      const auto left = std::max(*next - Clock::now(), Clock::duration(0));
      const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
      pause = {seconds.count(), std::chrono::nanoseconds(left - seconds).count()};
    }
    if (::ppoll(entries.data(), entries.size(), next ? &pause : nullptr, nullptr) >= 0) return;
    for (pollfd& entry : entries) entry.revents = 0;
  }
};

FaultProxy::FaultProxy(unsigned links, Chooser chooser)
    : chooser_(std::move(chooser)),
      listener_(listen_on_loopback(SOCK_NONBLOCK)),
      bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      links_(links) {
  thread_ = std::jthread([this] { run(); });
}

FaultProxy::~FaultProxy() {
  change([this] { stopping_ = true; });
  thread_.join();
}

void FaultProxy::change(const std::function<void()>& what) {
  const std::scoped_lock lock(mutex_);
  what();
  wake();
}

void FaultProxy::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(bell_.get(), &one, sizeof one);
}

void FaultProxy::forward_to(std::uint16_t port) {
  change([&] { target_ = port; });
}

void FaultProxy::set(Way way, Faults faults, Link link) {
  change([&] { links_.at(link).faults[number(way)] = faults; });
}

void FaultProxy::set(Faults faults, Link link) {
  change([&] { std::fill_n(links_.at(link).faults, kWays, faults); });
}

void FaultProxy::refuse(bool refused, Link link) {
  change([&] { links_.at(link).refused = refused; });
}

void FaultProxy::cut(Link link) {
  change([&] {
    for (const auto& connection : connections_) connection->broken |= connection->link == link;
  });
}

void FaultProxy::cut_after(std::uint64_t bytes, Way way, Link link) {
  change([&] { links_.at(link).left_before_cut[number(way)] = bytes; });
}

void FaultProxy::heal(Link link) {
  change([&] {
    LinkState& state = links_.at(link);
    std::fill_n(state.faults, kWays, Faults{});
    std::fill_n(state.left_before_cut, kWays, kNoCut);
    state.refused = false;
  });
}

std::uint64_t FaultProxy::bytes(Way way, Link link) const {
  const std::scoped_lock lock(mutex_);
  return links_.at(link).bytes[number(way)];
}

unsigned FaultProxy::accepted(Link link) const {
  const std::scoped_lock lock(mutex_);
  return links_.at(link).accepted;
}

unsigned FaultProxy::open(Link link) const {
  const std::scoped_lock lock(mutex_);
  return static_cast<unsigned>(
      std::count_if(connections_.begin(), connections_.end(),
                    [&](const auto& connection) { return connection->link == link && !connection->broken; }));
}

void FaultProxy::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    PollSet set = poll_set();
    lock.unlock();
    set.wait();
    std::uint64_t rung = 0;
    [[maybe_unused]] const ssize_t got = ::read(bell_.get(), &rung, sizeof rung);
    if (set.entries[1].revents != 0) accept_all();
    lock.lock();
    for (std::size_t i = 2; i < set.entries.size(); i += 2) {
      serve(*connections_[i / 2 - 1], set.entries[i].revents, set.entries[i + 1].revents);
    }
    std::erase_if(connections_, [](const auto& connection) {
      if (!connection->broken) return connection->finished();
      close_with_reset(connection->caller);
      close_with_reset(connection->target);
      return true;
    });
  }
}

FaultProxy::PollSet FaultProxy::poll_set() const {
  PollSet set;
  set.add(bell_.get(), POLLIN);
  set.add(listener_.fd.get(), POLLIN);
  for (const auto& connection : connections_) {
    const LinkState& link = links_[connection->link];
    short events[kWays] = {0, 0};
    for (std::size_t way = 0; way < kWays; ++way) {
      const FaultProxyPipe& pipe = connection->pipes[way];
      if (pipe.wants_to_read(link.faults[way])) events[way] |= POLLIN;
      if (pipe.blocked()) events[1 - way] |= POLLOUT;
      if (!connection->connecting) set.until(pipe.due(link.faults[way]));
    }
    set.add(connection->caller.get(), connection->connecting ? short{0} : events[kThere]);
    set.add(connection->target.get(), connection->connecting ? short{POLLOUT} : events[kBack]);
  }
  return set;
}

void FaultProxy::serve(Connection& connection, short caller_events, short target_events) {
  if (connection.connecting && target_events != 0) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(connection.target.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    connection.broken |= error != 0;
    connection.connecting = false;
  }
  const short events[kWays] = {caller_events, target_events};
  for (std::size_t way = 0; way < kWays && !connection.connecting && !connection.broken; ++way) {
    if ((events[way] & ~POLLOUT) != 0) connection.pipes[way].read(links_[connection.link].faults[way]);
    connection.broken |= !deliver(connection, way);
  }
}

bool FaultProxy::deliver(Connection& connection, std::size_t way) {
  LinkState& link = links_[connection.link];
  std::uint64_t& left = link.left_before_cut[way];
  std::uint64_t delivered = 0;
  const auto outcome = connection.pipes[way].deliver(link.faults[way], left, delivered);
  link.bytes[way] += delivered;
  if (left != kNoCut) left = left == delivered ? kNoCut : left - delivered;
  return outcome == FaultProxyPipe::Delivery::kGoesOn;
}

/// Without the lock: a chooser may take its time.
void FaultProxy::accept_all() {
  for (;;) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    UniqueFd caller(::accept4(listener_.fd.get(), reinterpret_cast<sockaddr*>(&address), &size,
                              SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!caller) return;
    send_at_once(caller);
    const auto link = chooser_ ? chooser_(port_of(address)) : std::optional<Link>(0);
    const std::scoped_lock lock(mutex_);
    accept_one(std::move(caller), link);
  }
}

void FaultProxy::accept_one(UniqueFd caller, std::optional<Link> link) {
  if (link) ++links_.at(*link).accepted;
  const bool wanted = link && !links_[*link].refused && target_ != 0;
  UniqueFd target = wanted ? start_connecting(target_) : UniqueFd();
  if (!target) return close_with_reset(caller);
  connections_.push_back(std::make_unique<Connection>(std::move(caller), std::move(target), *link));
}

}  // namespace minivault::test
