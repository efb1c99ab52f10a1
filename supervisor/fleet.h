#pragma once

#include <sys/types.h>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "supervisor/role_table.h"

namespace minivault::supervisor {

inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

/// One living process, as the supervisor remembers it. Never read back from shared memory, which the process
/// may have scribbled on.
struct Child {
  pid_t pid = 0;
  unsigned slot = 0;
  const RoleSpec* spec = nullptr;
  unsigned number = 1;           ///< of its role, from 1
  std::uint64_t generation = 0;  ///< of the configuration it was started with
  std::uint64_t born_ms = 0;
  std::uint64_t asked_ms = kNever;  ///< when it was sent SIGTERM
  bool ready = false;
  bool killed = false;  ///< it was sent SIGKILL because it took too long

  [[nodiscard]] bool asked() const { return asked_ms != kNever; }
};

/// What the node should look like.
struct Goal {
  Phase phase = Phase::kStarting;
  const Config* config = nullptr;
  std::uint64_t generation = 0;  ///< of `config`
  std::uint64_t stop_began_ms = kNever;
  std::uint64_t hurried_ms = kNever;  ///< when the stop was hurried
};

struct Order {
  enum class Kind { kSpawn, kTerminate, kKill } kind;
  const RoleSpec* spec;
  unsigned number;
  pid_t pid;  ///< 0 for kSpawn

  bool operator==(const Order&) const = default;
};

struct Plan {
  std::vector<Order> orders;
  std::uint64_t due_ms = kNever;  ///< when to ask again, if nothing happens before
};

/// Who lives, and what has to be done so that those live who should. Pure bookkeeping: forks nothing, signals
/// nothing, knows no clock. Every situation (a start, a death, a reload, a stop, several at once) is handled
/// by the same comparison of what is with what should be, so there is no sequence to lose track of.
class Fleet {
 public:
  explicit Fleet(std::span<const RoleSpec> roles) : roles_(roles) {}

  [[nodiscard]] Plan plan(const Goal& goal, std::uint64_t now_ms) const;

  // What was done about a plan, and what happened since.
  void born(const Child& child) { children_.push_back(child); }
  /// The fork itself failed: tried again after the back-off.
  void stillborn(const RoleSpec& spec, unsigned number, std::uint64_t now_ms);
  void asked(pid_t pid, std::uint64_t now_ms);
  void killed(pid_t pid);
  void ready(pid_t pid);
  /// Forgets the child and tells who it was; nullopt: not one of ours.
  std::optional<Child> buried(pid_t pid, std::uint64_t now_ms);

  [[nodiscard]] std::span<const Child> children() const { return children_; }
  /// Every wanted child is there, ready, of the current generation, and nobody else lives.
  [[nodiscard]] bool settled(const Goal& goal) const;
  /// No child lives that `phase` stops.
  [[nodiscard]] bool empty(Phase phase) const;
  /// The lowest slot that no child holds; nullopt: all are taken.
  [[nodiscard]] std::optional<unsigned> free_slot() const;
  /// How often a child of this role and number died without being asked to.
  [[nodiscard]] unsigned restarts(const RoleSpec& spec, unsigned number) const;

 private:
  struct Place {
    Backoff backoff;
    unsigned restarts = 0;
  };

  [[nodiscard]] std::uint64_t deadline_ms(const Child& child, const Goal& goal) const;
  [[nodiscard]] bool place_settled(const RoleSpec& spec, unsigned number, std::uint64_t generation) const;
  void plan_end(const Child& child, const Goal& goal, std::uint64_t now_ms, Plan& plan) const;
  void plan_role(const RoleSpec& spec, const Goal& goal, std::uint64_t now_ms, Plan& plan) const;
  void plan_place(const RoleSpec& spec, unsigned number, std::uint64_t generation, bool may_replace,
                  std::uint64_t now_ms, Plan& plan) const;
  void plan_birth(const RoleSpec& spec, unsigned number, std::uint64_t now_ms, Plan& plan) const;
  Place& place(const RoleSpec& spec, unsigned number);
  Child* find(pid_t pid);

  std::span<const RoleSpec> roles_;
  std::vector<Child> children_;  ///< in order of birth
  std::map<std::pair<shared::Role, unsigned>, Place> places_;
};

}  // namespace minivault::supervisor
