// Loaded in front of libc (LD_PRELOAD) into a node under test: as long as the file FAILING_DISK_FILE is
// there, nothing can be synced to the disk. Who appends kFatal while the file FATAL_WRITE_FILE is there dies
// behind that write, and the file is gone.

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace {

constexpr char kFatal[] = "fatal write";

bool is_fatal(const iovec* pieces, int count) {
  const char* path = std::getenv("FATAL_WRITE_FILE");
  if (path == nullptr) return false;
  for (int i = 0; i < count; ++i) {
    const bool has_it = ::memmem(pieces[i].iov_base, pieces[i].iov_len, kFatal, sizeof kFatal - 1) != nullptr;
    if (has_it) return ::unlink(path) == 0;
  }
  return false;
}

bool is_broken() {
  const char* path = std::getenv("FAILING_DISK_FILE");
  return path != nullptr && ::access(path, F_OK) == 0;
}

int fail() {
  errno = EIO;
  return -1;
}

}  // namespace

extern "C" int fdatasync(int fd) {
  return is_broken() ? fail() : static_cast<int>(::syscall(SYS_fdatasync, fd));
}

extern "C" int fsync(int fd) {
  return is_broken() ? fail() : static_cast<int>(::syscall(SYS_fsync, fd));
}

extern "C" int msync(void* begin, size_t size, int flags) noexcept(noexcept(::msync(begin, size, flags))) {
  return is_broken() ? fail() : static_cast<int>(::syscall(SYS_msync, begin, size, flags));
}

extern "C" ssize_t pwritev(int fd, const iovec* pieces, int count, off_t offset) {
  const ssize_t written = ::syscall(SYS_pwritev, fd, pieces, count, offset, 0);
  if (is_fatal(pieces, count)) ::raise(SIGKILL);
  return written;
}
