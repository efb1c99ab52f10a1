#include "supervisor/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "common/core/clock.h"
#include "common/core/file_system.h"
#include "common/process/lock_file.h"

namespace minivault::supervisor {
namespace {

namespace fs = std::filesystem;

/// fdinfo of a descriptor has a `lock:` line only in a process that holds the lock through it; a process that
/// merely has the file open, waiting as we do, has none.
bool holds_lock(const fs::path& process, const fs::path& fd, const struct stat& lock_file) {
  struct stat opened {};
  if (::stat(fd.c_str(), &opened) != 0) return false;
  if (opened.st_dev != lock_file.st_dev || opened.st_ino != lock_file.st_ino) return false;
  std::ifstream info(process / "fdinfo" / fd.filename());
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("lock:", 0) == 0) return true;
  }
  return false;
}

bool is_holder(const fs::path& process, const struct stat& lock_file) {
  std::error_code error;  // processes come and go, and some are not ours to look at: both are no holders
  for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end; fd.increment(error)) {
    if (holds_lock(process, fd->path(), lock_file)) return true;
  }
  return false;
}

/// `pid 12, 13`, or what the lock file says if /proc does not tell.
std::string holders(int lock_fd) {
  struct stat lock_file {};
  ::fstat(lock_fd, &lock_file);
  std::string pids;
  std::error_code error;
  for (fs::directory_iterator process("/proc", error), end; !error && process != end;
       process.increment(error)) {
    const std::string name = process->path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (!is_holder(process->path(), lock_file)) continue;
    pids += (pids.empty() ? "" : ", ") + name;
  }
  if (pids.empty()) {
    if (const pid_t pid = read_lock_note(lock_fd).pid; pid != 0) pids = std::to_string(pid);
  }
  return pids.empty() ? "another process" : "pid " + pids;
}

/// With what helps, where the directory belongs to somebody else.
tl::unexpected<Error> refuse(const std::string& what, const std::string& directory, int error_number) {
  const auto error = fail_errno(what, error_number);
  if (error_number != EACCES && error_number != EPERM) return error;
  const std::string user = current_user_name();
  return fail(Code::kUnauthorized, error.value().message + " (as user " + user +
                                       "; if it is meant to be theirs: chown -R " + user + " " + directory +
                                       ")");
}

Status make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return refuse("cannot make the data directory " + path, path, errno);
  }
  // Also where it was there: who made it may have died before this, or be no node.
  return sync_name_of(path);
}

Status lock(const UniqueFd& fd, const std::string& path, std::chrono::milliseconds patience) {
  const std::uint64_t deadline_ms = monotonic_ms() + static_cast<std::uint64_t>(patience.count());
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno("cannot lock " + path, errno);
    if (monotonic_ms() >= deadline_ms) {
      return fail(Code::kBusy, "the data directory " + path + " is in use by " + holders(fd.get()));
    }
    // The kernel offers no lock with a time-out, and this happens once in the life of a node.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

}  // namespace

Status prepare_for(const User& user, const std::string& path) {
  const bool is_new = ::mkdir(path.c_str(), 0700) == 0;
  if (!is_new && errno != EEXIST) return fail_errno("cannot make the data directory " + path, errno);
  const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat facts {};
  if (!directory || ::fstat(directory.get(), &facts) != 0) {
    return fail_errno("cannot open the data directory " + path, errno);
  }
  std::error_code unreadable;
  const bool is_empty = fs::is_empty("/proc/self/fd/" + std::to_string(directory.get()), unreadable);
  if (is_new) {  // whom it is given to may not be let into the one above
    if (Status named = sync_name_of(path); !named) return named;
  }
  if (facts.st_uid != 0 || user.uid == 0 || !(is_new || (is_empty && !unreadable))) return {};
  if (::fchown(directory.get(), user.uid, user.gid) == 0) return {};
  return fail_errno("cannot give the data directory " + path + " to " + user.name, errno);
}

Result<DataDirectory> DataDirectory::claim(const std::string& path, std::chrono::milliseconds patience) {
  if (Status made = make_directory(path); !made) return tl::unexpected(made.error());
  const std::string file = lock_file_of(path);
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return refuse("cannot write to the data directory: " + file, path, errno);
  if (Status locked = lock(fd, path, patience); !locked) return tl::unexpected(locked.error());

  DataDirectory directory(std::move(fd));
  if (Status noted = directory.note({.pid = ::getpid()}); !noted) {
    return fail(Code::kIo, "cannot write to the data directory: " + file + ": " + noted.error().message);
  }
  return directory;
}

Status DataDirectory::note(const LockNote& note) const {
  const std::string text = lock_text(note);
  // In this order: a reader never finds less than it found before.
  if (::pwrite(lock_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ::ftruncate(lock_.get(), static_cast<off_t>(text.size())) != 0) {
    return fail_errno("lock file", errno);
  }
  return {};
}

}  // namespace minivault::supervisor
