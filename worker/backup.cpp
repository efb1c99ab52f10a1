#include "worker/backup.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <exception>
#include <limits>
#include <string>
#include <thread>
#include <utility>

#include "common/archive/writer.h"
#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/unique_fd.h"
#include "common/protocol/http_response.h"
#include "common/store/base.h"
#include "common/store/base_opening.h"

namespace minivault::worker {
namespace {

/// A checkpoint that was asked for comes at once on an idle node, after those under way on a busy one.
constexpr std::uint64_t kSnapshotMs = 30'000;
constexpr std::uint64_t kProgressMs = 30'000;
constexpr std::size_t kFairProgressBytes = 64 * 1024;
constexpr std::size_t kLargestChunk = 1 << 20;
constexpr std::string_view kHead =
    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n"
    "Connection: close\r\n\r\n";

/// One backup a node: a lock on a byte of the node's lock file, gone with whoever holds this descriptor. It
/// is not the claim on the directory, which is an flock(2).
Result<UniqueFd> take_turn(const Config& config) {
  const std::string path = config.data_directory + "/minivault.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) return fail_errno("cannot open " + path, errno);
  struct flock byte {};
  byte.l_type = F_WRLCK;
  byte.l_whence = SEEK_SET;
  byte.l_len = 1;
  if (::fcntl(fd.get(), F_OFD_SETLK, &byte) == 0) return fd;
  if (errno == EAGAIN || errno == EACCES) return fail(Code::kBusy, "a backup of this node is under way");
  return fail_errno("cannot lock " + path, errno);
}

/// The response, to a client that has to take its share.
class Response {
 public:
  explicit Response(int socket) : socket_(socket), since_ms_(monotonic_ms()) {}

  Status send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t taken = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (taken < 0 && errno != EAGAIN && errno != EINTR) return fail_errno("send", errno);
      if (taken > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(taken));
        note_progress(static_cast<std::size_t>(taken));
      } else if (Status ready = wait_for_room(); !ready) {
        return ready;
      }
    }
    return {};
  }
  Status send_chunk(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view chunk = bytes.substr(0, kLargestChunk);
      bytes.remove_prefix(chunk.size());
      std::array<char, 20> size{};
      const auto end = std::to_chars(size.data(), size.data() + 16, chunk.size(), 16).ptr;
      std::copy_n("\r\n", 2, end);
      if (Status sent = send({size.data(), static_cast<std::size_t>(end - size.data()) + 2}); !sent)
        return sent;
      if (Status sent = send(chunk); !sent) return sent;
      if (Status sent = send("\r\n"); !sent) return sent;
    }
    return {};
  }
  /// A socket that is closed with unread bytes in it is reset, and the client loses what it has not read.
  void end() const {
    ::shutdown(socket_, SHUT_WR);
    std::array<char, 4'096> ignored;
    pollfd waiting{socket_, POLLIN, 0};
    constexpr int kLingerMs = 2'000;
    while (::poll(&waiting, 1, kLingerMs) > 0 &&
           ::recv(socket_, ignored.data(), ignored.size(), MSG_DONTWAIT) > 0) {
    }
  }

 private:
  void note_progress(std::size_t bytes) {
    progress_ += bytes;
    if (progress_ < kFairProgressBytes) return;
    progress_ = 0;
    since_ms_ = monotonic_ms();
  }
  Status wait_for_room() {
    const std::uint64_t now_ms = monotonic_ms();
    const std::uint64_t end_ms = since_ms_ + kProgressMs;
    if (now_ms >= end_ms) return fail(Code::kTimedOut, "the client does not take it");
    pollfd waiting{socket_, POLLOUT, 0};
    ::poll(&waiting, 1, static_cast<int>(end_ms - now_ms));
    return {};
  }

  int socket_;
  std::size_t progress_ = 0;
  std::uint64_t since_ms_;
};

