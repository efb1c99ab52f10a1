#pragma once

#include <string>
#include <string_view>

/// What an HTTP request's target names. Pure functions, any process, any thread.
namespace minivault::protocol {

struct HttpTarget {
  enum class Kind {
    kKey,
    kHealth,    ///< /health
    kMetrics,   ///< /metrics
    kReserved,  ///< anything else under /_/; `key` is the decoded path without its first slash
    kBad,       ///< answer `status` (400 or 414) and `error`
  };
  Kind kind = Kind::kBad;
  std::string_view key;    ///< points into the target, or into `scratch` when something had to be decoded
  std::string_view query;  ///< what follows the first '?', as sent
  int status = 0;
  std::string_view error;  ///< static text
};

inline constexpr std::size_t kLargestKeyBytes = 65'535;

/// The path is percent-decoded first and then compared, so /%68ealth is /health. A '?' ends the path (a key
/// holds one as %3F), '+' is a plus, no dot segment is resolved. `http://host/path` means `/path`. /_/kv/KEY
/// reaches any key. REQUIRES: `scratch` outlives the use of `key`; it is only written when the path holds a
/// percent code.
[[nodiscard]] HttpTarget parse_target(std::string_view target, std::string& scratch);

}  // namespace minivault::protocol
