#include "supervisor/service_manager.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/unique_fd.h"

namespace minivault::supervisor {
namespace {

std::string take_variable(const char* name) {
  const char* text = std::getenv(name);
  std::string taken = text == nullptr ? "" : text;
  ::unsetenv(name);
  return taken;
}

std::optional<std::uint64_t> number_in(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// True if all of `lines` went to the socket; else errno says why not.
bool send_to(const std::string& socket_name, const std::string& lines) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool is_abstract = socket_name.front() == '@';
  if (socket_name.size() >= sizeof address.sun_path || (!is_abstract && socket_name.front() != '/')) {
    errno = EINVAL;
    return false;
  }
  std::memcpy(address.sun_path, socket_name.data(), socket_name.size());
  if (is_abstract) address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_name.size());
  // Opened each time: no descriptor that a child would have to close, and a manager that starts anew is
  // found.
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return false;
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  return ::sendto(socket.get(), lines.data(), lines.size(), MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&address), size) == static_cast<ssize_t>(lines.size());
}

}  // namespace

ServiceManager ServiceManager::take_from_environment() {
  ServiceManager manager;
  manager.socket_ = take_variable("NOTIFY_SOCKET");
  const std::optional<std::uint64_t> watchdog_us = number_in(take_variable("WATCHDOG_USEC"));
  const std::string watched = take_variable("WATCHDOG_PID");
  const bool is_ours = watched.empty() || number_in(watched) == static_cast<std::uint64_t>(::getpid());
  if (watchdog_us && *watchdog_us >= 1'000 && is_ours) manager.watchdog_ms_ = *watchdog_us / 1'000;
  return manager;
}

void ServiceManager::ready(std::string_view status) {
  status_ = status;
  tell("READY=1\nSTATUS=" + status_);
}

void ServiceManager::reloading() {
  tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_ns() / 1'000));
}

void ServiceManager::stopping() {
  tell("STOPPING=1");
}

void ServiceManager::status(std::string_view text) {
  if (status_ == text) return;
  status_ = text;
  tell("STATUS=" + status_);
}

void ServiceManager::extend(std::uint64_t ms) {
  tell("EXTEND_TIMEOUT_USEC=" + std::to_string(ms * 1'000));
}

void ServiceManager::alive(std::uint64_t now_ms) {
  if (!watchdog_ms_ || now_ms < next_sign_ms_) return;
  next_sign_ms_ = now_ms + *watchdog_ms_ / 2;
  tell("WATCHDOG=1");
}

void ServiceManager::tell(const std::string& lines) {
  if (socket_.empty() || send_to(socket_, lines)) return;
  const int error = errno;
  if (std::exchange(complained_, true)) return;
  log_line(LogLevel::kWarning, "service_manager_not_told",
           {{"socket", socket_}, {"error", std::strerror(error)}});
}

}  // namespace minivault::supervisor
