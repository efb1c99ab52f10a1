#include "tests/store/faulty_disk.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>
#include <span>
#include <stdexcept>
#include <vector>

namespace minivault::test {
namespace {

/// The recorder that is on, in every process alike: it lies at the same address after a fork.
struct Control {
  DiskFaults faults;
  std::atomic<DiskRecorder*> recorder{nullptr};
};

Control* make_control() {
  void* at = ::mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) std::abort();
  return new (at) Control{};  // placement; lives as long as the process
}

Control& control() {
  static Control* const shared = make_control();
  return *shared;
}

std::uint64_t now_ns() {
  timespec now{};
  ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

bool counted_down(std::atomic<std::int64_t>& counter) {
  return counter.load() >= 0 && counter.fetch_sub(1) == 0;
}

/// Whether a call that needs a new block shall fail for want of one.
bool no_block_left() {
  DiskFaults& faults = control().faults;
  if (counted_down(faults.blocks_until_full)) faults.full.store(1);
  return faults.full.load() != 0;
}

/// How many of the `size` bytes at `offset` find a place; less than all when the disk is full.
std::size_t bytes_that_fit(int fd, std::uint64_t offset, std::size_t size) {
  DiskFaults& faults = control().faults;
  if (faults.full.load() == 0 && faults.blocks_until_full.load() < 0) return size;
  struct stat file {};
  if (::fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) return size;
  const auto end = static_cast<std::uint64_t>(file.st_size);
  if (offset + size <= end || !no_block_left()) return size;
  return offset >= end ? 0 : end - offset;
}

/// Runs `write` on a prefix of the bytes that finds a place, and records it.
template <typename Write>
ssize_t record_write(int fd, std::uint64_t offset, std::span<const iovec> pieces, Write&& write) {
  std::size_t size = 0;
  for (const iovec& piece : pieces) size += piece.iov_len;
  const std::size_t fits = bytes_that_fit(fd, offset, size);
  if (fits == 0 && size > 0) {
    errno = ENOSPC;
    return -1;
  }
  DiskRecorder* recorder = control().recorder.load();
  const std::uint32_t file = recorder != nullptr ? recorder->find(fd) : DiskRecorder::kNoFile;
  if (file == DiskRecorder::kNoFile) return write(fits);
  std::string bytes;
  bytes.reserve(size);
  for (const iovec& piece : pieces) bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  recorder->lock();
  const ssize_t written = write(fits);
  std::uint64_t index = 0;
  if (written > 0) {
    bytes.resize(static_cast<std::size_t>(written));
    index = recorder->append(DiskEvent::Kind::kWrite, file, offset, bytes);
  }
  recorder->unlock();
  if (written > 0 && (::fcntl(fd, F_GETFL) & O_DSYNC) != 0) {
    if (counted_down(control().faults.synced_writes_until_death)) ::raise(SIGKILL);
    recorder->lock();
    recorder->append(DiskEvent::Kind::kWriteSync, file, index, {});
    recorder->unlock();
  }
  return written;
}

void wait_while_held() {
  DiskFaults& faults = control().faults;
  if (faults.hold_syncs.load() == 0) return;
  faults.held_syncs.fetch_add(1);
  while (faults.hold_syncs.load() != 0) ::usleep(1'000);
  faults.held_syncs.fetch_sub(1);
}

int sync_file(int fd, long call) {
  DiskFaults& faults = control().faults;
  int error = faults.sync_error.load();
  if (error != 0 && faults.sync_errors_left.load() >= 0 && faults.sync_errors_left.fetch_sub(1) <= 0) {
    faults.sync_errors_left.store(0);
    error = 0;
  }
  DiskRecorder* recorder = control().recorder.load();
  const std::uint32_t file = recorder != nullptr ? recorder->find(fd) : DiskRecorder::kNoFile;
  if (file != DiskRecorder::kNoFile) {
    recorder->lock();
    const std::uint64_t begin = recorder->append(DiskEvent::Kind::kSyncBegin, file, 0, {});
    recorder->unlock();
    const std::uint32_t us = faults.log_sync_us.load();
    if (us != 0 && recorder->is_log(file)) ::usleep(us + static_cast<unsigned>(now_ns() % us));
    recorder->lock();
    recorder->append(error == 0 ? DiskEvent::Kind::kSyncEnd : DiskEvent::Kind::kSyncFail, file, begin, {});
    recorder->unlock();
  } else if (recorder != nullptr && recorder->is_directory(fd)) {
    recorder->lock();
    recorder->append(DiskEvent::Kind::kSyncNames, DiskRecorder::kNoFile, 0, {});
    recorder->unlock();
  } else if (error == 0) {
    return static_cast<int>(::syscall(call, fd));
  }
  if (error == 0) return 0;  // what is recorded need not be on a real disk
  errno = error;
  return -1;
}

int allocate(int fd, int mode, std::uint64_t offset, std::uint64_t size) {
  constexpr int kPunchHole = 0x02;
  if ((mode & kPunchHole) == 0 && no_block_left()) return ENOSPC;
  DiskRecorder* recorder = control().recorder.load();
  const std::uint32_t file = recorder != nullptr ? recorder->find(fd) : DiskRecorder::kNoFile;
  if (file != DiskRecorder::kNoFile) recorder->lock();
  const long done = ::syscall(SYS_fallocate, fd, mode, static_cast<off_t>(offset), static_cast<off_t>(size));
  const int error = done == 0 ? 0 : errno;
  if (file != DiskRecorder::kNoFile) {
    if (error == 0 && mode == 0) recorder->append(DiskEvent::Kind::kSize, file, offset + size, {});
    recorder->unlock();
  }
  return error;
}

int open_file(const char* path, int flags, mode_t mode) {
  const auto real = [&] { return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode)); };
  if ((flags & O_CREAT) != 0 && ::access(path, F_OK) != 0 && no_block_left()) {
    errno = ENOSPC;
    return -1;
  }
  DiskRecorder* recorder = control().recorder.load();
  const std::string_view name = recorder != nullptr ? recorder->name_in_directory(path) : std::string_view();
  if (name.empty()) return real();
  recorder->lock();
  const bool existed = ::access(path, F_OK) == 0;
  const int fd = real();
  if (fd >= 0) {
    std::uint32_t file = existed ? recorder->find(fd) : DiskRecorder::kNoFile;
    if (file == DiskRecorder::kNoFile) {
      file = recorder->add(fd, name.starts_with("changes.log"));
      recorder->append(existed ? DiskEvent::Kind::kAdopt : DiskEvent::Kind::kCreate, file, 0, name);
    }
    if (existed && (flags & O_TRUNC) != 0) recorder->append(DiskEvent::Kind::kTruncate, file, 0, {});
  }
  recorder->unlock();
  return fd;
}

}  // namespace

