#include "worker/backup.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "common/archive/writer.h"
#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/unique_fd.h"
#include "common/protocol/http_response.h"
#include "common/store/base.h"
#include "worker/detached.h"
#include "worker/patient_socket.h"

namespace minivault::worker {
namespace {

constexpr std::size_t kLargestChunk = 1 << 20;
constexpr std::string_view kHead =
    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n"
    "Connection: close\r\n\r\n";

Status send_chunk(PatientSocket& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view chunk = bytes.substr(0, kLargestChunk);
    bytes.remove_prefix(chunk.size());
    std::array<char, 20> size{};
    const auto end = std::to_chars(size.data(), size.data() + 16, chunk.size(), 16).ptr;
    std::copy_n("\r\n", 2, end);
    if (Status sent = socket.send({size.data(), static_cast<std::size_t>(end - size.data()) + 2}); !sent)
      return sent;
    if (Status sent = socket.send(chunk); !sent) return sent;
    if (Status sent = socket.send("\r\n"); !sent) return sent;
  }
  return {};
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
Status send_archive(const Config& config, const shared::Region& region, PatientSocket& response) {
  shared::State& state = region.state();
  const shared::Lsn at_least = state.marks.tail.load(std::memory_order_acquire);
  Result<store::Base> base = open_base(config, state);
  Result<store::Base::Snapshot> snapshot = base ? take_snapshot(*base, region, at_least, true)
                                                : Result<store::Base::Snapshot>(tl::unexpected(base.error()));
  if (!snapshot) {
    std::string refusal;
    protocol::append_json_error(refusal, 503, snapshot.error().message, {.keep_alive = false});
    if (Status sent = response.send(refusal); !sent) return sent;
    return tl::unexpected(snapshot.error());
  }
  if (Status sent = response.send(kHead); !sent) return sent;
  archive::Writer writer([&response](std::string_view bytes) { return send_chunk(response, bytes); });
  Status written = write_archive(*snapshot, writer);
  if (!written && written.error().code == Code::kCorrupt) tell_damage(state, written.error());
  return written;
}

int run(const Config& config, const shared::Region& region, int socket, UniqueFd turn) {
  const std::uint64_t began_ms = monotonic_ms();
  PatientSocket response(socket);
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
  Result<UniqueFd> turn = take_turn(config, 0, 1, "a backup of this node");
  if (!turn) return tl::unexpected(turn.error());
  return run_detached("backup", socket, std::move(*turn),
                      [&](UniqueFd held) { return run(config, region, socket, std::move(held)); });
}

}  // namespace minivault::worker
