#pragma once

#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/core/error.h"
#include "common/core/unique_fd.h"

namespace minivault::net {

/// A socket's address.
struct Place {
  sockaddr_storage address{};
  socklen_t size = 0;
};

/// Looks up where `host:port` is without holding up the caller: a name server may take its time, an event
/// loop may not. Numbers are known at once; names are asked for by a thread that outlives this object if it
/// must.
class NameLookup {
 public:
  using Places = std::vector<Place>;

  explicit NameLookup(const std::string& address);

  /// nullopt: not yet. Else at least one place. Error: kUnavailable.
  [[nodiscard]] std::optional<Result<Places>> result() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

/// A socket that is connecting, non-blocking and with small writes sent at once. A connection that was made
/// is writable; one that failed is both, and reading tells why. Errors: kIo.
[[nodiscard]] Result<UniqueFd> begin_connect(const Place& place);

}  // namespace minivault::net
