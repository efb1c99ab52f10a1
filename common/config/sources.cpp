#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "common/config/loader.h"
#include "common/core/unique_fd.h"
#include "common/core/user.h"

namespace minivault {
namespace {

constexpr std::size_t kLargestFile = 1U << 20;

tl::unexpected<Error> cannot_read(const std::string& path, int error_number) {
  const Code code = error_number == ENOENT ? Code::kNotFound : Code::kIo;
  return fail(code, "cannot read " + settings::quoted(path) + ": " + std::strerror(error_number));
}

Result<std::string> content_of(const std::string& path, int fd) {
  std::string content;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t size = ::read(fd, part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return cannot_read(path, errno);
    if (size == 0) return content;
    content.append(part.data(), static_cast<std::size_t>(size));
    if (content.size() > kLargestFile) return cannot_read(path, EFBIG);
  }
}

Result<std::string> content_of_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return cannot_read(path, errno);
  return content_of(path, file.get());
}

/// A key that all users of the machine may read or replace is none. What is no regular file has no such mode,
/// may be read only once (a reload reads again), and a FIFO would let the node wait for a writer.
Result<std::string> secret_of_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return cannot_read(path, errno);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return cannot_read(path, errno);
  if (!S_ISREG(facts.st_mode)) {
    return fail(Code::kInvalidArgument, settings::quoted(path) + " is not a regular file");
  }
  if ((facts.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return fail(Code::kUnauthorized,
                settings::quoted(path) + " is open to every user of this machine: chmod o= " + path);
  }
  return content_of(path, file.get());
}

Status user_exists(const std::string& name) {
  const Result<User> user = find_user(name);
  return user ? Status{} : tl::unexpected(user.error());
}

std::optional<std::string> variable(const std::string& name) {
  const char* text = std::getenv(name.c_str());
  if (text == nullptr) return std::nullopt;
  return text;
}

/// The cores this process may use: a container's CPU set counts, the machine's size does not.
unsigned usable_cores() {
  cpu_set_t cores;
  if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return static_cast<unsigned>(CPU_COUNT(&cores));
}

}  // namespace

ConfigSources ConfigSources::of_system() {
  return {variable, content_of_file, usable_cores(), secret_of_file, user_exists};
}

}  // namespace minivault
