#include "tests/support/processes.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "common/core/unique_fd.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

struct Status {
  std::map<std::string, std::string> fields;

  [[nodiscard]] std::string field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
  }
};

/// Of a process or one of its threads, by its directory in /proc; nullopt when it is gone or a zombie.
std::optional<Status> status_in(const std::filesystem::path& directory) {
  std::ifstream stream(directory / "status");
  Status status;
  for (std::string line; std::getline(stream, line);) {
    const std::size_t colon = line.find(":\t");
    if (colon != std::string::npos) status.fields[line.substr(0, colon)] = line.substr(colon + 2);
  }
  if (status.fields.empty() || status.field("State").starts_with("Z")) return std::nullopt;
  return status;
}

std::filesystem::path directory_of(pid_t pid) {
  return "/proc/" + std::to_string(pid);
}

std::optional<Status> status_of(pid_t pid) {
  return status_in(directory_of(pid));
}

std::uint64_t kilobytes(const Status& status, const char* name) {
  std::istringstream stream(status.field(name));
  std::uint64_t value = 0;
  stream >> value;
  return value;
}

std::vector<Process> all_processes() {
  std::vector<Process> processes;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t pid = std::stoi(name);
    const auto status = status_of(pid);
    if (status) processes.push_back({pid, std::stoi("0" + status->field("PPid")), status->field("Name")});
  }
  return processes;
}

}  // namespace

std::vector<Process> descendants_of(pid_t ancestor) {
  const std::vector<Process> all = all_processes();
  std::vector<Process> found;
  std::vector<pid_t> parents{ancestor};
  while (!parents.empty()) {
    const pid_t parent = parents.back();
    parents.pop_back();
    for (const Process& process : all) {
      if (process.parent != parent) continue;
      found.push_back(process);
      parents.push_back(process.pid);
    }
  }
  return found;
}

bool is_alive(pid_t pid) {
  return status_of(pid).has_value();
}

bool is_stopped(pid_t pid) {
  std::error_code gone;
  for (const auto& thread : std::filesystem::directory_iterator(directory_of(pid) / "task", gone)) {
    const auto status = status_in(thread.path());
    if (status && !status->field("State").starts_with("T")) return false;
  }
  return true;
}

void suspend(pid_t pid) {
  ::kill(pid, SIGSTOP);
  eventually("process " + std::to_string(pid) + " stands still", [pid] { return is_stopped(pid); });
}

bool waits_in_futex(pid_t pid) {
  std::ifstream file(directory_of(pid) / "syscall");
  long number = -1;
  return (file >> number) && number == SYS_futex;
}

std::uint64_t resident_bytes(pid_t pid) {
  const auto status = status_of(pid);
  if (!status) return 0;
  return (kilobytes(*status, "RssAnon") + kilobytes(*status, "RssShmem")) << 10U;
}

std::uint64_t peak_resident_bytes(pid_t pid) {
  const auto status = status_of(pid);
  return status ? kilobytes(*status, "VmHWM") << 10U : 0;
}

std::uint16_t free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), generic, size) != 0 || ::getsockname(fd.get(), generic, &size) != 0) {
    throw std::runtime_error("no free port");
  }
  return ntohs(address.sin_port);
}

}  // namespace minivault::test
