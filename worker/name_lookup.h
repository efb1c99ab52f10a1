#pragma once

#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>

#include "common/core/error.h"

namespace minivault::worker {

/// Looks up where `host:port` is without holding up the caller: a name server may take its time, an event
/// loop may not. Numbers are known at once; names are asked for by a thread that outlives this object if it
/// must.
class NameLookup {
 public:
  struct Place {
    sockaddr_storage address{};
    socklen_t size = 0;
  };

  explicit NameLookup(const std::string& address);

  /// nullopt: not yet. Error: kUnavailable.
  [[nodiscard]] std::optional<Result<Place>> result() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace minivault::worker
