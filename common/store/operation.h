#pragma once

#include <cstdint>
#include <string_view>

namespace minivault::store {

/// What a record does. Values are stored in the log and in the base: never renumber.
enum class Operation : std::uint8_t {
  kSet = 1,
  kDelete = 2,  ///< leaves a tombstone
  kNote = 3,    ///< a small fact of the cluster under a name of its own, invisible to clients
};

/// The note of where the log ended that a start found, where its LSNs leap over that: the next start would
/// take the leap for the end. Whoever tells the peers writes it empty behind that, in the same commit.
inline constexpr std::string_view kUntoldEndNote = "untold_end";

/// Bits of a record's flags. Stored: never renumber.
inline constexpr std::uint8_t kFlagJson = 1;  ///< the value is the text of one JSON value
/// Of this node's own id, but not stamped at this place of the log: this node had forgotten it, others
/// brought it back.
inline constexpr std::uint8_t kFlagReturned = 2;
/// A client wrote it on a condition, which held here: beaten by what another node holds it is not written
/// again. Of this node's log alone.
inline constexpr std::uint8_t kFlagConditional = 4;
/// A client's write that is answered without waiting for other nodes (-async). Of the log alone, too.
inline constexpr std::uint8_t kFlagAtOnce = 8;
/// The log's own bits; the others are the value's.
inline constexpr std::uint8_t kFlagsOfLog = kFlagReturned | kFlagConditional | kFlagAtOnce;
/// Nobody waits for such a record: what became of it is decided, whatever others say of it, and whoever
/// replicates it.
inline constexpr std::uint8_t kFlagsDecided = kFlagReturned | kFlagAtOnce;

}  // namespace minivault::store
