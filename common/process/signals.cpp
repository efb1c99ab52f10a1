#include "common/process/signals.h"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

namespace minivault {

Result<UniqueFd> take_terminations() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  UniqueFd signals(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals) return fail_errno("cannot create a signalfd", errno);
  return signals;
}

}  // namespace minivault