DiskFaults& disk_faults() {
  return control().faults;
}

DiskRecorder::DiskRecorder(std::uint64_t capacity_bytes) : capacity_(capacity_bytes) {
  void* at = ::mmap(nullptr, sizeof(Shared) + capacity_bytes, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::runtime_error("no memory for a recording");
  shared_ = new (at) Shared{};  // placement; unmapped in the destructor
  events_ = static_cast<char*>(at) + sizeof(Shared);
  pthread_mutexattr_t kind;
  ::pthread_mutexattr_init(&kind);
  ::pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  ::pthread_mutex_init(&shared_->mutex, &kind);
}

DiskRecorder::~DiskRecorder() {
  stop();
  ::munmap(shared_, sizeof(Shared) + capacity_);
}

void DiskRecorder::start(const std::string& directory) {
  if (directory.size() >= shared_->directory.size()) throw std::runtime_error("a long name");
  std::strcpy(shared_->directory.data(), directory.c_str());
  control().recorder.store(this);
}

void DiskRecorder::stop() {
  DiskRecorder* mine = this;
  control().recorder.compare_exchange_strong(mine, nullptr);
}

void DiskRecorder::clear() {
  shared_->used.store(0);
  shared_->count.store(0);
  shared_->files.store(0);
  shared_->overflowed.store(0);
}

void DiskRecorder::note(std::string_view bytes) {
  lock();
  append(DiskEvent::Kind::kNote, kNoFile, 0, bytes);
  unlock();
}

DiskRecorder::Pause::Pause(DiskRecorder& recorder) : recorder_(recorder) {
  recorder_.lock();
}
DiskRecorder::Pause::~Pause() {
  recorder_.unlock();
}

void DiskRecorder::lock() {
  if (::pthread_mutex_lock(&shared_->mutex) == EOWNERDEAD) ::pthread_mutex_consistent(&shared_->mutex);
}
void DiskRecorder::unlock() {
  ::pthread_mutex_unlock(&shared_->mutex);
}

std::uint64_t DiskRecorder::append(DiskEvent::Kind kind, std::uint32_t file, std::uint64_t offset,
                                   std::string_view bytes) {
  const std::uint64_t at = shared_->used.load();
  const std::uint64_t size = padded(sizeof(DiskEvent) + bytes.size());
  if (at + size > capacity_) {
    shared_->overflowed.store(1);
    return 0;
  }
  const DiskEvent event{kind, file, offset, bytes.size(), now_ns()};
  std::memcpy(events_ + at, &event, sizeof event);
  if (!bytes.empty()) std::memcpy(events_ + at + sizeof event, bytes.data(), bytes.size());
  shared_->used.store(at + size);
  return shared_->count.fetch_add(1);
}

std::uint32_t DiskRecorder::find(int fd) const {
  struct stat file {};
  if (::fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) return kNoFile;
  for (std::uint32_t i = shared_->files.load(); i > 0; --i) {  // an inode's number can come back
    const Shared::File& known = shared_->file[i - 1];
    if (known.device == file.st_dev && known.inode == file.st_ino) return i - 1;
  }
  return kNoFile;
}

std::uint32_t DiskRecorder::add(int fd, bool is_log) {
  struct stat file {};
  const std::uint32_t index = shared_->files.load();
  if (::fstat(fd, &file) != 0 || index >= shared_->file.size()) std::abort();
  shared_->file[index] = {file.st_dev, file.st_ino, is_log};
  shared_->files.store(index + 1);
  return index;
}

bool DiskRecorder::is_directory(int fd) const {
  struct stat file {};
  struct stat mine {};
  return ::fstat(fd, &file) == 0 && S_ISDIR(file.st_mode) && ::stat(shared_->directory.data(), &mine) == 0 &&
         file.st_ino == mine.st_ino;
}

std::string_view DiskRecorder::name_in_directory(std::string_view path) const {
  const std::string_view directory = shared_->directory.data();
  if (!path.starts_with(directory) || path.size() <= directory.size() + 1) return {};
  const std::string_view name = path.substr(directory.size() + 1);
  for (const std::string_view recorded : {"changes.log", "changes.log.new", "base.mdb", "base.mdb.new"}) {
    if (name == recorded) return name;
  }
  return {};
}

}  // namespace minivault::test

