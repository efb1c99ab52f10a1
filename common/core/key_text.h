#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// Keys as people are shown them: never more than the first bytes, however long they are. Pure, any thread.
namespace minivault {

inline constexpr std::size_t kKeyBytesShown = 60;

/// As it is, for a field of a log line, which tells by itself what is no text; "..." where it goes on.
[[nodiscard]] std::string shown_key(std::string_view key);

/// Between quotes, for a sentence: what is not printable ASCII as \xHH; "..." behind them where it goes on.
[[nodiscard]] std::string quoted_key(std::string_view key);

}  // namespace minivault
