#pragma once

#include <sys/types.h>

#include <span>

namespace minivault {

/// The prologue of every child, called right after fork and before anything else.
///
/// Signals: every disposition is the default again and none is blocked, but SIGPIPE and SIGXFSZ (a closed
/// connection and a file beyond its limit are error values), SIGINT and SIGHUP (a terminal sends them to the
/// whole group; what they mean is the supervisor's business, which then sends SIGTERM) are ignored. Death:
/// the kernel kills this process when `supervisor` ends, however that happens; a process whose supervisor
/// ended before that was arranged exits at once. So no orphan goes on writing. Descriptors: `foreign` are
/// closed; they belong to the supervisor alone.
void init_child(pid_t supervisor, std::span<const int> foreign);

}  // namespace minivault
