#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

/// Versions of keys as HTTP has them: entity tags, and what If-Match and If-None-Match ask for. Pure
/// functions, any process, any thread.
namespace minivault::protocol {

/// `ETag: "<hlc>-<origin>"` and its CRLF, both as 16 hexadecimal digits.
class EtagLine {
 public:
  EtagLine(std::uint64_t hlc, std::uint64_t origin);
  [[nodiscard]] std::string_view line() const { return {text_.data(), text_.size()}; }
  /// With its quotes.
  [[nodiscard]] std::string_view tag() const { return line().substr(kName.size(), kTagBytes); }

 private:
  static constexpr std::string_view kName = "ETag: ";
  static constexpr std::size_t kTagBytes = 1 + 16 + 1 + 16 + 1;
  std::array<char, kName.size() + kTagBytes + 2> text_;
};

/// What must hold of a key for its write to happen.
struct Precondition {
  enum class Kind {
    kNone,
    kAbsent,   ///< If-None-Match: *
    kPresent,  ///< If-Match: *
    kVersion,  ///< If-Match: "tag"
    kNever,    ///< If-Match with a tag that no version has (a weak one, too: RFC 9110, 13.1.1)
    kBad,      ///< 400 with `error`
  };
  Kind kind = Kind::kNone;
  std::uint64_t hlc = 0;
  std::uint64_t origin = 0;
  std::string_view error = {};  ///< static text
};

/// The text of a 412.
inline constexpr std::string_view kConditionFailed = "the condition does not hold";

/// Of a write's headers. One version at a time: lists of tags are kBad, and so is an If-None-Match that is
/// not
/// `*`, for a write could only mean "unless it is this one" by it; and one that is there and says nothing
/// (a variable of a script that was never set), for its writer means a condition.
[[nodiscard]] Precondition parse_precondition(std::optional<std::string_view> if_match,
                                              std::optional<std::string_view> if_none_match);

/// Whether a read's Range counts: there is no If-Range, or it names exactly this tag. Half of an old value
/// must never be completed with half of a new one.
[[nodiscard]] inline bool may_continue(std::string_view if_range, std::string_view tag) {
  return if_range.empty() || if_range == tag;
}

/// Whether a read's If-None-Match names this tag (weakly or not, in a list or not) or says `*`.
[[nodiscard]] bool names_tag(std::string_view if_none_match, std::string_view tag);

}  // namespace minivault::protocol
