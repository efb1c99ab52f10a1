#include "common/protocol/json_value.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "common/core/utf8.h"

namespace minivault::protocol {
namespace {

using rapidjson::SizeType;

constexpr std::string_view kWhiteSpace = " \t\r\n";

/// Nesting is kept on the heap at several bytes a level, so a body of brackets alone would grow eightfold.
constexpr unsigned kDeepestNesting = 10'000;

/// Numbers stay text: converting them would be for nothing.
constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag |
                            rapidjson::kParseNumbersAsStringsFlag;

/// Follows the nesting; `Derived` hears of each value's end at depth 1 and of each name there.
template <typename Derived>
class DepthHandler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Derived> {
 public:
  bool Default() { return derived().value_ended(depth_, 0); }
  bool Key(const char* text, SizeType length, bool) { return derived().name(depth_, {text, length}); }
  bool StartObject() { return depth_++ < kDeepestNesting; }
  bool StartArray() { return depth_++ < kDeepestNesting; }
  // The reader reports the end of an object or array just before it takes the closing bracket.
  bool EndObject(SizeType) { return derived().value_ended(--depth_, 1); }
  bool EndArray(SizeType) { return derived().value_ended(--depth_, 1); }

 private:
  Derived& derived() { return static_cast<Derived&>(*this); }
  unsigned depth_ = 0;
};

class AnyValue : public DepthHandler<AnyValue> {
 public:
  bool name(unsigned, std::string_view) { return true; }
  bool value_ended(unsigned, std::size_t) { return true; }
};

/// Remembers where the last member "value" of the outermost object lies.
class ValueField : public DepthHandler<ValueField> {
 public:
  explicit ValueField(const rapidjson::MemoryStream& stream) : stream_(stream) {}

  bool name(unsigned depth, std::string_view name) {
    if (depth != 1) return true;
    in_value_ = name == "value";
    if (in_value_) name_end_ = stream_.Tell();
    return true;
  }

  bool value_ended(unsigned depth, std::size_t bracket) {
    if (depth != 1 || !in_value_) return true;
    in_value_ = false;
    found_ = true;
    begin_ = name_end_;
    end_ = stream_.Tell() + bracket;
    return true;
  }

  [[nodiscard]] bool found() const { return found_; }

  /// The text between the name and the value's end, without the colon.
  [[nodiscard]] std::string_view text(std::string_view body) const {
    std::string_view text = body.substr(begin_, end_ - begin_);
    text.remove_prefix(text.find(':') + 1);
    text.remove_prefix(text.find_first_not_of(kWhiteSpace));
    return text;
  }

 private:
  const rapidjson::MemoryStream& stream_;
  bool in_value_ = false;
  bool found_ = false;
  std::size_t name_end_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

template <typename Handler>
bool parses(rapidjson::MemoryStream& stream, std::size_t size, Handler& handler) {
  rapidjson::Reader reader;
  // The reader takes a zero byte for the end: all of the text must have been read.
  return !reader.Parse<kFlags>(stream, handler).IsError() && stream.Tell() == size;
}

char first_of_value(std::string_view text) {
  const std::size_t at = text.find_first_not_of(kWhiteSpace);
  return at == std::string_view::npos ? '\0' : text[at];
}

void append_base64(std::string& out, std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::string_view group = bytes.substr(i, 3);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8U | (k < group.size() ? static_cast<std::uint8_t>(group[k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out.push_back(k <= group.size() ? kDigits[bits >> (18 - 6 * k) & 63U] : '=');
    }
  }
}

std::size_t ascii_prefix(std::string_view text) {
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof(word));
    if ((word & 0x8080808080808080U) != 0) break;
  }
  return at;
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  out += "\\u00";
  out.push_back(kHex[static_cast<std::uint8_t>(c) >> 4U]);
  out.push_back(kHex[static_cast<std::uint8_t>(c) & 15U]);
}

bool needs_escape(char c) {
  return static_cast<std::uint8_t>(c) < 0x20 || c == '"' || c == '\\';
}

/// How many bytes at the front of `text` are ASCII that stands for itself in a JSON string.
std::size_t plain_prefix(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  constexpr std::uint64_t kHighBits = 0x80 * kOnes;
  // The high bit of each zero byte, and perhaps of bytes behind the first of them.
  const auto zeros = [](std::uint64_t word) { return (word - kOnes) & ~word; };
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof(word));
    const std::uint64_t below_space = (word - 0x20 * kOnes) & ~word;
    if (((word | below_space | zeros(word ^ '"' * kOnes) | zeros(word ^ '\\' * kOnes)) & kHighBits) != 0)
      break;
  }
  while (at < text.size() && !needs_escape(text[at]) && static_cast<std::uint8_t>(text[at]) < 0x80) ++at;
  return at;
}

/// Past white space and `token`, if that comes first.
bool take(std::string_view& text, std::string_view token) {
  text.remove_prefix(std::min(text.find_first_not_of(kWhiteSpace), text.size()));
  if (!text.starts_with(token)) return false;
  text.remove_prefix(token.size());
  return true;
}

/// What most bodies are, {"value": "plain text"} and nothing else, needs no parser. Empty: this one does.
std::string_view plain_value_field(std::string_view body) {
  if (!take(body, "{") || !take(body, "\"value\"") || !take(body, ":") || !take(body, "\"")) return {};
  const char* text = body.data();
  const std::size_t size = plain_prefix(body);
  body.remove_prefix(size);
  const bool whole = body.starts_with('"') && take(body, "\"") && take(body, "}") &&
                     body.find_first_not_of(kWhiteSpace) == std::string_view::npos;
  return whole ? std::string_view(text - 1, size + 2) : std::string_view();
}

}  // namespace

Result<std::string_view> find_value_field(std::string_view body) {
  if (const std::string_view value = plain_value_field(body); !value.empty()) return value;
  rapidjson::MemoryStream stream(body.data(), body.size());
  ValueField field(stream);
  const bool object = first_of_value(body) == '{';
  if (!object || !parses(stream, body.size(), field)) {
    return fail(Code::kInvalidArgument, std::string(kInvalidJson));
  }
  if (!field.found()) return fail(Code::kInvalidArgument, std::string(kMissingValue));
  return field.text(body);
}

bool is_json(std::string_view text) {
  // Most values that are not JSON show it in their first byte, and cost no parser.
  if (std::string_view("{[\"-0123456789tfn").find(first_of_value(text)) == std::string_view::npos)
    return false;
  rapidjson::MemoryStream stream(text.data(), text.size());
  AnyValue any;
  return parses(stream, text.size(), any);
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    text.remove_prefix(ascii_prefix(text));
    if (text.empty()) return true;
    const std::size_t length = utf8_front(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!needs_escape(text[i])) continue;
    out.append(text.substr(plain, i - plain));
    append_escape(out, text[i]);
    plain = i + 1;
  }
  out.append(text.substr(plain));
  out.push_back('"');
}

void append_data(std::string& out, std::string_view value, bool marked_json) {
  out += "{\"success\":true,\"data\":";
  if (marked_json || is_json(value)) {
    out.append(value);
  } else if (is_utf8(value)) {
    append_json_string(out, value);
  } else {
    out.push_back('"');
    append_base64(out, value);
    out += "\",\"encoding\":\"base64\"";
  }
  out.push_back('}');
}

}  // namespace minivault::protocol
