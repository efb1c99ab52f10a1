// Loaded in front of libc (LD_PRELOAD) into a node under test: every name below "test" is this machine's
// loopback, and is known only after SLOW_NAMES_MS, as where the first of several name servers is down.

#include <dlfcn.h>
#include <netdb.h>

#include <chrono>
#include <cstdlib>
#include <string_view>
#include <thread>

namespace {

using Lookup = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

std::chrono::milliseconds delay() {
  const char* text = std::getenv("SLOW_NAMES_MS");
  return std::chrono::milliseconds(text == nullptr ? 0 : std::atoi(text));
}

}  // namespace

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** found) {
  static const auto next = reinterpret_cast<Lookup>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const bool is_number_only = hints != nullptr && (hints->ai_flags & AI_NUMERICHOST) != 0;
  const bool is_ours = name != nullptr && std::string_view(name).ends_with(".test");
  if (!is_ours || is_number_only) return next(name, service, hints, found);
  std::this_thread::sleep_for(delay());
  return next("127.0.0.1", service, hints, found);
}
