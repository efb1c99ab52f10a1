#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

/// The binary protocol: frames of requests and responses. Pure functions over bytes, any process, any thread;
/// nothing here allocates but the growth of the string appended to. All integers on the wire are
/// little-endian.
namespace minivault::protocol {

static_assert(std::endian::native == std::endian::little,
              "integers are copied to and from the wire as they are");

enum class Opcode : std::uint8_t { kGet = 1, kSet, kDelete, kSync, kHealth, kAuth };

/// Whether a connection's first byte announces the binary protocol.
[[nodiscard]] constexpr bool is_opcode(std::uint8_t byte) {
  return byte >= 1 && byte <= 6;
}

/// One request. The views point into the input it was parsed from.
struct BinaryRequest {
  Opcode opcode = Opcode::kGet;
  std::string_view key;
  std::string_view value;  ///< SET and SYNC only; as on the wire, so one zstd frame if `compressed`
  bool compressed = false;
};

struct BinaryLimits {
  std::uint64_t largest_value = 0;    ///< bytes of a value on the wire
  std::uint64_t largest_message = 0;  ///< the same for SYNC
};

struct BinaryParse {
  enum class Kind {
    kRequest,   ///< `out` is filled; `size` bytes of the input belong to it
    kNeedMore,  ///< `size` = bytes the request has in all, as far as known yet (a claim: grow buffers as
                ///< bytes arrive)
    kSkip,  ///< wrong, but of known length: read past `size` bytes (perhaps not all received yet), answer FF,
            ///< go on
    kBad,   ///< unknown opcode: where it ends is unknown; answer FF and close
  };
  Kind kind;
  std::uint64_t size;
};

inline constexpr std::uint64_t kBinaryPrefixBytes = 3;  ///< opcode and key length
inline constexpr std::uint64_t kBinaryValueBytes = 5;   ///< value length and the compressed byte
inline constexpr std::uint64_t kResponseHeadBytes = 5;  ///< status and length
inline constexpr std::uint8_t kStatusOk = 0x00;
inline constexpr std::uint8_t kStatusError = 0xFF;

namespace detail {

template <typename Integer>
[[nodiscard]] inline Integer load(std::string_view input, std::uint64_t at) {
  Integer value;
  std::memcpy(&value, input.data() + at, sizeof(value));
  return value;
}

template <typename Integer>
inline void store(std::string& out, Integer value) {
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  out.append(bytes, sizeof(value));
}

[[nodiscard]] inline BinaryParse parse_with_value(std::string_view input, const BinaryLimits& limits,
                                                  BinaryRequest& out) {
  const std::uint64_t head = kBinaryPrefixBytes + out.key.size() + kBinaryValueBytes;
  const auto value_bytes = load<std::uint32_t>(input, head - kBinaryValueBytes);
  const auto compressed = static_cast<std::uint8_t>(input[head - 1]);
  const std::uint64_t size = head + value_bytes;
  const std::uint64_t largest = out.opcode == Opcode::kSync ? limits.largest_message : limits.largest_value;
  if (out.key.empty() || value_bytes > largest || compressed > 1) {
    return {BinaryParse::Kind::kSkip, size};
  }
  if (input.size() < size) return {BinaryParse::Kind::kNeedMore, size};
  out.value = input.substr(head, value_bytes);
  out.compressed = compressed == 1;
  return {BinaryParse::Kind::kRequest, size};
}

}  // namespace detail

/// Looks at the request at the front of `input`. Stateless: call again with more bytes after kNeedMore.
/// A refusal comes as soon as the length is known, before a single byte of the value is needed.
[[nodiscard]] inline BinaryParse parse_binary(std::string_view input, const BinaryLimits& limits,
                                              BinaryRequest& out) {
  using Kind = BinaryParse::Kind;
  if (input.empty()) return {Kind::kNeedMore, kBinaryPrefixBytes};
  const auto opcode = static_cast<std::uint8_t>(input[0]);
  if (!is_opcode(opcode)) return {Kind::kBad, 0};
  if (input.size() < kBinaryPrefixBytes) return {Kind::kNeedMore, kBinaryPrefixBytes};

  out = BinaryRequest{};
  out.opcode = static_cast<Opcode>(opcode);
  const bool has_value = out.opcode == Opcode::kSet || out.opcode == Opcode::kSync;
  const auto key_bytes = detail::load<std::uint16_t>(input, 1);
  const std::uint64_t head = kBinaryPrefixBytes + key_bytes + (has_value ? kBinaryValueBytes : 0);
  if (input.size() < head) return {Kind::kNeedMore, head};
  out.key = input.substr(kBinaryPrefixBytes, key_bytes);
  if (has_value) return detail::parse_with_value(input, limits, out);
  return {key_bytes == 0 ? Kind::kSkip : Kind::kRequest, head};
}

/// The key of a whole GET at the front of `input`, which takes kBinaryPrefixBytes and the key; empty: that is
/// not what stands there.
[[nodiscard]] inline std::string_view get_key_in_front(std::string_view input) {
  if (input.size() < kBinaryPrefixBytes || input[0] != static_cast<char>(Opcode::kGet)) return {};
  const auto key_bytes = detail::load<std::uint16_t>(input, 1);
  if (input.size() - kBinaryPrefixBytes < key_bytes) return {};
  return {input.data() + kBinaryPrefixBytes, key_bytes};
}

// Responses, as a node writes them.

inline void append_ok(std::string& out) {
  out.append(5, '\0');
}

inline void append_error(std::string& out) {
  out.append("\xFF\0\0\0\0", 5);
}

/// The caller appends `length` bytes of value after it.
inline void append_value_header(std::string& out, std::uint32_t length) {
  out.push_back(static_cast<char>(kStatusOk));
  detail::store(out, length);
}

/// The response to a SET or DELETE that was done, kResponseHeadBytes, at `to`.
inline void write_ok(char* to) {
  std::memset(to, 0, kResponseHeadBytes);
}

/// The response to a request that failed, as long.
inline void write_error(char* to) {
  std::memcpy(to, "\xFF\0\0\0\0", kResponseHeadBytes);
}

/// The response to a GET that found `value`, kResponseHeadBytes more than it, at `to`.
inline void write_value(char* to, std::string_view value) {
  const auto length = static_cast<std::uint32_t>(value.size());
  *to = static_cast<char>(kStatusOk);
  std::memcpy(to + 1, &length, sizeof length);
  std::memcpy(to + kResponseHeadBytes, value.data(), value.size());
}

// Requests, as clients write them. REQUIRES: 1 to 65,535 bytes of key, less than 4 GiB of value.

namespace detail {

inline void append_keyed(std::string& out, Opcode opcode, std::string_view key) {
  out.push_back(static_cast<char>(opcode));
  store(out, static_cast<std::uint16_t>(key.size()));
  out.append(key);
}

/// All but the value, which is to follow.
inline void append_value_head(std::string& out, Opcode opcode, std::string_view key, std::size_t value_bytes,
                              bool compressed) {
  append_keyed(out, opcode, key);
  store(out, static_cast<std::uint32_t>(value_bytes));
  out.push_back(compressed ? '\1' : '\0');
}

inline void append_valued(std::string& out, Opcode opcode, std::string_view key, std::string_view value,
                          bool compressed) {
  append_value_head(out, opcode, key, value.size(), compressed);
  out.append(value);
}

}  // namespace detail

inline void append_get(std::string& out, std::string_view key) {
  detail::append_keyed(out, Opcode::kGet, key);
}

inline void append_set(std::string& out, std::string_view key, std::string_view value,
                       bool compressed = false) {
  detail::append_valued(out, Opcode::kSet, key, value, compressed);
}

inline void append_delete(std::string& out, std::string_view key) {
  detail::append_keyed(out, Opcode::kDelete, key);
}

inline void append_sync(std::string& out, std::string_view stream, std::string_view message,
                        bool compressed) {
  detail::append_valued(out, Opcode::kSync, stream, message, compressed);
}

/// The same without the message, whose bytes are to follow: for one that is put together in place.
inline void append_sync_head(std::string& out, std::string_view stream, std::size_t message_bytes) {
  detail::append_value_head(out, Opcode::kSync, stream, message_bytes, false);
}

/// The server ignores the key, but an empty one would be an error.
inline void append_health(std::string& out) {
  detail::append_keyed(out, Opcode::kHealth, "health");
}

inline void append_auth(std::string& out, std::string_view auth_key) {
  detail::append_keyed(out, Opcode::kAuth, auth_key);
}

/// One response. The view points into the input it was parsed from.
struct BinaryResponse {
  bool ok = false;
  std::string_view value;
};

struct ResponseParse {
  enum class Kind {
    kResponse,  ///< `out` is filled; `size` bytes of the input belong to it
    kNeedMore,  ///< `size` = bytes the response has in all, as far as known yet
    kBad,       ///< not this protocol, or longer than the client accepts: close
  };
  Kind kind;
  std::uint64_t size;
};

/// Looks at the response at the front of `input`; refuses one of more than `largest_value` bytes.
[[nodiscard]] inline ResponseParse parse_response(std::string_view input, std::uint64_t largest_value,
                                                  BinaryResponse& out) {
  using Kind = ResponseParse::Kind;
  if (input.empty()) return {Kind::kNeedMore, kResponseHeadBytes};
  const auto status = static_cast<std::uint8_t>(input[0]);
  if (status != kStatusOk && status != kStatusError) return {Kind::kBad, 0};
  if (input.size() < kResponseHeadBytes) return {Kind::kNeedMore, kResponseHeadBytes};
  const auto length = detail::load<std::uint32_t>(input, 1);
  const bool error_with_body = status == kStatusError && length != 0;
  if (error_with_body || length > largest_value) return {Kind::kBad, 0};
  const std::uint64_t size = kResponseHeadBytes + length;
  if (input.size() < size) return {Kind::kNeedMore, size};
  out.ok = status == kStatusOk;
  out.value = input.substr(kResponseHeadBytes, length);
  return {Kind::kResponse, size};
}

}  // namespace minivault::protocol
