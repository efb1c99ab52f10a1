#include "common/store/large_hash.h"

#if defined(__x86_64__)
#include <xxh_x86dispatch.h>  // XXH3_64bits_withSeed becomes the one that looks
#else
#include <xxhash.h>
#endif

namespace minivault::store {

std::uint64_t hash_large(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace minivault::store
