#include "worker/readiness.h"

#include "common/protocol/json_value.h"
#include "worker/cluster_health.h"

namespace minivault::worker {
namespace {

/// Of a quorum that cannot be reached.
std::string lack_of_quorum(const shared::ClusterBoard& board) {
  const std::uint32_t needed = board.needed.load(std::memory_order_relaxed);
  if (needed == shared::kNotYetKnown) return "the cluster is not yet known";
  if (standstill_ms(board) > 0) return "no quorum: the replicator stands still";
  return "no quorum: " + std::to_string(reachable_nodes(board)) + " of the " + std::to_string(needed + 1) +
         " nodes needed can be had";
}

}  // namespace

bool has_checkpointer(const shared::State& state) {
  const unsigned used = state.slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    const shared::ChildSlot& slot = state.slots[i];
    if (slot.role.load(std::memory_order_relaxed) == shared::Role::kCheckpointer &&
        slot.state.load(std::memory_order_acquire) == shared::ChildState::kReady) {
      return true;
    }
  }
  return false;
}

std::string_view damage_text(const shared::State& state) {
  if (state.base_damage.load(std::memory_order_relaxed) == shared::kNoDamage) return {};
  if (state.recount_after.load(std::memory_order_relaxed) == shared::kNoLsn) {
    return "the base is damaged beyond repair: wipe this node and let its peers fill it";
  }
  if (state.cluster.needed.load(std::memory_order_relaxed) == 0) {
    return "the base is damaged, some of its records are gone: restore a backup";
  }
  return "the base is damaged, what it lost comes back from the peers";
}

std::vector<std::string> obstacles(const Config& config, const shared::State& state) {
  std::vector<std::string> reasons;
  const auto add_if = [&](bool holds, const char* reason) {
    if (holds) reasons.emplace_back(reason);
  };
  const shared::Failure failure = state.failure.load(std::memory_order_acquire);
  const ClusterFitness fitness = fitness_of(config, state);
  add_if(failure == shared::Failure::kLogSync, "the log cannot be synced");
  add_if(failure == shared::Failure::kLogWrite, "the log cannot be written");
  add_if(failure == shared::Failure::kBaseSync, "the base cannot be written");
  add_if(!has_checkpointer(state), "no checkpointer is ready");
  add_if(state.base_full.load(std::memory_order_relaxed) != 0, "the disk is full");
  add_if(fitness.id_taken, "another live node has this node's id");
  const std::string_view damage = damage_text(state);
  if (!fitness.filled && !damage.empty()) reasons.emplace_back(damage);
  add_if(!fitness.filled && damage.empty(), "this node is still being filled");
  if (!fitness.quorum) reasons.push_back(lack_of_quorum(state.cluster));
  return reasons;
}

std::string readiness_json(std::span<const std::string> reasons) {
  if (reasons.empty()) return R"({"success":true,"ready":true})";
  std::string json = R"({"success":false,"error":"not ready","reasons":)";
  char before = '[';
  for (const std::string& reason : reasons) {
    json += std::exchange(before, ',');
    protocol::append_json_string(json, reason);
  }
  return json + "]}";
}

}  // namespace minivault::worker
