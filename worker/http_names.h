#pragma once

#include <string_view>

#include "common/protocol/http.h"
#include "common/protocol/http_target.h"
#include "common/shared/metrics.h"

/// What HTTP requests are called here, and what they count as. Pure.
namespace minivault::worker {

inline constexpr std::string_view kBackup = "_/backup";
inline constexpr std::string_view kConfig = "_/config";
inline constexpr std::string_view kLive = "_/live";
inline constexpr std::string_view kReady = "_/ready";

[[nodiscard]] inline bool is_read(protocol::HttpMethod method) {
  return method == protocol::HttpMethod::kGet || method == protocol::HttpMethod::kHead;
}

/// For whoever decides whether to send traffic here, or to start the process again.
[[nodiscard]] inline bool is_probe(const protocol::HttpTarget& target) {
  return target.kind == protocol::HttpTarget::Kind::kReserved &&
         (target.key == kLive || target.key == kReady);
}

[[nodiscard]] shared::Told told_of(int status);
[[nodiscard]] shared::Op op_of(const protocol::HttpTarget& target, protocol::HttpMethod method);

}  // namespace minivault::worker
