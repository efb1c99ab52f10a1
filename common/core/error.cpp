#include "common/core/error.h"

#include <cstring>

namespace minivault {

tl::unexpected<Error> fail_errno(const std::string& what, int error_number) {
  return fail(Code::kIo, what + ": " + std::strerror(error_number));
}

}  // namespace minivault
