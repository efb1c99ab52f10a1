#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

/// A file system that fails on request, and one that remembers what was written and synced when. The calls of
/// the C library that write, sync, allocate and tell the time are replaced for the whole test program,
/// liblmdb in it and all processes that it forks (faulty_disk.cpp). Without a request they do what they
/// always do.
namespace minivault::test {

/// What shall happen. Shared by all processes; a test changes it at any time.
struct DiskFaults {
  /// fdatasync and fsync fail with this errno …
  std::atomic<int> sync_error{0};
  /// … this often; -1: always. Those before succeed.
  std::atomic<std::int64_t> sync_errors_left{-1};
  /// 1: whatever needs a new block (a longer file, a new file, fallocate) fails with ENOSPC.
  std::atomic<std::uint32_t> full{0};
  /// Counted down by whatever needs a new block; `full` when it reaches 0. -1: never.
  std::atomic<std::int64_t> blocks_until_full{-1};
  /// 1: every fdatasync waits …
  std::atomic<std::uint32_t> hold_syncs{0};
  /// … so many now.
  std::atomic<std::uint32_t> held_syncs{0};
  /// Each fdatasync of a recorded log takes so long, up to twice as long.
  std::atomic<std::uint32_t> log_sync_us{0};
  /// Kills the process between a synchronous write (O_DSYNC) of a recorded file and its sync, once counted
  /// down to 0. -1: never.
  std::atomic<std::int64_t> synced_writes_until_death{-1};
  /// Of whatever process: what its last fdatasync was of.
  std::atomic<int> last_data_sync_fd{-1};
  /// Of whatever process: which bytes of a file it sent to the disk last without waiting.
  std::atomic<std::uint64_t> last_writeback_begin{0};
  std::atomic<std::uint64_t> last_writeback_end{0};
  /// Added to the machine's clock.
  std::atomic<std::int64_t> clock_offset_ms{0};
};

[[nodiscard]] DiskFaults& disk_faults();

/// One thing that happened. A write's bytes, a name or a note follow it.
struct DiskEvent {
  enum class Kind : std::uint32_t {
    kCreate,     ///< a new, empty file; bytes: its name
    kAdopt,      ///< a file that was there before the recording; bytes: its name
    kTruncate,   ///< to nothing
    kSize,       ///< at least `offset` bytes long now
    kWrite,      ///< in the page cache
    kSyncBegin,  ///< of the whole file
    kSyncEnd,    ///< `offset`: the index of its begin; what was written before that one is on disk
    kSyncFail,   ///< `offset`: as kSyncEnd; what was written before need not be on disk, ever
    kWriteSync,  ///< `offset`: the index of the kWrite that is on disk now
    kRename,     ///< bytes: old name, \0, new name
    kSyncNames,  ///< of the directory
    kNote        ///< of the test
  };
  Kind kind;
  std::uint32_t file;
  std::uint64_t offset;
  std::uint64_t size;  ///< of the bytes that follow
  std::uint64_t time_ns;
};

/// What several processes do to the files of one directory, in one order. Memory shared by all that is forked
/// after its birth; one at a time is on.
class DiskRecorder {
 public:
  explicit DiskRecorder(std::uint64_t capacity_bytes);
  DiskRecorder(const DiskRecorder&) = delete;
  DiskRecorder& operator=(const DiskRecorder&) = delete;
  ~DiskRecorder();

  /// Records from now on what happens to the log and the base in `directory`.
  void start(const std::string& directory);
  void stop();
  /// Forgets everything.
  void clear();

  void note(std::string_view bytes);
  /// Nobody is between an event and its effect while this lives: the time to kill a process.
  class Pause {
   public:
    explicit Pause(DiskRecorder& recorder);
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    DiskRecorder& recorder_;
  };

  [[nodiscard]] std::uint64_t bytes() const { return shared_->used.load(); }
  /// Everything that does not fit is an error of the test.
  [[nodiscard]] bool overflowed() const { return shared_->overflowed.load() != 0; }

  /// Calls `visit(index, event, bytes)` for every event in order.
  template <typename Visit>
  void replay(Visit&& visit) const {
    std::uint64_t index = 0;
    for (std::uint64_t at = 0; at < bytes(); ++index) {
      const auto* event = reinterpret_cast<const DiskEvent*>(events_ + at);
      visit(index, *event, std::string_view(events_ + at + sizeof *event, event->size));
      at += padded(sizeof *event + event->size);
    }
  }

  /// What the replaced calls need.
  struct Shared {
    pthread_mutex_t mutex;
    std::atomic<std::uint64_t> used{0};
    std::atomic<std::uint64_t> count{0};
    std::atomic<std::uint32_t> overflowed{0};
    std::atomic<std::uint32_t> files{0};
    struct File {
      std::uint64_t device;
      std::uint64_t inode;
      bool is_log;
    };
    std::array<File, 256> file;
    std::array<char, 256> directory;
  };
  static constexpr std::uint32_t kNoFile = ~0U;

  void lock();
  void unlock();
  /// REQUIRES: locked. The event's index.
  std::uint64_t append(DiskEvent::Kind kind, std::uint32_t file, std::uint64_t offset,
                       std::string_view bytes);
  [[nodiscard]] std::uint32_t find(int fd) const;
  std::uint32_t add(int fd, bool is_log);
  [[nodiscard]] bool is_log(std::uint32_t file) const { return shared_->file[file].is_log; }
  [[nodiscard]] bool is_directory(int fd) const;
  /// The name of a recorded file, or nothing.
  [[nodiscard]] std::string_view name_in_directory(std::string_view path) const;

 private:
  [[nodiscard]] static std::uint64_t padded(std::uint64_t size) { return (size + 7) / 8 * 8; }

  std::uint64_t capacity_;
  Shared* shared_;
  char* events_;
};

}  // namespace minivault::test
