#include "common/process/errand.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <limits>
#include <string>
#include <vector>

#include "common/core/log.h"

namespace minivault {
namespace {

void close_all_but(std::span<const int> kept) {
  std::vector<int> sorted(kept.begin(), kept.end());
  std::sort(sorted.begin(), sorted.end());
  unsigned first = STDERR_FILENO + 1;
  for (const int fd : sorted) {
    const auto keep = static_cast<unsigned>(fd);
    if (keep > first) ::close_range(first, keep - 1, 0);
    first = std::max(first, keep + 1);
  }
  ::close_range(first, std::numeric_limits<unsigned>::max(), 0);
}

void become_an_errand(const char* name, std::span<const int> kept, pid_t caller) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != caller) ::_exit(1);
  close_all_but(kept);
  std::signal(SIGTERM, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_NAME, name);
  constexpr int kBehindClients = 5;
  (void)!::nice(kBehindClients);
}

}  // namespace

Result<pid_t> fork_errand(const char* name, std::span<const int> kept, const std::function<int()>& work) {
  const pid_t caller = ::getpid();
  const pid_t errand = ::fork();
  if (errand < 0) return fail(Code::kUnavailable, std::string("no process for a ") + name);
  if (errand > 0) return errand;
  try {
    become_an_errand(name, kept, caller);
    ::_exit(work());
  } catch (const std::exception& error) {
    log_line(LogLevel::kWarning, "errand_failed", {{"errand", name}, {"error", error.what()}});
  }
  ::_exit(1);
}

}  // namespace minivault
