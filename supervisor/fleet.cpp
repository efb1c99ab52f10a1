#include "supervisor/fleet.h"

#include <algorithm>

namespace minivault::supervisor {
namespace {

/// One that ends, one that serves and one that begins: reloads in quick succession wait for those they ended.
constexpr unsigned kMaxCrowd = 3;

unsigned wanted_count(const RoleSpec& spec, const Goal& goal) {
  return wanted_in(spec, goal.phase) ? spec.count(*goal.config) : 0;
}

/// A role that is not replaced on reload is always current.
std::uint64_t current_generation(const RoleSpec& spec, const Goal& goal) {
  return spec.replaced_on_reload ? goal.generation : 0;
}

bool is_at(const Child& child, const RoleSpec& spec, unsigned number) {
  return child.spec->role == spec.role && child.number == number;
}

void terminate(const Child& child, Plan& plan) {
  plan.orders.push_back({Order::Kind::kTerminate, child.spec, child.number, child.pid});
}

}  // namespace

Plan Fleet::plan(const Goal& goal, std::uint64_t now_ms) const {
  Plan plan;
  for (const Child& child : children_) plan_end(child, goal, now_ms, plan);
  for (const RoleSpec& spec : roles_) plan_role(spec, goal, now_ms, plan);
  return plan;
}

/// Ends who is not wanted any more, and whoever takes too long about it.
void Fleet::plan_end(const Child& child, const Goal& goal, std::uint64_t now_ms, Plan& plan) const {
  if (!child.asked()) {
    if (child.number > wanted_count(*child.spec, goal)) terminate(child, plan);
    return;
  }
  if (child.killed) return;
  const std::uint64_t deadline = deadline_ms(child, goal);
  if (now_ms >= deadline) {
    plan.orders.push_back({Order::Kind::kKill, child.spec, child.number, child.pid});
  } else {
    plan.due_ms = std::min(plan.due_ms, deadline);
  }
}

std::uint64_t Fleet::deadline_ms(const Child& child, const Goal& goal) const {
  const std::uint64_t patient = std::min(child.asked_ms, goal.stop_began_ms) + child.spec->stop_limit_ms;
  if (goal.hurried_ms == kNever) return patient;
  const std::uint64_t hurried = std::max(child.asked_ms, goal.hurried_ms) + child.spec->hurried_limit_ms;
  return std::min(patient, hurried);
}

void Fleet::plan_role(const RoleSpec& spec, const Goal& goal, std::uint64_t now_ms, Plan& plan) const {
  const std::uint64_t generation = current_generation(spec, goal);
  const unsigned count = wanted_count(spec, goal);
  // One by one: a place's child is replaced only when all places before it are done.
  bool may_replace = true;
  for (unsigned number = 1; number <= count; ++number) {
    plan_place(spec, number, generation, may_replace, now_ms, plan);
    may_replace = may_replace && place_settled(spec, number, generation);
  }
}

void Fleet::plan_place(const RoleSpec& spec, unsigned number, std::uint64_t generation, bool may_replace,
                       std::uint64_t now_ms, Plan& plan) const {
  const Child* current = nullptr;
  bool served = false;  // by somebody of an older generation
  unsigned crowd = 0;
  for (const Child& child : children_) {
    if (!is_at(child, spec, number)) continue;
    ++crowd;
    if (child.asked()) continue;
    if (child.generation == generation) current = &child;
    if (child.generation != generation && child.ready) served = true;
  }
  const bool has_turn = !served || may_replace;
  if (current == nullptr && has_turn && crowd < kMaxCrowd) plan_birth(spec, number, now_ms, plan);
  for (const Child& child : children_) {
    if (!is_at(child, spec, number) || child.asked() || child.generation == generation) continue;
    // It goes when its successor serves; or at once if it does not serve itself.
    if (!child.ready || (current != nullptr && current->ready)) terminate(child, plan);
  }
}

void Fleet::plan_birth(const RoleSpec& spec, unsigned number, std::uint64_t now_ms, Plan& plan) const {
  const auto found = places_.find({spec.role, number});
  const std::uint64_t due = found == places_.end() ? 0 : found->second.backoff.due_ms();
  if (now_ms >= due) {
    plan.orders.push_back({Order::Kind::kSpawn, &spec, number, 0});
  } else {
    plan.due_ms = std::min(plan.due_ms, due);
  }
}

bool Fleet::place_settled(const RoleSpec& spec, unsigned number, std::uint64_t generation) const {
  unsigned good = 0;
  for (const Child& child : children_) {
    if (!is_at(child, spec, number)) continue;
    if (child.generation != generation || !child.ready || child.asked()) return false;
    ++good;
  }
  return good == 1;
}

bool Fleet::settled(const Goal& goal) const {
  std::size_t wanted = 0;
  for (const RoleSpec& spec : roles_) {
    const unsigned count = wanted_count(spec, goal);
    wanted += count;
    for (unsigned number = 1; number <= count; ++number) {
      if (!place_settled(spec, number, current_generation(spec, goal))) return false;
    }
  }
  return children_.size() == wanted;
}

bool Fleet::empty(Phase phase) const {
  return std::none_of(children_.begin(), children_.end(),
                      [phase](const Child& child) { return child.spec->end_phase <= phase; });
}

std::optional<unsigned> Fleet::free_slot() const {
  for (unsigned slot = 0; slot < shared::kMaxChildren; ++slot) {
    const bool taken = std::any_of(children_.begin(), children_.end(),
                                   [slot](const Child& child) { return child.slot == slot; });
    if (!taken) return slot;
  }
  return std::nullopt;
}

unsigned Fleet::restarts(const RoleSpec& spec, unsigned number) const {
  const auto found = places_.find({spec.role, number});
  return found == places_.end() ? 0 : found->second.restarts;
}

void Fleet::stillborn(const RoleSpec& spec, unsigned number, std::uint64_t now_ms) {
  // Never at once: what made the fork fail is still there.
  place(spec, number).backoff.died(now_ms, now_ms);
  place(spec, number).backoff.died(now_ms, now_ms);
}

void Fleet::asked(pid_t pid, std::uint64_t now_ms) {
  if (Child* child = find(pid)) child->asked_ms = now_ms;
}

void Fleet::killed(pid_t pid) {
  if (Child* child = find(pid)) child->killed = true;
}

void Fleet::ready(pid_t pid) {
  if (Child* child = find(pid)) child->ready = true;
}

std::optional<Child> Fleet::buried(pid_t pid, std::uint64_t now_ms) {
  const auto found = std::find_if(children_.begin(), children_.end(),
                                  [pid](const Child& child) { return child.pid == pid; });
  if (found == children_.end()) return std::nullopt;
  const Child dead = *found;
  children_.erase(found);
  if (!dead.asked()) {
    Place& its_place = place(*dead.spec, dead.number);
    its_place.backoff.died(dead.born_ms, now_ms);
    ++its_place.restarts;
  }
  return dead;
}

Fleet::Place& Fleet::place(const RoleSpec& spec, unsigned number) {
  return places_.try_emplace({spec.role, number}, Place{Backoff(spec.restart)}).first->second;
}

Child* Fleet::find(pid_t pid) {
  const auto found = std::find_if(children_.begin(), children_.end(),
                                  [pid](const Child& child) { return child.pid == pid; });
  return found == children_.end() ? nullptr : &*found;
}

}  // namespace minivault::supervisor
