#pragma once

namespace minivault {

// What a process of the node tells whoever waits for it: the supervisor for its children, a service manager
// or a person for the node and for a command. The numbers are those of the LSB where it has one for the case;
// its 3 (an action that is not there) cannot happen here, and is what forbids a start.
inline constexpr int kExitOk = 0;  ///< done; a node: ended because it was asked to, with nothing left undone
inline constexpr int kExitFailure = 1;     ///< something went wrong; trying again may help
inline constexpr int kExitUsage = 2;       ///< command line or configuration is wrong; nothing was touched
inline constexpr int kExitRefused = 3;     ///< the data directory forbids a start; trying again cannot help
inline constexpr int kExitPermission = 4;  ///< this user may not do that
inline constexpr int kExitNotRunning = 7;  ///< a command found no running node

}  // namespace minivault
