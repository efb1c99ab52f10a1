// Loaded in front of libc (LD_PRELOAD) into a node under test: its wall clock is off by the milliseconds that
// stand in the file SKEWED_CLOCK_FILE, as a binary number, at every look. The node needs no code for it, and
// its clock can jump while it runs.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

std::int64_t offset_ms() {
  // Mapped once and inherited by every fork. Left mapped: clocks are read to the last moment.
  static const auto* const word = [] {
    const char* path = std::getenv("SKEWED_CLOCK_FILE");
    const int fd = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
    void* map = fd < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0) ::close(fd);
    return map == MAP_FAILED ? nullptr : static_cast<const std::atomic<std::int64_t>*>(map);
  }();
  return word == nullptr ? 0 : word->load(std::memory_order_relaxed);
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const long status = ::syscall(SYS_clock_gettime, clock, now);
  if (status != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
    return static_cast<int>(status);
  const std::int64_t ns = now->tv_sec * kSecondNs + now->tv_nsec + offset_ms() * 1'000'000;
  now->tv_sec = ns / kSecondNs;
  now->tv_nsec = ns % kSecondNs;
  return 0;
}
