#include "common/client/address.h"

#include <charconv>

namespace minivault::client {
namespace {

tl::unexpected<Error> wrong(std::string_view text, const char* why) {
  return fail(Code::kInvalidArgument, "address \"" + std::string(text) + "\": " + why);
}

std::string_view without_scheme(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    text.remove_prefix(scheme.size());
    if (text.ends_with('/')) text.remove_suffix(1);
    return text;
  }
  return text;
}

}  // namespace

std::string Address::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

Result<Address> parse_address(std::string_view text) {
  const std::string_view bare = without_scheme(text);
  const std::size_t colon = bare.rfind(':');
  if (colon == std::string_view::npos) return wrong(text, "want host:port");

  std::string_view host = bare.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong(text, "an IPv6 address goes in brackets, [::1]:3000");
  }
  if (host.empty()) return wrong(text, "the host is missing");
  if (host.find_first_of("/[] ") != std::string_view::npos)
    return wrong(text, "want host:port, without a path");

  const std::string_view digits = bare.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port == 0) {
    return wrong(text, "the port is a number from 1 to 65535");
  }
  return Address{std::string(host), port};
}

}  // namespace minivault::client
