#include "common/admin/new_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace minivault::admin {

Result<NewFile> NewFile::create(const std::string& path) {
  NewFile file(path,
               UniqueFd(::open((path + ".partial").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)));
  if (!file.fd_) return fail_errno("cannot create " + file.partial(), errno);
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

Status sync_directory(const std::string& directory) {
  const UniqueFd opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::fsync(opened.get()) != 0) return fail_errno("cannot sync " + directory, errno);
  return {};
}

}  // namespace minivault::admin
