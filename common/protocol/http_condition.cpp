#include "common/protocol/http_condition.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace minivault::protocol {
namespace {

constexpr std::size_t kDigits = 16;

char* put_hex(char* out, std::uint64_t number) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (unsigned shift = 64; shift > 0; shift -= 4) *out++ = kHex[number >> (shift - 4) & 0xFU];
  return out;
}

/// Exactly as put_hex() writes it: one version has one tag.
std::optional<std::uint64_t> parse_hex(std::string_view text) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (text.size() != kDigits || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, 16);
  return number;
}

Precondition bad(std::string_view error) {
  return {Precondition::Kind::kBad, 0, 0, error};
}

Precondition version_of(std::string_view tag) {
  constexpr std::size_t kTag = 1 + kDigits + 1 + kDigits + 1;
  if (tag.size() != kTag || tag[1 + kDigits] != '-') return {Precondition::Kind::kNever};
  const auto hlc = parse_hex(tag.substr(1, kDigits));
  const auto origin = parse_hex(tag.substr(2 + kDigits, kDigits));
  if (!hlc || !origin) return {Precondition::Kind::kNever};
  return {Precondition::Kind::kVersion, *hlc, *origin};
}

}  // namespace

EtagLine::EtagLine(std::uint64_t hlc, std::uint64_t origin) {
  char* at = std::copy(kName.begin(), kName.end(), text_.data());
  *at++ = '"';
  at = put_hex(at, hlc);
  *at++ = '-';
  at = put_hex(at, origin);
  *at++ = '"';
  *at++ = '\r';
  *at = '\n';
}

Precondition parse_precondition(std::optional<std::string_view> if_match,
                                std::optional<std::string_view> if_none_match) {
  if (!if_match && !if_none_match) return {};
  if (if_match && if_none_match) return bad("If-Match and If-None-Match: want one of them");
  if (if_none_match) {
    return *if_none_match == "*" ? Precondition{Precondition::Kind::kAbsent}
                                 : bad("If-None-Match of a write is *");
  }
  if (*if_match == "*") return {Precondition::Kind::kPresent};
  const bool weak = if_match->starts_with("W/");
  const std::string_view tag = if_match->substr(weak ? 2 : 0);
  const bool quoted = tag.size() >= 2 && tag.front() == '"' && tag.find('"', 1) == tag.size() - 1;
  if (!quoted) return bad("If-Match is * or one ETag in its quotes");
  return weak ? Precondition{Precondition::Kind::kNever} : version_of(tag);
}

bool names_tag(std::string_view if_none_match, std::string_view tag) {
  // A tag of this program's holds neither quotes nor commas, so it is found nowhere but where it is meant.
  return if_none_match == "*" || if_none_match.find(tag) != std::string_view::npos;
}

}  // namespace minivault::protocol
