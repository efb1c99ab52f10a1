#include "supervisor/estate.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"

namespace minivault::supervisor {
namespace {

/// Descriptors are connections: as many as the machine allows. Failing to get more is no reason not to start.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    log_line(LogLevel::kWarning, "descriptor_limit_not_raised", {{"error", std::strerror(errno)}});
  }
}

/// A slot for every 64 bytes of log, the size of a small record.
std::uint64_t index_words(const Config& config) {
  constexpr std::uint64_t kFewest = 4'096;
  return std::max(kFewest, config.log_bytes / 64);
}

}  // namespace

Result<Estate> Estate::acquire(const Config& config) {
  raise_descriptor_limit();
  Result<DataDirectory> directory = DataDirectory::claim(config.data_directory);
  if (!directory) return tl::unexpected(directory.error());
  Result<Listeners> listeners = Listeners::open(config.bind, config.port, config.http_port);
  if (!listeners) return tl::unexpected(listeners.error());
  Result<shared::Region> region = shared::Region::create(index_words(config));
  if (!region) return tl::unexpected(region.error());
  region->state().started_ms.store(monotonic_ms(), std::memory_order_relaxed);
  Result<Signals> signals = Signals::take();
  if (!signals) return tl::unexpected(signals.error());
  return Estate{std::move(*directory), std::move(*listeners), std::move(*region), std::move(*signals)};
}

}  // namespace minivault::supervisor
