#include "supervisor/passed_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minivault::supervisor {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr std::string_view kBinaryName = "binary";
constexpr std::string_view kHttpName = "http";

std::string take_variable(const char* name) {
  const char* text = std::getenv(name);
  std::string taken = text == nullptr ? "" : text;
  ::unsetenv(name);
  return taken;
}

std::optional<int> number_in(const std::string& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The names between colons; as many as there are descriptors, empty where one has none.
std::vector<std::string> split_names(std::string_view text, int count) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t end = text.find(':');
    names.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  names.resize(static_cast<std::size_t>(count));
  return names;
}

int option_of(int socket, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

/// What is wrong with it; nullptr: nothing.
const char* fault_of(int fd) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return "is not open";
  if (!S_ISSOCK(facts.st_mode)) return "is no socket";
  const int family = option_of(fd, SO_DOMAIN);
  const bool is_tcp = (family == AF_INET || family == AF_INET6) && option_of(fd, SO_TYPE) == SOCK_STREAM;
  if (!is_tcp) return "is not a TCP socket (ListenStream= with a port)";
  if (option_of(fd, SO_ACCEPTCONN) != 1) return "does not listen (Accept=no)";
  return nullptr;
}

/// As those that this process opens itself: non-blocking, and for no other program.
bool adopt(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

tl::unexpected<Error> refuse(int fd, const std::string& name, const std::string& fault) {
  const std::string called = name.empty() ? "" : " (" + name + ")";
  return fail(Code::kInvalidArgument,
              "the socket that was passed as descriptor " + std::to_string(fd) + called + " " + fault);
}

}  // namespace

Result<PassedSockets> PassedSockets::take_from_environment() {
  const std::optional<int> pid = number_in(take_variable("LISTEN_PID"));
  const std::string given_text = take_variable("LISTEN_FDS");
  const std::optional<int> given = number_in(given_text);
  const std::string names_text = take_variable("LISTEN_FDNAMES");
  PassedSockets sockets;
  if (pid != ::getpid() || given_text.empty() || given == 0) return sockets;
  if (!given || *given < 0) {
    return fail(Code::kInvalidArgument,
                "LISTEN_FDS says \"" + given_text + "\"; accepted: how many sockets were passed, 0 to 2");
  }
  if (*given > 2) {
    return fail(Code::kInvalidArgument, std::to_string(*given) + " sockets were passed; accepted: one for " +
                                            "-port (binary), one for -http (http)");
  }
  const std::vector<std::string> names = split_names(names_text, *given);
  const auto place = [&](int i, UniqueFd& free) -> Status {
    const std::string& name = names[static_cast<std::size_t>(i)];
    if (free) return refuse(kFirst + i, name, "is the second of its name");
    if (const char* fault = fault_of(kFirst + i)) return refuse(kFirst + i, name, fault);
    if (!adopt(kFirst + i)) return refuse(kFirst + i, name, "cannot be used");
    free = UniqueFd(kFirst + i);
    return {};
  };
  for (const bool named : {true, false}) {
    for (int i = 0; i < *given; ++i) {
      const std::string& name = names[static_cast<std::size_t>(i)];
      if ((name == kBinaryName || name == kHttpName) != named) continue;
      const bool is_http = named ? name == kHttpName : static_cast<bool>(sockets.both);
      if (Status placed = place(i, is_http ? sockets.http : sockets.both); !placed) {
        return tl::unexpected(placed.error());
      }
    }
  }
  return sockets;
}

}  // namespace minivault::supervisor
