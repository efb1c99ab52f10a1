#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/core/error.h"

namespace minivault {

/// On what kind of file system something lies, as far as mapped files, locks and syncs are concerned.
struct FileSystem {
  enum class Kind {
    kLocal,      ///< what a store needs; whatever is not known is taken for it
    kNetwork,    ///< mappings of several machines or clients differ, locks may not hold: refused
    kLayered,    ///< overlay: gone with its container, slow at the first write of each file
    kUserSpace,  ///< FUSE by a program nobody here knows: may be a network in disguise
  };
  Kind kind = Kind::kLocal;
  std::string_view name = "local";  ///< for people; static text
};

/// By the type that statfs(2) tells and, where that is FUSE's, by the name of the mount's type as it stands
/// in /proc/self/mountinfo. Pure: the table of all that are known.
[[nodiscard]] FileSystem classify_file_system(std::uint32_t type, std::string_view mount_type);

/// Of a file or directory; where there is none of that name, of the directory that it would be made in.
/// Error: kIo.
[[nodiscard]] Result<FileSystem> file_system_of(const std::string& path);

/// A new name in a directory is on disk only once the directory is. Error: kIo.
[[nodiscard]] Status sync_directory(const std::string& directory);

/// Puts a directory's own name on disk, in the directory above it: for who made it, or is the first to trust
/// it with something. Nothing is done for the top of a mount, nor where the one above may not be read. Error:
/// kIo.
[[nodiscard]] Status sync_name_of(const std::string& directory);

/// Errors: kUnavailable (it is on one; the reason is for people), kIo.
[[nodiscard]] Status refuse_network_file_system(const std::string& directory);

}  // namespace minivault
