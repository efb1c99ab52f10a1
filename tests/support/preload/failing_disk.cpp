// Loaded in front of libc (LD_PRELOAD) into a node under test: as long as the file FAILING_DISK_FILE is
// there, nothing can be synced to the disk.

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace {

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
