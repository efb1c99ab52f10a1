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
    char text[16] = {};
    if (::pread(lock_fd, text, sizeof text - 1, 0) > 0) pids = text;
    pids.erase(pids.find_last_not_of('\n') + 1);
  }
  return pids.empty() ? "another process" : "pid " + pids;
}

Status make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_errno("cannot make the data directory " + path, errno);
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

Result<DataDirectory> DataDirectory::claim(const std::string& path, std::chrono::milliseconds patience) {
  if (Status made = make_directory(path); !made) return tl::unexpected(made.error());
  const std::string file = path + "/minivault.lock";
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("cannot write to the data directory: " + file, errno);
  if (Status locked = lock(fd, path, patience); !locked) return tl::unexpected(locked.error());

  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0 ||
      ::pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return fail_errno("cannot write to the data directory: " + file, errno);
  }
  return DataDirectory(std::move(fd));
}

}  // namespace minivault::supervisor
