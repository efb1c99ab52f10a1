#include "common/admin/guard.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>

#include "common/core/key_text.h"

namespace minivault::admin {
namespace {

constexpr std::size_t kPlaceBytes = 256;
constexpr std::size_t kShownBytes = kKeyBytesShown + 1;  // one more tells that it goes on

struct Place {
  char what[kPlaceBytes];
  char key[kShownBytes];
  std::size_t key_bytes;
};

/// The page that parent and child share. Set once, before the fork.
Place* place = nullptr;

/// The status, unless some of what was printed did not get out: whatever the work came to, it is not known
/// then.
int end_of_output(int status) {
  errno = 0;
  std::cout.flush();
  const bool is_out = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (is_out && std::cout) return status;
  // Who noticed has said so.
  if (status == 0 || !is_out) {
    std::fprintf(stderr, "minivault: standard output cannot be written%s%s\n", errno == 0 ? "" : ": ",
                 errno == 0 ? "" : std::strerror(errno));
  }
  return status == 0 ? 1 : status;
}

int work_in_child(const std::function<int()>& work, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) return 1;
  // A sanitizer's handlers would turn the signal into an exit status.
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT}) std::signal(number, SIG_DFL);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  try {
    return end_of_output(work());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "minivault: %s\n", error.what());
    return 1;
  }
}

int tell_death(int signal) {
  if (signal != SIGSEGV && signal != SIGBUS && signal != SIGABRT) return 128 + signal;
  if (place->what[0] == '\0') {
    std::fprintf(stderr, "minivault: ended by a signal: %s\n", ::strsignal(signal));
    return 1;
  }
  const std::size_t size = std::min(place->key_bytes, kShownBytes);
  const std::string key = size == 0 ? "" : " after key " + quoted_key({place->key, size});
  std::printf("problem: %s%s: the base is damaged, reading it ended with %s\n", place->what, key.c_str(),
              ::strsignal(signal));
  return 1;
}

}  // namespace

int run_guarded(const std::function<int()>& work) {
  void* const shared =
      ::mmap(nullptr, sizeof(Place), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return work();
  place = static_cast<Place*>(shared);
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return work();
  if (child == 0) ::_exit(work_in_child(work, parent));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : tell_death(WTERMSIG(status));
}

void note_place(std::string_view what, std::string_view key) {
  if (place == nullptr) return;
  const std::size_t size = std::min(what.size(), kPlaceBytes - 1);
  std::memcpy(place->what, what.data(), size);
  place->what[size] = '\0';
  place->key_bytes = std::min(key.size(), kShownBytes);
  if (!key.empty()) std::memcpy(place->key, key.data(), place->key_bytes);
}

}  // namespace minivault::admin
