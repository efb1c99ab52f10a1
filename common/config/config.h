#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/core/error.h"
#include "common/core/log_format.h"

namespace minivault {

enum class AuthMode { kNone, kWrites, kAll };

/// What an acknowledged write has survived (DESIGN.md §5).
struct SyncMode {
  enum class Kind { kAlways, kInterval, kNone };
  Kind kind = Kind::kAlways;
  std::chrono::milliseconds interval{0};  ///< kInterval only: at most this much acknowledged work is at risk

  bool operator==(const SyncMode&) const = default;
};

/// The node's whole configuration, validated, immutable once loaded. Sizes are bytes.
/// Read by every process; the supervisor loads it before the first fork and again on SIGHUP.
struct Config {
  std::uint16_t port = 3000;
  std::uint16_t http_port = 0;  ///< 0: no listener for HTTP alone
  std::string bind = "0.0.0.0";
  std::string public_url;  ///< host:port, scheme stripped; default localhost:PORT (the configured one, 0 too)
  std::string data_directory = "/data";
  std::string user;      ///< who to become when started as root; empty: nobody else
  std::string auth_key;  ///< empty: none
  AuthMode auth_mode = AuthMode::kNone;
  std::uint64_t rate_limit = 0;              ///< operations a second over all workers; 0: unlimited
  std::uint64_t cache_bytes = 512ULL << 20;  ///< of all workers' caches
  std::uint64_t log_bytes = 512ULL << 20;
  /// This node's connections to peers: connections_for() says how many peers that is.
  unsigned replication_connections = 50;
  unsigned worker_processes = 1;
  bool io_uring = true;  ///< used where the kernel lets us
  SyncMode sync;
  bool async = false;
  std::chrono::milliseconds write_timeout{5'000};
  std::uint64_t max_value_bytes = 100ULL << 20;          ///< as configured; the store may allow less (ring/4)
  std::vector<std::string> cluster_nodes;                ///< host:port each, this node's own address left out
  std::chrono::milliseconds repair_interval{3'600'000};  ///< between two comparisons with each peer
  /// A repair moves no more; 0: what is routine is held back a little, what is owed is not.
  std::uint64_t repair_bytes_a_second = 0;
  std::chrono::milliseconds tombstone_ttl{168 * 3'600'000};  ///< who is away longer holds no tombstone back
  std::chrono::milliseconds max_drift{
      60'000};  ///< from the members' median clock, beyond which a node says so
  LogFormat log_format = LogFormat::kText;
  LogLevel log_level = LogLevel::kInfo;
  std::chrono::milliseconds slow_operation{0};  ///< what takes this long is told to the log; 0: nothing is
  bool accept_loss = false;                     ///< start although acknowledged writes are damaged or gone
  /// What describe() says of all this, kept for those who ask the running node. Empty from load_config().
  std::string description;

  /// What each of a worker's two caches may take: records of the base, and copies of large values.
  [[nodiscard]] std::uint64_t bytes_a_cache() const {
    return cache_bytes / 2 / std::max(worker_processes, 1U);
  }

  bool operator==(const Config&) const = default;
};

/// A cluster has 64 members.
inline constexpr std::size_t kMostPeers = 63;

/// Connections that a node with so many peers may have to them at a time: to each of them one for its stream
/// and one for heartbeats, and two of the one repair that is under way.
[[nodiscard]] constexpr std::size_t connections_for(std::size_t peers) {
  return 2 * peers + 2;
}

}  // namespace minivault
