#include "common/admin/claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/process/lock_file.h"

namespace minivault::admin {
namespace {

/// The supervisor wrote its pid into the file.
std::string holder(int fd) {
  const pid_t pid = read_lock_note(fd).pid;
  return pid == 0 ? "another process" : "a node (pid " + std::to_string(pid) + ")";
}

Result<UniqueFd> lock(UniqueFd fd, const std::string& directory, int how) {
  struct stat facts {};
  if (::fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return fail(Code::kIo, lock_file_of(directory) + " is not a regular file");
  }
  while (::flock(fd.get(), how | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return fail_errno("cannot lock " + lock_file_of(directory), errno);
    return fail(Code::kBusy, directory + ": in use by " + holder(fd.get()));
  }
  return fd;
}

}  // namespace

Result<UniqueFd> claim_to_read(const std::string& directory) {
  struct stat facts {};
  if (::stat(directory.c_str(), &facts) != 0) return fail(Code::kNotFound, directory + ": no such directory");
  if (!S_ISDIR(facts.st_mode)) return fail(Code::kNotFound, directory + ": not a directory");
  UniqueFd fd(::open(lock_file_of(directory).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == ENOENT) return UniqueFd();
  if (!fd) return fail_errno("cannot open " + lock_file_of(directory), errno);
  return lock(std::move(fd), directory, LOCK_SH);
}

Result<UniqueFd> claim_to_write(const std::string& directory) {
  UniqueFd fd(::open(lock_file_of(directory).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("cannot open " + lock_file_of(directory), errno);
  return lock(std::move(fd), directory, LOCK_EX);
}

}  // namespace minivault::admin
