#include "common/client/address.h"

#include "common/config/values.h"

namespace minivault::client {

std::string Address::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

Result<Address> parse_address(std::string_view text) {
  const auto address = settings::parse_address(text);
  if (!address) {
    return fail(
        Code::kInvalidArgument,
        "address \"" + std::string(text) +
            "\": want host:port, http://host[:port] or https://host[:port], an IPv6 host in brackets");
  }
  // As it came back it is host:port and nothing else.
  const std::string_view whole = *address;
  const std::size_t colon = whole.rfind(':');
  std::string_view host = whole.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const auto port = settings::parse_number(whole.substr(colon + 1), 1, 65'535);
  return Address{std::string(host), static_cast<std::uint16_t>(*port)};
}

}  // namespace minivault::client
