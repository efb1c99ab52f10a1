#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/core/error.h"

namespace minivault::client {

/// Where a node listens.
struct Address {
  std::string host;  ///< a name or a number; IPv6 without its brackets
  std::uint16_t port = 0;

  /// host:port, an IPv6 host in brackets again.
  [[nodiscard]] std::string text() const;
  bool operator==(const Address&) const = default;
};

/// Reads an address in the forms that a node's -public-url takes (common/config/values.h). The scheme is
/// dropped: one port speaks both protocols, neither encrypted. Errors: kInvalidArgument, saying what is
/// accepted.
[[nodiscard]] Result<Address> parse_address(std::string_view text);

}  // namespace minivault::client
