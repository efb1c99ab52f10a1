#pragma once

#include "common/config/config.h"
#include "common/shared/region.h"

namespace minivault {

/// What the supervisor hands to a child right after fork: everything it may use, nothing it has to look for.
/// `slot` is the child's own place in shared memory; listeners are inherited, non-blocking, already
/// listening.
struct ChildContext {
  const Config& config;
  shared::Region& region;
  unsigned slot;
  int port_listener = -1;  ///< `-port`: both protocols
  int http_listener = -1;  ///< `-http`, or -1
};

// The mains of the roles. Declared here and defined in the role's own folder, so that the supervisor's role
// table can name them and no role includes another. Each returns the process's exit status: 0 after a
// drain that was asked for (SIGTERM), anything else is a failure and the supervisor starts it again.
int run_worker(const ChildContext& context);
int run_checkpointer(const ChildContext& context);
int run_replicator(const ChildContext& context);

}  // namespace minivault
