#include "supervisor/estate.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "common/core/clock.h"
#include "common/core/file_system.h"
#include "common/core/log.h"
#include "common/core/user.h"
#include "common/process/exit_code.h"
#include "common/process/privileges.h"

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

/// Whom to become; nullopt: this process is who it shall be.
Result<std::optional<User>> user_to_become(const Config& config) {
  if (config.user.empty()) return std::nullopt;
  Result<User> user = find_user(config.user);
  if (!user) return fail(Code::kInvalidArgument, "user: " + user.error().message);
  if (user->uid == ::geteuid()) return std::nullopt;
  if (::geteuid() != 0) {
    return fail(Code::kUnauthorized, "only root can become the user " + config.user +
                                         "; this process runs as " + current_user_name());
  }
  return *user;
}

Status check_file_system(const std::string& directory) {
  if (Status local = refuse_network_file_system(directory); !local) return local;
  const Result<FileSystem> found = file_system_of(directory);
  if (!found || found->kind == FileSystem::Kind::kLocal) return {};
  const bool layered = found->kind == FileSystem::Kind::kLayered;
  log_line(LogLevel::kWarning, "data_directory_not_on_a_disk_of_its_own",
           {{"directory", directory},
            {"file_system", found->name},
            {"hint", layered ? "it goes with the container, and is slow: use a volume"
                             : "if a network is behind it, data is at risk"}});
  return {};
}

Result<DataDirectory> claim_as(const std::optional<User>& user, const std::string& path) {
  if (!user) return DataDirectory::claim(path);
  if (Status prepared = prepare_for(*user, path); !prepared) return tl::unexpected(prepared.error());
  const Result<ActingAs> acting = ActingAs::begin(*user);
  if (!acting) return tl::unexpected(acting.error());
  return DataDirectory::claim(path);
}

}  // namespace

Result<Estate> Estate::acquire(const Config& config) {
  raise_descriptor_limit();
  Result<PassedSockets> passed = PassedSockets::take_from_environment();
  if (!passed) return tl::unexpected(passed.error());
  const Result<std::optional<User>> user = user_to_become(config);
  if (!user) return tl::unexpected(user.error());
  if (Status usable = check_file_system(config.data_directory); !usable)
    return tl::unexpected(usable.error());
  Result<DataDirectory> directory = claim_as(*user, config.data_directory);
  if (!directory) return tl::unexpected(directory.error());
  Result<Listeners> listeners =
      Listeners::open(config.bind, config.port, config.http_port, std::move(*passed));
  if (!listeners) return tl::unexpected(listeners.error());
  if (*user) {
    if (Status became = become(**user); !became) return tl::unexpected(became.error());
  }
  Result<shared::Region> region = shared::Region::create(index_words(config));
  if (!region) return tl::unexpected(region.error());
  region->state().started_ms.store(monotonic_ms(), std::memory_order_relaxed);
  Result<Signals> signals = Signals::take();
  if (!signals) return tl::unexpected(signals.error());
  return Estate{std::move(*directory), std::move(*listeners), std::move(*region), std::move(*signals)};
}

int Estate::exit_code_of(const Error& error) {
  switch (error.code) {
    case Code::kInvalidArgument:
      return kExitUsage;
    case Code::kUnauthorized:
      return kExitPermission;
    case Code::kUnavailable:
      return kExitRefused;
    default:
      return kExitFailure;
  }
}

}  // namespace minivault::supervisor
