#pragma once

#include <cstdint>
#include <string_view>

namespace minivault::store {

/// From here on a call that looks up what the processor can do costs less than it saves.
inline constexpr std::size_t kLargeHash = 1'024;

/// XXH3-64 of many bytes, by the widest vectors that this processor has (libxxhash's own choice at run time).
/// The same hash as XXH3_64bits_withSeed().
[[nodiscard]] std::uint64_t hash_large(std::string_view bytes, std::uint64_t seed);

}  // namespace minivault::store
