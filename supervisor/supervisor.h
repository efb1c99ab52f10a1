#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/config/config.h"
#include "common/process/title.h"
#include "supervisor/estate.h"
#include "supervisor/fleet.h"
#include "supervisor/reload.h"
#include "supervisor/service_manager.h"
#include "supervisor/supervisor_state.h"
#include "supervisor/watcher.h"

namespace minivault::supervisor {

/// Runs a node until it is stopped; returns its exit status (common/process/exit_code.h). Says
/// `ready port=... http_port=... pid=...` on standard error once every worker serves.
int run_node(const Config& config, ProcessTitle& title, const LoadConfig& load);

/// Biography. Started by: a person, a service manager or a test. Ends normally by SIGTERM or SIGINT: drains,
/// within 10 s; a second one hurries. SIGHUP: reads the configuration anew and replaces the workers one by
/// one. Its unexpected death takes every child with it (init_child), and the next start recovers. A child's
/// unexpected death: what it held in shared memory is cleared, everybody is woken, a new one is started.
///
/// Never opens LMDB, starts a thread or touches a client's bytes: it must outlive all of their mistakes.
class Supervisor {
 public:
  Supervisor(const Config& config, Estate estate, ProcessTitle& title, LoadConfig load,
             ServiceManager manager);

  int run();

 private:
  void handle(Event event);
  void leave_empty_phases();
  [[nodiscard]] bool recovered() const;
  [[nodiscard]] bool must_await_checkpointer() const;
  void carry_out_plan();
  void start(const Order& order);
  [[nodiscard]] Result<Child> spawn_child(const RoleSpec& spec, unsigned number);
  void send(const Order& order);
  void wait();
  void reap_all();
  void bury(pid_t pid, int wait_status);
  void greet_ready();
  void announce();
  void reload();
  void reload_ended(std::string_view outcome);
  void note(std::string_view outcome) const;
  void watch();
  [[nodiscard]] Sighting sight() const;
  [[nodiscard]] bool some_child_moves(std::uint64_t within_ms) const;
  [[nodiscard]] bool every_role_lives(std::uint64_t within_ms) const;
  [[nodiscard]] std::string status_now() const;
  [[nodiscard]] Goal goal() const;

  Config config_;
  Estate estate_;
  ProcessTitle& title_;
  LoadConfig load_;
  ServiceManager manager_;

  NodeState state_;
  Fleet fleet_;
  Watcher watcher_;
  std::uint64_t reloads_ = 0;  ///< that have come to an end
  bool is_reloading_ = false;
  std::uint64_t generation_ = 0;            ///< of config_; grows with each reload
  std::optional<std::uint64_t> announced_;  ///< the newest generation that was all ready
  std::uint64_t stop_began_ms_ = kNever;
  std::uint64_t hurried_ms_ = kNever;
  std::uint64_t next_watch_ms_ = 0;
  std::uint64_t next_plan_ms_ = kNever;
};

}  // namespace minivault::supervisor
