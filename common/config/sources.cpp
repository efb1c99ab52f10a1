#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "common/config/loader.h"
#include "common/core/unique_fd.h"

namespace minivault {
namespace {

constexpr std::size_t kLargestFile = 1U << 20;

tl::unexpected<Error> cannot_read(const std::string& path, int error_number) {
  const Code code = error_number == ENOENT ? Code::kNotFound : Code::kIo;
  return fail(code, "cannot read " + settings::quoted(path) + ": " + std::strerror(error_number));
}

Result<std::string> content_of(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return cannot_read(path, errno);
  std::string content;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t size = ::read(file.get(), part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return cannot_read(path, errno);
    if (size == 0) return content;
    content.append(part.data(), static_cast<std::size_t>(size));
    if (content.size() > kLargestFile) return cannot_read(path, EFBIG);
  }
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
  return {variable, content_of, usable_cores()};
}

}  // namespace minivault
