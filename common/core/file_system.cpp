#include "common/core/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "common/core/unique_fd.h"

namespace minivault {
namespace {

using Kind = FileSystem::Kind;

constexpr std::uint32_t kFuse = 0x65735546U;

struct ByType {
  std::uint32_t type;
  FileSystem is;
};

// Numbers as in linux/magic.h and in the file systems' own sources.
constexpr std::array kByType{
    ByType{0x00006969U, {Kind::kNetwork, "NFS"}},    ByType{0x0000517BU, {Kind::kNetwork, "SMB"}},
    ByType{0xFF534D42U, {Kind::kNetwork, "CIFS"}},   ByType{0xFE534D42U, {Kind::kNetwork, "SMB2"}},
    ByType{0x01021997U, {Kind::kNetwork, "9p"}},     ByType{0x5346414FU, {Kind::kNetwork, "AFS"}},
    ByType{0x6B414653U, {Kind::kNetwork, "AFS"}},    ByType{0x73757245U, {Kind::kNetwork, "Coda"}},
    ByType{0x0000564CU, {Kind::kNetwork, "NCP"}},    ByType{0x00C36400U, {Kind::kNetwork, "Ceph"}},
    ByType{0x0BD00BD0U, {Kind::kNetwork, "Lustre"}}, ByType{0x47504653U, {Kind::kNetwork, "GPFS"}},
    ByType{0x19830326U, {Kind::kNetwork, "BeeGFS"}}, ByType{0x786F4256U, {Kind::kNetwork, "vboxsf"}},
    ByType{0xBACBACBCU, {Kind::kNetwork, "vmhgfs"}}, ByType{0x794C7630U, {Kind::kLayered, "overlayfs"}},
};

// What stands behind `fuse.`; a program that serves a network has its own name there.
constexpr std::array<std::string_view, 20> kFuseOverNetwork{
    "sshfs",    "glusterfs", "s3fs",      "rclone",    "gcsfuse",  "goofys",    "mount-s3",
    "juicefs",  "ceph",      "ceph-fuse", "mfs",       "moosefs",  "lizardfs",  "seaweedfs",
    "blobfuse", "blobfuse2", "davfs",     "curlftpfs", "smbnetfs", "gvfsd-fuse"};

FileSystem classify_fuse(std::string_view mount_type) {
  if (mount_type == "fuseblk") return {};  // a program, but over a local disk
  constexpr std::string_view kPrefix = "fuse.";
  const std::string_view program = mount_type.starts_with(kPrefix) ? mount_type.substr(kPrefix.size()) : "";
  const bool is_network =
      std::find(kFuseOverNetwork.begin(), kFuseOverNetwork.end(), program) != kFuseOverNetwork.end();
  return is_network ? FileSystem{Kind::kNetwork, "FUSE over a network"}
                    : FileSystem{Kind::kUserSpace, "FUSE"};
}

/// The type of the mount of a device; empty where that is not told.
std::string mount_type_of(dev_t device) {
  const std::string number = std::to_string(major(device)) + ":" + std::to_string(minor(device));
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    // id, parent, MAJOR:MINOR, ... - TYPE source options
    const std::size_t end = line.find(" - ");
    if (end == std::string::npos || line.find(' ' + number + ' ') > end) continue;
    const std::size_t type = end + 3;
    return line.substr(type, line.find(' ', type) - type);
  }
  return {};
}

std::string existing(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return path;
  const std::string parent = std::filesystem::path(path).lexically_normal().parent_path();
  return parent.empty() ? "." : parent;
}

}  // namespace

FileSystem classify_file_system(std::uint32_t type, std::string_view mount_type) {
  if (type == kFuse) return classify_fuse(mount_type);
  const auto known =
      std::find_if(kByType.begin(), kByType.end(), [type](const ByType& row) { return row.type == type; });
  return known == kByType.end() ? FileSystem{} : known->is;
}

Result<FileSystem> file_system_of(const std::string& path) {
  const std::string looked_at = existing(path);
  struct statfs facts {};
  struct stat place {};
  if (::statfs(looked_at.c_str(), &facts) != 0 || ::stat(looked_at.c_str(), &place) != 0) {
    return fail_errno(looked_at, errno);
  }
  const auto type = static_cast<std::uint32_t>(facts.f_type);
  return classify_file_system(type, type == kFuse ? mount_type_of(place.st_dev) : "");
}

Status sync_directory(const std::string& directory) {
  const UniqueFd opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::fsync(opened.get()) != 0) return fail_errno("cannot sync " + directory, errno);
  return {};
}

Status sync_name_of(const std::string& directory) {
  const std::string above = directory + "/..";
  struct stat inside {};
  struct stat outside {};
  if (::stat(directory.c_str(), &inside) != 0 || ::stat(above.c_str(), &outside) != 0) {
    if (errno == EACCES) return {};  // who may not enter it is told so by what comes next
    return fail_errno("cannot look at " + directory, errno);
  }
  if (inside.st_dev != outside.st_dev || ::access(above.c_str(), R_OK) != 0) return {};
  return sync_directory(above);
}

Status refuse_network_file_system(const std::string& directory) {
  const auto found = file_system_of(directory);
  if (!found) return tl::unexpected(found.error());
  if (found->kind != Kind::kNetwork) return {};
  return fail(Code::kUnavailable,
              directory + ": is on " + std::string(found->name) +
                  ", a network file system: mapped files and locks cannot be trusted there; use a local one");
}

}  // namespace minivault
