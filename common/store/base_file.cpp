#include "common/store/base_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "common/core/mapping.h"
#include "common/core/unique_fd.h"
#include "common/store/base_free_list.h"

namespace minivault::store::base {
namespace {

constexpr std::uint64_t kLargestMap = std::uint64_t{1} << 40U;
constexpr std::uint64_t kSmallestMap = std::uint64_t{1} << 30U;

Result<std::uint64_t> length_of(int fd) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return fail_errno("fstat", errno);
  if (!S_ISREG(facts.st_mode)) return fail(Code::kCorrupt, "not a regular file");
  return static_cast<std::uint64_t>(facts.st_size);
}

Result<FileState> check_open_file(int fd) {
  auto file_bytes = length_of(fd);
  if (!file_bytes) return tl::unexpected(file_bytes.error());
  // A birth gives the file its name once its first pages are on disk.
  if (*file_bytes == 0) return fail(Code::kCorrupt, "truncated: it is empty");
  const auto meta = read_newest_meta(fd, *file_bytes);
  if (!meta) return tl::unexpected(meta.error());
  // Only now: a commit between the two could have lengthened the file.
  file_bytes = length_of(fd);
  if (!file_bytes) return tl::unexpected(file_bytes.error());
  const std::uint64_t claimed_bytes = (meta->last_page + 1) * meta->free.pad;
  if (*file_bytes >= claimed_bytes) return FileState::kSound;
  const Status free = missing_pages_are_free(fd, *meta, *file_bytes);
  if (free) return FileState::kSound;
  return fail(Code::kCorrupt, "truncated: " + std::to_string(*file_bytes) + " bytes of " +
                                  std::to_string(claimed_bytes) + " are there, and " + free.error().message);
}

}  // namespace

Result<FileState> check_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe's would wait
  if (!file && errno == ENOENT) return FileState::kAbsent;
  if (!file) return fail_errno(path, errno);
  // A meta page that is being written may be read half old and half new: damage is what stays.
  constexpr int kAttempts = 3;
  auto state = check_open_file(file.get());
  for (int i = 1; i < kAttempts && !state; ++i) state = check_open_file(file.get());
  if (!state) return fail(state.error().code, path + ": " + state.error().message);
  return state;
}

bool address_space_for(std::uint64_t bytes) {
  void* const address = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) return false;
  const Mapping given_back(address, bytes);
  return true;
}

std::uint64_t largest_map() {
  for (std::uint64_t bytes = kLargestMap; bytes >= kSmallestMap; bytes /= 4) {
    if (address_space_for(bytes)) return bytes;
  }
  return 0;
}

}  // namespace minivault::store::base
