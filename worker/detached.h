#pragma once

#include <functional>
#include <string_view>

#include "common/config/config.h"
#include "common/core/error.h"
#include "common/core/unique_fd.h"
#include "common/shared/region.h"
#include "common/store/base.h"

/// Work for one client that a worker must not do itself (waiting for a cold disk, holding a snapshot as long
/// as a client takes, computing): done by a process forked from it, which has the client's socket from then
/// on.
namespace minivault::worker {

/// The right to be one of the `most` processes of a node that do one kind of work: a lock on one of as many
/// bytes of the node's lock file from `first_byte` on, gone with whoever holds this descriptor. It is not the
/// claim on the directory, which is an flock(2). Errors: kBusy (`what` is under way), kIo.
[[nodiscard]] Result<UniqueFd> take_turn(const Config& config, unsigned first_byte, unsigned most,
                                         std::string_view what);

/// Forks; the child runs `work` and ends with the exit status it returns. It shares nothing with the worker
/// but the socket, the turn and the node's shared memory: every other descriptor is closed, signals are as in
/// a new process. It runs at a lower priority, and ends with its worker at the latest. Errors: kUnavailable.
[[nodiscard]] Status run_detached(const char* name, int socket, UniqueFd turn,
                                  const std::function<int(UniqueFd turn)>& work);

/// For the child: the base, opened anew.
[[nodiscard]] Result<store::Base> open_base(const Config& config, shared::State& state);

/// A snapshot of the base that holds everything before `at_least`; `whole`: and not from the middle of a
/// checkpoint. Asks for a checkpoint and waits for it, 30 s at most. Errors: kUnavailable, kIo.
[[nodiscard]] Result<store::Base::Snapshot> take_snapshot(const store::Base& base,
                                                          const shared::Region& region, shared::Lsn at_least,
                                                          bool whole);

/// What is not found in the base means nothing from now on (shared::State::base_damage).
void tell_damage(shared::State& state, const Error& error);

}  // namespace minivault::worker
