#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Bodies with Transfer-Encoding: chunked. Part of HttpParser, which see.
///
/// Beast's own decoder is not used: 1.74 reads a chunk extension past its line's end, then counts the chunk
/// against the limit again with every new byte, and asserts on the length of a last chunk that comes byte by
/// byte.
namespace minivault::protocol {

/// Joins the chunks of one body. One a body, used by the thread that owns the connection.
class ChunkDecoder {
 public:
  struct Limits {
    std::uint64_t body;    ///< bytes of all chunks' data
    std::size_t trailers;  ///< bytes of all trailers, which are read past: nothing in them counts
  };

  struct Step {
    enum class Kind { kNeedMore, kDone, kError };
    Kind kind;
    std::size_t consumed = 0;  ///< the caller drops these bytes and gives the rest again with what came after
    int status = 0;            ///< kError: 400 or 413
    std::string_view error;    ///< kError: static text
  };

  explicit ChunkDecoder(const Limits& limits) : limits_(limits) {}

  /// Appends the data at the front of `input` to `body`, as far as it goes.
  [[nodiscard]] Step decode(std::string_view input, std::string& body);

 private:
  enum class State { kSize, kData, kDataEnd, kTrailer };

  Step take_data(std::string_view input, std::string& body);
  Step take_line(std::string_view input, std::size_t body_bytes);
  Step take_size(std::string_view line, std::size_t body_bytes);
  Step take_trailer(std::string_view line);
  [[nodiscard]] std::size_t longest_line() const;

  Limits limits_;
  State state_ = State::kSize;
  std::uint64_t data_left_ = 0;
  std::size_t scanned_ = 0;  ///< bytes of an unfinished line already searched for its end
  std::size_t trailer_bytes_ = 0;
};

}  // namespace minivault::protocol
