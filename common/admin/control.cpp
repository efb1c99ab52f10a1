// `minivault reload` and `minivault drain`: to the supervisor of the node on a data directory, by signals.
// Who may send them is the system's business; nothing of it is reachable over the network.

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "common/admin/claim.h"
#include "common/admin/commands.h"
#include "common/config/loader.h"
#include "common/process/exit_code.h"
#include "common/process/lock_file.h"

namespace minivault::admin {
namespace {

constexpr std::chrono::milliseconds kLookAgain{20};

int refuse(int status, const std::string& why) {
  not_done(why);
  return status;
}

/// The node on a directory: its lock file, and a handle of its supervisor that no other process can inherit.
struct RunningNode {
  std::string directory;
  UniqueFd lock;
  UniqueFd supervisor = {};
  LockNote note = {};
};

// glibc 2.36 declares both without C linkage.
UniqueFd open_process(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}
bool send_to_process(const UniqueFd& process, int number) {
  return ::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0) == 0;
}

std::string name_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

/// The one that was named, or that of the configuration of this machine.
Result<std::string> directory_of(const Arguments& arguments) {
  if (arguments.operands.size() > 1) return fail(Code::kInvalidArgument, "want one DATA directory at most");
  if (!arguments.operands.empty()) return arguments.operands.front();
  return load_config({}).map([](const LoadedConfig& loaded) { return loaded.config.data_directory; });
}

/// Errors: kInvalidArgument (usage), kUnavailable (none runs), kUnauthorized, kIo.
Result<RunningNode> find_node(const Arguments& arguments) {
  Result<std::string> directory = directory_of(arguments);
  if (!directory) return tl::unexpected(directory.error());
  const std::string none = "no node runs on " + *directory;
  const std::string path = lock_file_of(*directory);
  RunningNode node{.directory = *directory,
                   .lock = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK))};
  if (!node.lock) {
    const Code code = errno == ENOENT || errno == ENOTDIR ? Code::kUnavailable : Code::kUnauthorized;
    return fail(code, code == Code::kUnavailable ? none : path + ": " + std::strerror(errno));
  }
  const Result<UniqueFd> claim = claim_to_read(*directory);
  if (claim) return fail(Code::kUnavailable, none);
  if (claim.error().code != Code::kBusy) return tl::unexpected(claim.error());
  node.note = read_lock_note(node.lock.get());
  node.supervisor = open_process(node.note.pid);
  // Held by a backup, or by the children of a supervisor that is gone; or the number means somebody else by
  // now.
  if (node.note.pid == 0 || !node.supervisor || name_of(node.note.pid) != "supervisor") {
    return fail(Code::kUnavailable, none + ", but something holds it: " + claim.error().message);
  }
  return node;
}

int status_of(const Error& error) {
  switch (error.code) {
    case Code::kInvalidArgument:
      return kWrongUsage;
    case Code::kUnauthorized:
      return kExitPermission;
    case Code::kUnavailable:
      return kExitNotRunning;
    default:
      return kNotDone;
  }
}

bool has_ended(const RunningNode& node) {
  pollfd ended{node.supervisor.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) > 0;
}

Status send(const RunningNode& node, int number) {
  if (send_to_process(node.supervisor, number)) return {};
  if (errno == ESRCH) return fail(Code::kUnavailable, "no node runs on " + node.directory);
  const Code code = errno == EPERM ? Code::kUnauthorized : Code::kIo;
  return fail(code, "cannot signal the node on " + node.directory + " (pid " + std::to_string(node.note.pid) +
                        "): " + std::strerror(errno));
}

/// Whether `condition` came true in time.
bool await(const Arguments& arguments, const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + arguments.time_out;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(kLookAgain);
  }
  return true;
}

}  // namespace

int run_reload(const Arguments& arguments) {
  const Result<RunningNode> node = find_node(arguments);
  if (!node) return refuse(status_of(node.error()), node.error().message);
  if (Status sent = send(*node, SIGHUP); !sent) return refuse(status_of(sent.error()), sent.error().message);
  LockNote note;
  const bool in_time = await(arguments, [&] {
    note = read_lock_note(node->lock.get());
    return note.reloads > node->note.reloads || has_ended(*node);
  });
  if (!in_time) return not_done("the node is still reloading; its log tells when it is done");
  if (note.reloads <= node->note.reloads) return not_done("the node ended instead of reloading");
  if (note.outcome != kReloaded) return not_done("not reloaded, all is as before: " + note.outcome);
  std::printf("reloaded\n");
  return kDone;
}

int run_drain(const Arguments& arguments) {
  const Result<RunningNode> node = find_node(arguments);
  if (!node) return refuse(status_of(node.error()), node.error().message);
  // A node that drains takes a second SIGTERM for impatience: whoever asks late waits with the others.
  if (node->note.outcome != kDraining) {
    if (Status sent = send(*node, SIGTERM); !sent) {
      return refuse(status_of(sent.error()), sent.error().message);
    }
  }
  if (!await(arguments, [&] { return has_ended(*node); })) return not_done("the node is still draining");
  const LockNote note = read_lock_note(node->lock.get());
  if (note.outcome != std::string(kStopped) + "0") {
    return not_done("the node ended without a clean end; its next start recovers");
  }
  std::printf("drained and stopped\n");
  return kDone;
}

}  // namespace minivault::admin
