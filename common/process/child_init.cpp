#include "common/process/child_init.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "common/process/exit_code.h"

namespace minivault {
namespace {

void reset_signals() {
  // Some numbers cannot be set (SIGKILL, those of the C library); they refuse and keep what they have.
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  for (const int number : {SIGPIPE, SIGXFSZ, SIGINT, SIGHUP}) ::signal(number, SIG_IGN);
  // Last: what arrived since the fork is delivered here, under the dispositions above.
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

void init_child(pid_t supervisor, std::span<const int> foreign) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(kExitFailure);  // it died before the line above: no signal will come
  for (const int fd : foreign) {
    if (fd >= 0) ::close(fd);
  }
  reset_signals();
}

}  // namespace minivault
