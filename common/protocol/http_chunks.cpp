#include "common/protocol/http_chunks.h"

#include <algorithm>
#include <charconv>

namespace minivault::protocol {
namespace {

using Step = ChunkDecoder::Step;

constexpr std::size_t kLongestSizeLine = 4096;  ///< an extension is allowed, and of no use to anyone
constexpr std::size_t kLineEndBytes = 2;

Step need_more() {
  return {Step::Kind::kNeedMore, 0, 0, {}};
}
Step took(std::size_t bytes) {
  return {Step::Kind::kNeedMore, bytes, 0, {}};
}
Step refuse(int status, std::string_view error) {
  return {Step::Kind::kError, 0, status, error};
}

bool has_control(std::string_view line) {
  return std::any_of(line.begin(), line.end(), [](char c) {
    const auto byte = static_cast<std::uint8_t>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7F;
  });
}

}  // namespace

Step ChunkDecoder::decode(std::string_view input, std::string& body) {
  std::size_t consumed = 0;
  for (;;) {
    Step step = state_ == State::kData ? take_data(input, body) : take_line(input, body.size());
    input.remove_prefix(step.consumed);
    consumed += step.consumed;
    if (step.kind == Step::Kind::kNeedMore && step.consumed != 0) continue;
    step.consumed = consumed;
    return step;
  }
}

Step ChunkDecoder::take_data(std::string_view input, std::string& body) {
  const std::string_view data = input.substr(0, data_left_);
  body.append(data);
  data_left_ -= data.size();
  if (data_left_ == 0) state_ = State::kDataEnd;
  return took(data.size());
}

std::size_t ChunkDecoder::longest_line() const {
  switch (state_) {
    case State::kDataEnd:
      return kLineEndBytes;
    case State::kTrailer:
      return limits_.trailers - trailer_bytes_;
    default:
      return kLongestSizeLine;
  }
}

Step ChunkDecoder::take_line(std::string_view input, std::size_t body_bytes) {
  const std::size_t newline = input.find('\n', scanned_);
  scanned_ = newline == std::string_view::npos ? input.size() : 0;
  if (std::min(newline, input.size()) >= longest_line()) {
    return refuse(400, state_ == State::kDataEnd ? "chunk longer than its size"
                                                 : "chunk size line or trailers too long");
  }
  if (newline == std::string_view::npos) return need_more();
  if (newline == 0 || input[newline - 1] != '\r') return refuse(400, "bare line feed");

  const std::string_view line = input.substr(0, newline - 1);
  if (has_control(line)) return refuse(400, "malformed chunk");
  Step step = took(newline + 1);
  if (state_ == State::kDataEnd)
    state_ = State::kSize;
  else if (state_ == State::kSize)
    step = take_size(line, body_bytes);
  else
    step = take_trailer(line);
  if (step.kind != Step::Kind::kError) step.consumed = newline + 1;
  return step;
}

/// `SIZE` or `SIZE;extension`, in hexadecimal digits alone.
Step ChunkDecoder::take_size(std::string_view line, std::size_t body_bytes) {
  const std::string_view digits = line.substr(0, line.find(';'));
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
  const bool all_digits = !digits.empty() && end == digits.data() + digits.size();
  if (!all_digits || error != std::errc()) return refuse(400, "malformed chunk size");
  if (size > limits_.body - body_bytes) return refuse(413, "body too large");
  data_left_ = size;
  state_ = size == 0 ? State::kTrailer : State::kData;
  return need_more();
}

Step ChunkDecoder::take_trailer(std::string_view line) {
  if (line.empty()) return {Step::Kind::kDone, 0, 0, {}};
  trailer_bytes_ += line.size() + kLineEndBytes;
  return need_more();
}

}  // namespace minivault::protocol
