#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/config.h"
#include "common/shared/layout.h"

namespace minivault::worker {

/// What keeps the node from taking reads and writes of a quorum, each a sentence; none: it is ready.
[[nodiscard]] std::vector<std::string> obstacles(const Config& config, const shared::State& state);

/// Whether a checkpointer works: without one nothing becomes durable.
[[nodiscard]] bool has_checkpointer(const shared::State& state);

/// Of a base that was found damaged, and what becomes of it; empty: it was not.
[[nodiscard]] std::string_view damage_text(const shared::State& state);

/// {"success":true,"ready":true}, or {"success":false,"error":"…","reasons":["…",…]}.
[[nodiscard]] std::string readiness_json(std::span<const std::string> reasons);

}  // namespace minivault::worker
