#pragma once

#include <string>
#include <vector>

#include "common/protocol/exposition.h"

/// What happened between two looks at a node's metrics. Pure.
namespace minivault::admin {

using MetricPage = std::vector<protocol::MetricFamily>;

struct OpRates {
  std::string op;
  double per_second = 0;
  double failed_per_second = 0;  ///< what the node could not do: `unavailable` and `unknown`
  double p50_s = 0;  ///< of those that were answered meanwhile; 0: none was, or they are not timed
  double p99_s = 0;
};

struct PeerRates {
  std::string peer;
  bool up = false;
  double lag_bytes = 0;
  double lag_s = 0;
  double sent_per_second = 0;  ///< bytes
  double errors_per_second = 0;
};

struct NodeRates {
  double seconds = 0;  ///< between the two looks
  bool ready = false;
  std::string version;
  double connections = 0, keys = 0, memory_bytes = 0, quorum_needed = 0, quorum_reachable = 0;
  double log_written_per_second = 0, log_backlog_bytes = 0, log_size_bytes = 0;  ///< bytes
  double syncs_per_second = 0, sync_p50_s = 0, sync_p99_s = 0;
  double found_by_index = 0;  ///< of the lookups, between 0 and 1; 0 where there were none
  double cpu_cores = 0;       ///< processors that the node's processes kept busy
  std::vector<OpRates> ops;   ///< those that were ever asked for
  std::vector<PeerRates> peers;
};

/// A counter that fell begins anew: the node was restarted. REQUIRES: seconds > 0.
[[nodiscard]] NodeRates rates_between(const MetricPage& before, const MetricPage& after, double seconds);

/// One JSON object, without a line break.
[[nodiscard]] std::string json_of(const NodeRates& rates);
/// A few lines for people.
[[nodiscard]] std::string text_of(const NodeRates& rates);

}  // namespace minivault::admin
