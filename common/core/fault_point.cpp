#include "common/core/fault_point.h"

#ifdef MINIVAULT_FAULT_POINTS

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#include "common/core/assert.h"

namespace minivault {
namespace {

/// NAME:COUNT:ACTION.
void arm_from_environment(FaultPlan& plan) {
  const char* given = std::getenv("MINIVAULT_FAULT_POINT");
  if (given == nullptr) return;
  const std::string_view text = given;
  const std::size_t first = text.find(':');
  const std::size_t second = text.rfind(':');
  MV_ASSERT(first != std::string_view::npos && second > first && first < FaultPlan::kNameBytes);
  char name[FaultPlan::kNameBytes] = {};
  text.copy(name, first);
  const std::string_view action = text.substr(second + 1);
  plan.arm(name,
           action == "fail"   ? FaultPlan::Action::kFail
           : action == "stop" ? FaultPlan::Action::kStop
                              : FaultPlan::Action::kKill,
           std::atoll(given + first + 1));
}

FaultPlan* make_plan() {
  void* memory =
      ::mmap(nullptr, sizeof(FaultPlan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  MV_ASSERT(memory != MAP_FAILED);
  auto* plan = new (memory) FaultPlan{};  // placement; the mapping lives as long as the process
  arm_from_environment(*plan);
  return plan;
}

}  // namespace

void FaultPlan::arm(const char* point, Action what, std::int64_t count, pid_t process) {
  MV_ASSERT(std::strlen(point) < kNameBytes);
  disarm();
  std::strcpy(name, point);
  action.store(what);
  countdown.store(count);
  only.store(process);
  acted.store(0);
  armed.store(1, std::memory_order_release);
}

FaultPlan& fault_plan() {
  static FaultPlan* const plan = make_plan();
  return *plan;
}

bool fault_point(const char* name) {
  FaultPlan& plan = fault_plan();
  if (plan.armed.load(std::memory_order_acquire) == 0 || std::strcmp(plan.name, name) != 0) return false;
  const pid_t only = plan.only.load();
  if (only != 0 && only != ::getpid()) return false;
  const std::int64_t left = plan.countdown.fetch_sub(1) - 1;
  const FaultPlan::Action action = plan.action.load();
  if (left > 0 || (left < 0 && action != FaultPlan::Action::kFail)) return false;
  plan.acted.fetch_add(1);
  if (action == FaultPlan::Action::kFail) return true;
  ::raise(action == FaultPlan::Action::kKill ? SIGKILL : SIGSTOP);  // to this thread: it goes no further
  return false;
}

}  // namespace minivault

#endif