// liblmdb and the project's code find these before the C library's.
extern "C" {

using minivault::test::control;

ssize_t pwritev(int fd, const iovec* pieces, int count, off_t offset) {
  const std::span<const iovec> all(pieces, static_cast<std::size_t>(count));
  return minivault::test::record_write(
      fd, static_cast<std::uint64_t>(offset), all, [&](std::size_t fits) -> ssize_t {
        std::size_t size = 0;
        for (const iovec& piece : all) size += piece.iov_len;
        if (fits == size) return ::syscall(SYS_pwritev, fd, pieces, count, offset, 0);
        return ::syscall(SYS_pwrite64, fd, pieces->iov_base, std::min(fits, pieces->iov_len), offset);
      });
}

ssize_t pwrite(int fd, const void* bytes, std::size_t size, off_t offset) {
  const iovec piece{const_cast<void*>(bytes), size};
  return minivault::test::record_write(
      fd, static_cast<std::uint64_t>(offset), {&piece, 1},
      [&](std::size_t fits) -> ssize_t { return ::syscall(SYS_pwrite64, fd, bytes, fits, offset); });
}

ssize_t writev(int fd, const iovec* pieces, int count) {
  const auto offset = static_cast<std::uint64_t>(std::max<off_t>(::lseek(fd, 0, SEEK_CUR), 0));
  const std::span<const iovec> all(pieces, static_cast<std::size_t>(count));
  return minivault::test::record_write(fd, offset, all, [&](std::size_t fits) -> ssize_t {
    std::size_t size = 0;
    for (const iovec& piece : all) size += piece.iov_len;
    if (fits == size) return ::syscall(SYS_writev, fd, pieces, count);
    return ::syscall(SYS_write, fd, pieces->iov_base, std::min(fits, pieces->iov_len));
  });
}

ssize_t write(int fd, const void* bytes, std::size_t size) {
  const auto offset = static_cast<std::uint64_t>(std::max<off_t>(::lseek(fd, 0, SEEK_CUR), 0));
  const iovec piece{const_cast<void*>(bytes), size};
  return minivault::test::record_write(fd, offset, {&piece, 1}, [&](std::size_t fits) -> ssize_t {
    return ::syscall(SYS_write, fd, bytes, fits);
  });
}

int fdatasync(int fd) {
  minivault::test::disk_faults().last_data_sync_fd.store(fd);
  minivault::test::wait_while_held();
  return minivault::test::sync_file(fd, SYS_fdatasync);
}
int fsync(int fd) {
  return minivault::test::sync_file(fd, SYS_fsync);
}

int sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags) {
  minivault::test::DiskFaults& seen = minivault::test::disk_faults();
  seen.last_writeback_begin.store(static_cast<std::uint64_t>(offset));
  seen.last_writeback_end.store(static_cast<std::uint64_t>(offset + size));
  return static_cast<int>(::syscall(SYS_sync_file_range, fd, offset, size, flags));
}

