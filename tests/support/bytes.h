#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace minivault::test {

/// The bytes of `01 0500 6d79…`; blanks are skipped. Throws where it is not hex.
[[nodiscard]] std::string from_hex(std::string_view text);

/// `010500…`, cut after 64 bytes; for messages.
[[nodiscard]] std::string to_hex(std::string_view bytes);

/// Bytes of every value that do not compress.
[[nodiscard]] std::string random_bytes(std::mt19937_64& random, std::size_t size);

/// `text` as one zstd frame.
[[nodiscard]] std::string zstd_frame(std::string_view text);

}  // namespace minivault::test
