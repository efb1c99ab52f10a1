#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "common/config/config.h"

namespace minivault::test {

/// How the fake roles behave and what they saw, in memory that the test shares with every process it forks.
/// The real ones are not linked: who supervises must not care what they do.
struct Script {
  // Set by the test.
  std::atomic<int> checkpointer_exit{-1};       ///< ends with this status instead of becoming ready
  std::atomic<int> checkpointer_final_exit{0};  ///< ends with this status once it was asked to
  std::atomic<bool> checkpointer_waits{false};  ///< does not become ready for now
  std::atomic<unsigned> crashing_worker{0};     ///< the number of one that dies at once
  std::atomic<bool> workers_ignore_stop{false};
  std::atomic<bool> pin_once{false};        ///< the next worker to look pins the ring and hangs
  std::atomic<bool> lock_once{false};       ///< the next worker to look takes the append lock and hangs
  std::atomic<unsigned> reload_workers{0};  ///< 0: the configuration cannot be read
  std::atomic<unsigned> reload_port{0};

  // Set by the roles.
  std::atomic<unsigned> checkpointer_starts{0};
  std::atomic<unsigned> worker_starts{0};
  std::atomic<unsigned> checkpointer_listeners{0};  ///< listening sockets that it could use, if it wanted
  std::atomic<unsigned> wrong_signals{0};           ///< blocked, or not as init_child promises
  std::atomic<unsigned> wrong_environment{0};       ///< variables that are for the supervisor alone
  std::atomic<unsigned> lock_holder{0};       ///< of the append lock, as the last worker to start found it
  std::atomic<unsigned> replicator_rings{0};  ///< of its bell
  std::atomic<unsigned> clock{0};             ///< counts ends
  std::atomic<unsigned> last_worker_end{0};
  std::atomic<unsigned> checkpointer_end{0};
  std::array<std::atomic<std::uint32_t>, 16> restarts{};  ///< by worker number, as its slot told
};

/// Made at the first call, which has to come before the first fork.
Script& script();
void reset_script();

}  // namespace minivault::test
