#include "common/core/mapping.h"

#include <sys/mman.h>

namespace minivault {

Mapping::~Mapping() {
  if (address_ != nullptr) ::munmap(address_, size_);
}

}  // namespace minivault
