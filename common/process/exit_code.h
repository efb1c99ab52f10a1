#pragma once

namespace minivault {

// What a process of the node tells whoever waits for it: the supervisor for its children, a service manager
// or a person for the node.
inline constexpr int kExitOk = 0;       ///< ended because it was asked to, with nothing left undone
inline constexpr int kExitFailure = 1;  ///< something went wrong; starting again may help
inline constexpr int kExitUsage = 2;  ///< the command line or the configuration is wrong; nothing was touched
inline constexpr int kExitRefused = 3;  ///< what is on disk forbids a start; starting again cannot help

}  // namespace minivault
