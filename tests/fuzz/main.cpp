// What libFuzzer calls. The first argument that is no option is the directory of inputs: the seeds go there
// before it is read.

#include <fstream>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  for (int i = 1; i < *count; ++i) {
    const std::string directory = (*arguments)[i];
    if (directory.starts_with('-')) continue;
    int number = 0;
    for (const std::string& seed : minivault::fuzz::seeds()) {
      std::ofstream(directory + "/seed-" + std::to_string(number++)) << seed;
    }
    break;
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  minivault::fuzz::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
