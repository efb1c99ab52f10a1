// Loaded in front of libc (LD_PRELOAD) into a node under test: every file system says that it is of the type
// ODD_FILE_SYSTEM, a number in hexadecimal.

#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

extern "C" int statfs(const char* path, struct statfs* facts) noexcept {
  const long done = ::syscall(SYS_statfs, path, facts);
  const char* type = std::getenv("ODD_FILE_SYSTEM");
  if (done == 0 && type != nullptr)
    facts->f_type = static_cast<decltype(facts->f_type)>(std::strtoul(type, nullptr, 16));
  return static_cast<int>(done);
}
