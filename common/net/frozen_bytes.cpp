#include "common/net/frozen_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

namespace minivault::net {

std::shared_ptr<const FrozenBytes> FrozenBytes::copy_of(std::string_view bytes) {
  UniqueFd file(::memfd_create("minivault value", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return nullptr;
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (written <= 0 && errno != EINTR) return nullptr;
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  constexpr int kForGood = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (::fcntl(file.get(), F_ADD_SEALS, kForGood) != 0) return nullptr;
  return std::make_shared<const FrozenBytes>(std::move(file), bytes.size());
}

}  // namespace minivault::net