/// A view of one whole checkpoint that holds everything before `at_least`.
Result<store::Base::Snapshot> take_snapshot(const store::Base& base, const shared::Region& region,
                                            shared::Lsn at_least) {
  shared::State& state = region.state();
  region.ask_for_checkpoint(at_least);
  const std::uint64_t end_ms = monotonic_ms() + kSnapshotMs;
  Result<store::Base::Snapshot> snapshot = base.snapshot();
  while (snapshot) {
    const Result<store::BaseMeta> meta = snapshot->meta();
    if (!meta) return tl::unexpected(meta.error());
    if (!meta->mid_checkpoint && meta->checkpoint >= at_least) return snapshot;
    snapshot->reset();
    if (state.failure.load(std::memory_order_acquire) != shared::Failure::kNone || monotonic_ms() >= end_ms) {
      return fail(Code::kUnavailable,
                  "the node's checkpoint does not come: the disk is full, failing or too slow");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (Status renewed = snapshot->renew(); !renewed) return tl::unexpected(renewed.error());
  }
  return snapshot;
}

Result<store::Base> open_base(const Config& config, shared::State& state) {
  const store::BaseOpening alone(state);
  return store::Base::open_reader(config.data_directory, state.limits.base_map_bytes.load());
}

Status write_archive(const store::Base::Snapshot& snapshot, archive::Writer& writer) {
  const Result<store::BaseMeta> meta = snapshot.meta();
  if (!meta) return tl::unexpected(meta.error());
  archive::Header header{meta->store_id, meta->node_id, meta->checkpoint, meta->last_hlc, wall_ms(), 0};
  header.records = meta->keys + meta->tombstones;
  if (Status begun = writer.begin(header); !begun) return begun;
  Status added;
  const auto add = [&](std::string_view key, const store::BaseRecord& record) {
    added = writer.add({record.operation, record.flags, record.version, key, record.value});
    return added.has_value();
  };
  if (Status scanned = snapshot.scan("", add); !scanned) return scanned;
  if (!added) return added;
  if (Status scanned = snapshot.scan_notes(add); !scanned) return scanned;
  return added ? writer.finish() : added;
}

/// All but the last chunk: without it the client knows that something went wrong.
Status send_archive(const Config& config, const shared::Region& region, Response& response) {
  shared::State& state = region.state();
  const shared::Lsn at_least = state.marks.tail.load(std::memory_order_acquire);
  Result<store::Base> base = open_base(config, state);
  Result<store::Base::Snapshot> snapshot = base ? take_snapshot(*base, region, at_least)
                                                : Result<store::Base::Snapshot>(tl::unexpected(base.error()));
  if (!snapshot) {
    std::string refusal;
    protocol::append_json_error(refusal, 503, snapshot.error().message, {.keep_alive = false});
    if (Status sent = response.send(refusal); !sent) return sent;
    return tl::unexpected(snapshot.error());
  }
  if (Status sent = response.send(kHead); !sent) return sent;
  archive::Writer writer([&response](std::string_view bytes) { return response.send_chunk(bytes); });
  return write_archive(*snapshot, writer);
}

/// Everything of the worker's that the kernel would keep open for this process: clients, LMDB's files, the
/// log.
void close_all_but(int one, int other) {
  const auto low = static_cast<unsigned>(std::min(one, other));
  const auto high = static_cast<unsigned>(std::max(one, other));
  constexpr unsigned kFirst = STDERR_FILENO + 1;
  if (low > kFirst) ::close_range(kFirst, low - 1, 0);
  if (high > low + 1) ::close_range(low + 1, high - 1, 0);
  ::close_range(high + 1, std::numeric_limits<unsigned>::max(), 0);
}

/// The process's main. It shares nothing with the worker but the socket and the node's shared memory.
int run(const Config& config, const shared::Region& region, int socket, UniqueFd turn, pid_t worker) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != worker) return 1;
  close_all_but(socket, turn.get());
  std::signal(SIGTERM, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_NAME, "backup");
  constexpr int kBehindClients = 5;
  (void)!::nice(kBehindClients);
  const std::uint64_t began_ms = monotonic_ms();
  Response response(socket);
  Status sent = send_archive(config, region, response);
  turn.reset();  // first: whoever has got all of it may ask again at once
  if (sent) sent = response.send("0\r\n\r\n");
  response.end();
  if (sent) {
    log_line(LogLevel::kInfo, "backup_sent", {{"ms", monotonic_ms() - began_ms}});
  } else {
    log_line(LogLevel::kWarning, "backup_failed", {{"error", sent.error().message}});
  }
  return sent ? 0 : 1;
}

}  // namespace

Status send_backup(const Config& config, const shared::Region& region, int socket) {
  Result<UniqueFd> turn = take_turn(config);
  if (!turn) return tl::unexpected(turn.error());
  // A worker has no other children: nobody needs their status.
  std::signal(SIGCHLD, SIG_IGN);
  const pid_t worker = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail(Code::kUnavailable, "no process for a backup");
  if (child > 0) return {};
  // Nothing of the worker's may be ended here: its LMDB environment and its sockets are not this process's.
  try {
    ::_exit(run(config, region, socket, std::move(*turn), worker));
  } catch (const std::exception& error) {
    log_line(LogLevel::kWarning, "backup_failed", {{"error", error.what()}});
  }
  ::_exit(1);
}

}  // namespace minivault::worker
