#include "common/admin/new_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "common/core/file_system.h"

namespace minivault::admin {
namespace {

/// Not given another name, or removed, since it was opened.
bool is_still(int fd, const std::string& path) {
  struct stat opened {};
  struct stat found {};
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &found) == 0 && opened.st_dev == found.st_dev &&
         opened.st_ino == found.st_ino;
}

/// Where a link leads; a device or a pipe would become a regular file.
Result<std::string> target_of(const std::string& path) {
  std::error_code failed;
  const std::filesystem::file_status found = std::filesystem::symlink_status(path, failed);
  if (!std::filesystem::exists(found)) return path;
  const std::filesystem::path target = std::filesystem::canonical(path, failed);
  if (failed) return fail(Code::kInvalidArgument, path + ": " + failed.message());
  if (!std::filesystem::is_regular_file(target, failed)) {
    return fail(Code::kInvalidArgument, path + " is not a regular file");
  }
  return target.string();
}

}  // namespace

Result<NewFile> NewFile::create(const std::string& path) {
  const Result<std::string> target = target_of(path);
  if (!target) return tl::unexpected(target.error());
  NewFile file(*target, {});
  UniqueFd fd(::open(file.partial().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("cannot create " + file.partial(), errno);
  // Two at once would mix what they write. What a killed one left is nobody's.
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 || !is_still(fd.get(), file.partial())) {
    return fail(Code::kUnavailable, file.partial() + ": somebody else writes it");
  }
  file.fd_ = std::move(fd);
  if (::ftruncate(file.fd_.get(), 0) != 0) return fail_errno("cannot create " + file.partial(), errno);
  return file;
}

NewFile::~NewFile() {
  if (fd_) ::unlink(partial().c_str());
}

Status NewFile::write(std::string_view bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("cannot write " + partial(), errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status NewFile::publish() {
  if (::fsync(fd_.get()) != 0) return fail_errno("cannot sync " + partial(), errno);
  if (::rename(partial().c_str(), path_.c_str()) != 0) return fail_errno("cannot rename " + partial(), errno);
  fd_.reset();
  const std::string directory = std::filesystem::path(path_).parent_path().string();
  return sync_directory(directory.empty() ? "." : directory);
}

}  // namespace minivault::admin
