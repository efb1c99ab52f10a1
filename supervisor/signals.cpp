#include "supervisor/signals.h"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace minivault::supervisor {

Result<Signals> Signals::take() {
  ::signal(SIGPIPE, SIG_IGN);
  // An ignored SIGCHLD, inherited from a careless parent, would have the kernel reap our children unseen.
  ::signal(SIGCHLD, SIG_DFL);
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::sigaddset(&set, number);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return fail_errno("cannot block signals", errno);
  UniqueFd fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd) return fail_errno("cannot create a signalfd", errno);
  return Signals(std::move(fd));
}

Signals::Seen Signals::read() const {
  Seen seen;
  signalfd_siginfo info{};
  while (::read(fd_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) ++seen.stop_requests;
    if (info.ssi_signo == SIGHUP) seen.reload = true;
    if (info.ssi_signo == SIGCHLD) seen.child = true;
  }
  return seen;
}

}  // namespace minivault::supervisor
