#pragma once

#include "common/config/config.h"
#include "supervisor/listeners.h"

/// Where the node can be reached, and by whom.
namespace minivault::supervisor {

/// Sockets that were passed count more than what the configuration says of them, and so does the port that
/// the kernel chose for -port 0: it is changed accordingly.
void take_over_sockets(Config& config, const Listeners& listeners);

/// Says so in the log where other machines reach the node and nothing asks them for a key.
void warn_if_open(const Config& config, const Listeners& listeners);

/// Says so in the log where other machines are listed, and this node says that it is to be called at a name
/// which is to each of them its own.
void warn_if_nameless(const Config& config);

/// All of this that the start should have somebody look at: those, and running as root.
void warn_at_start(const Config& config, const Listeners& listeners);

}  // namespace minivault::supervisor
