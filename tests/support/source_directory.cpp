#include "tests/support/source_directory.h"

namespace minivault::test {

std::filesystem::path source_directory() {
  return MINIVAULT_SOURCE_DIRECTORY;
}

}  // namespace minivault::test