int posix_fallocate(int fd, off_t offset, off_t size) {
  return minivault::test::allocate(fd, 0, static_cast<std::uint64_t>(offset),
                                   static_cast<std::uint64_t>(size));
}
int fallocate(int fd, int mode, off_t offset, off_t size) {
  const int error = minivault::test::allocate(fd, mode, static_cast<std::uint64_t>(offset),
                                              static_cast<std::uint64_t>(size));
  errno = error != 0 ? error : errno;
  return error == 0 ? 0 : -1;
}

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  return minivault::test::open_file(path, flags, mode);
}

int rename(const char* from, const char* to) noexcept {
  minivault::test::DiskRecorder* recorder = control().recorder.load();
  const std::string_view old_name =
      recorder != nullptr ? recorder->name_in_directory(from) : std::string_view();
  if (old_name.empty()) return static_cast<int>(::syscall(SYS_rename, from, to));
  recorder->lock();
  const int done = static_cast<int>(::syscall(SYS_rename, from, to));
  if (done == 0) {
    const std::string names = std::string(old_name) + '\0' + std::string(recorder->name_in_directory(to));
    recorder->append(minivault::test::DiskEvent::Kind::kRename, minivault::test::DiskRecorder::kNoFile, 0,
                     names);
  }
  recorder->unlock();
  return done;
}

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  using Call = int (*)(clockid_t, timespec*);
  static const Call real = reinterpret_cast<Call>(::dlsym(RTLD_NEXT, "clock_gettime"));
  const int got = real(clock, now);
  if (clock != CLOCK_REALTIME || got != 0) return got;
  const std::int64_t offset_ms = control().faults.clock_offset_ms.load(std::memory_order_relaxed);
  if (offset_ms == 0) return 0;
  const std::int64_t ns = (now->tv_sec * 1'000 + offset_ms) * 1'000'000 + now->tv_nsec;
  now->tv_sec = ns / 1'000'000'000;
  now->tv_nsec = ns % 1'000'000'000;
  return 0;
}

}  // extern "C"
