#include "supervisor/status_text.h"

namespace minivault::supervisor {
namespace {

/// Counts include this node, as in health.
std::string cluster_text(const Config& config, const shared::ClusterBoard& board) {
  const std::uint32_t needed = board.needed.load(std::memory_order_relaxed);
  if (needed == shared::kNotYetKnown) return "members not yet known";
  if (needed == 0) return "no other members";
  const std::uint32_t reachable = board.reachable.load(std::memory_order_relaxed);
  std::string text = reachable >= needed ? "quorum: " : "no quorum: ";
  text += std::to_string(reachable + 1) + " reachable, " + std::to_string(needed + 1) + " needed";
  if (config.async) text += " (not waited for)";
  if (board.complete.load(std::memory_order_relaxed) == 0) text += "; being filled by its peers";
  if (board.id_taken.load(std::memory_order_relaxed) != 0) text += "; another node has its id";
  return text;
}

std::string serving_text(const Config& config, const shared::State& state) {
  if (state.failure.load(std::memory_order_acquire) != shared::Failure::kNone) {
    return "not writing: the disk failed, a restart recovers";
  }
  const std::string full =
      state.base_full.load(std::memory_order_relaxed) != 0 ? "disk full, writes refused; " : "";
  const bool damaged = state.base_damage.load(std::memory_order_relaxed) != shared::kNoDamage;
  return full + (damaged ? "base damaged; " : "") + "serving with " +
         std::to_string(config.worker_processes) + " workers; " + cluster_text(config, state.cluster);
}

}  // namespace

std::string status_text(Phase phase, bool serves, const Config& config, const shared::State& state) {
  switch (phase) {
    case Phase::kStarting:
      return "recovering";
    case Phase::kRunning:
      return serves ? serving_text(config, state) : "recovered, starting workers";
    case Phase::kDraining:
      return "draining: finishing what was received";
    case Phase::kFinishing:
      return "draining: writing the last checkpoint";
    case Phase::kStopped:
      return "stopped";
  }
  return "";
}

}  // namespace minivault::supervisor
