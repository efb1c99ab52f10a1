#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace minivault::load {

/// What is stored under key number n: its name, and a value that only this key can have.
///
/// The name is `key:` and 12 digits. A value begins with the key's number and goes on with a stretch of
/// random text that depends on the number, so one look tells another key's value, a shifted one and a damaged
/// one from the right one. All of it is letters, digits, - and _, fit for JSON as it is. Unchanged after
/// construction: any thread.
class Values {
 public:
  explicit Values(std::uint64_t value_bytes);

  static void append_key(std::string& out, std::uint64_t number);
  void append_value(std::string& out, std::uint64_t number) const;
  [[nodiscard]] bool is_value(std::string_view bytes, std::uint64_t number) const;

  [[nodiscard]] std::uint64_t value_bytes() const { return value_bytes_; }

 private:
  [[nodiscard]] std::string_view filler(std::uint64_t number) const;

  std::uint64_t value_bytes_;
  std::uint64_t head_bytes_;  ///< of the number
  std::string filler_;        ///< a value's filler begins anywhere in its first kStarts bytes
};

}  // namespace minivault::load
