#include "tests/supervisor/fake_roles.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <new>

#include "common/core/assert.h"
#include "common/process/exit_code.h"
#include "common/process/roles.h"

namespace minivault {
namespace {

using test::Script;
using test::script;

volatile std::sig_atomic_t stop_asked = 0;

void note_beginnings() {
  Script& s = script();
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"}) {
    if (std::getenv(name) != nullptr) ++s.wrong_environment;
  }
  sigset_t blocked;
  ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE, SIGXFSZ}) {
    struct sigaction action {};
    ::sigaction(number, nullptr, &action);
    const bool ignored = number == SIGPIPE || number == SIGXFSZ || number == SIGINT || number == SIGHUP;
    if (::sigismember(&blocked, number) != 0 || action.sa_handler != (ignored ? SIG_IGN : SIG_DFL))
      ++s.wrong_signals;
  }
}

/// SIGTERM is held back but while wait() sleeps, so that it is never missed.
void catch_stop() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_asked = 1; };
  ::sigaction(SIGTERM, &action, nullptr);
  sigset_t term;
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &term, nullptr);
}

void wait(int fd, long limit_ms) {
  sigset_t none;
  ::sigemptyset(&none);
  pollfd source{fd, POLLIN, 0};
  const timespec limit{limit_ms / 1'000, limit_ms % 1'000 * 1'000'000};
  ::ppoll(&source, 1, &limit, &none);
}

void say_ready(const ChildContext& context) {
  context.region.slot(context.slot).state.store(shared::ChildState::kReady, std::memory_order_release);
  context.region.ring_supervisor();
}

void hang() {
  while (true) ::pause();
}

void misbehave(const ChildContext& context) {
  if (script().pin_once.exchange(false)) {
    context.region.slot(context.slot).pin.store(0);
    hang();
  }
  if (script().lock_once.exchange(false)) {
    shared::AppendLock& lock = context.region.state().append;
    ::pthread_mutex_lock(&lock.mutex);
    lock.holder.store(context.slot + 1);
    hang();
  }
}

/// Each connection gets one byte.
void serve(int listener) {
  const int connection = ::accept(listener, nullptr, nullptr);
  if (connection < 0) return;
  [[maybe_unused]] const ssize_t sent = ::send(connection, "k", 1, MSG_NOSIGNAL);
  ::close(connection);
}

unsigned count_listeners() {
  unsigned found = 0;
  for (int fd = 0; fd < 1'024; ++fd) {
    int listening = 0;
    socklen_t size = sizeof listening;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0) ++found;
  }
  return found;
}

}  // namespace

int run_worker(const ChildContext& context) {
  Script& s = script();
  s.lock_holder.store(context.region.state().append.holder.load());
  ++s.worker_starts;
  note_beginnings();
  const shared::ChildSlot& slot = context.region.slot(context.slot);
  const unsigned number = slot.number.load();
  s.restarts[number].store(slot.restarts.load());
  if (s.crashing_worker.load() == number) return kExitFailure;
  catch_stop();
  say_ready(context);
  while (stop_asked == 0 || s.workers_ignore_stop.load()) {
    misbehave(context);
    wait(context.port_listener, 20);
    serve(context.port_listener);
  }
  s.last_worker_end.store(++s.clock);
  return kExitOk;
}

int run_checkpointer(const ChildContext& context) {
  Script& s = script();
  ++s.checkpointer_starts;
  note_beginnings();
  s.checkpointer_listeners += count_listeners();
  if (const int status = s.checkpointer_exit.load(); status >= 0) return status;
  catch_stop();
  while (s.checkpointer_waits.load() && stop_asked == 0) wait(-1, 5);
  context.region.state().limits.recovered.store(1);
  say_ready(context);
  while (stop_asked == 0) wait(-1, 1'000);
  s.checkpointer_end.store(++s.clock);
  return s.checkpointer_final_exit.load();
}

int run_replicator(const ChildContext& context) {
  note_beginnings();
  catch_stop();
  say_ready(context);
  const int bell = context.region.bell(context.slot);
  while (stop_asked == 0) {
    wait(bell, 1'000);
    std::uint64_t rings = 0;
    if (::read(bell, &rings, sizeof rings) == sizeof rings) ++script().replicator_rings;
  }
  return kExitOk;
}

namespace test {

Script& script() {
  static void* const memory =
      ::mmap(nullptr, sizeof(Script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  MV_ASSERT(memory != MAP_FAILED);
  return *static_cast<Script*>(memory);
}

void reset_script() {
  new (&script()) Script;
}  // placement: the mapping owns it

}  // namespace test
}  // namespace minivault
