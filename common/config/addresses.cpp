// The part of values.h that knows hosts and addresses.

#include <arpa/inet.h>

#include <algorithm>

#include "common/config/values.h"

namespace minivault::settings {
namespace {

constexpr std::size_t kLongestName = 253;  // RFC 1123
constexpr std::size_t kLongestLabel = 63;

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

std::optional<std::string> parse_ipv6(std::string_view text) {
  in6_addr address{};
  if (::inet_pton(AF_INET6, std::string(text).c_str(), &address) != 1) return std::nullopt;
  char canonical[INET6_ADDRSTRLEN];
  return ::inet_ntop(AF_INET6, &address, canonical, sizeof canonical);
}

bool is_ipv4(const std::string& text) {
  in_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1;
}

/// Letters, digits, hyphens and underscores (which container networks use) in labels between dots.
bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kLongestName) return false;
  std::size_t label = 0;
  for (const char letter : text) {
    const bool is_letter = (letter >= 'a' && letter <= 'z') || is_digit(letter) || letter == '_';
    if (letter == '.' && label == 0) return false;
    if (letter == '-' && label == 0) return false;
    if (letter != '.' && letter != '-' && !is_letter) return false;
    label = letter == '.' ? 0 : label + 1;
    if (label > kLongestLabel) return false;
  }
  return label > 0 && text.back() != '-';
}

/// What is in front of the host, and the port it stands for; no port without a scheme.
std::optional<std::string_view> take_scheme(std::string_view& text) {
  for (const auto& [scheme, port] : {std::pair<std::string_view, std::string_view>{"http://", "80"},
                                     std::pair<std::string_view, std::string_view>{"https://", "443"}}) {
    if (!text.starts_with(scheme)) continue;
    text.remove_prefix(scheme.size());
    if (text.ends_with('/')) text.remove_suffix(1);
    return port;
  }
  return std::nullopt;
}

/// Where the host ends: behind the bracket of an IPv6 address, else at the last colon.
std::size_t host_size(std::string_view text) {
  if (text.starts_with('[')) return std::min(text.find(']'), text.size() - 1) + 1;
  return std::min(text.rfind(':'), text.size());
}

}  // namespace

std::optional<std::string> parse_host(std::string_view text) {
  // The system's parser would stop at a zero byte and accept what is before it.
  if (!is_plain_text(text)) return std::nullopt;
  if (text.starts_with('[') && text.ends_with(']')) return parse_ipv6(text.substr(1, text.size() - 2));
  if (text.find(':') != std::string_view::npos) return parse_ipv6(text);
  std::string host(text);
  std::transform(host.begin(), host.end(), host.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  });
  // A name whose last label is a number is an address written wrongly: 300.1.1.1, 127.1.
  const std::string_view last = std::string_view(host).substr(host.rfind('.') + 1);
  const bool is_numeric = std::all_of(last.begin(), last.end(), is_digit);
  if (is_numeric ? !is_ipv4(host) : !is_name(host)) return std::nullopt;
  return host;
}

std::optional<std::string> parse_address(std::string_view text) {
  const auto default_port = take_scheme(text);
  const std::size_t end = text.empty() ? 0 : host_size(text);
  const std::string_view host_text = text.substr(0, end);
  std::string_view port = text.substr(end);
  if (port.starts_with(':')) {
    port.remove_prefix(1);
  } else if (port.empty() && default_port) {
    port = *default_port;
  } else {
    return std::nullopt;
  }

  const bool is_bracketed = host_text.starts_with('[');
  if (!is_bracketed && host_text.find(':') != std::string_view::npos) return std::nullopt;
  const auto host = parse_host(host_text);
  const auto number = parse_number(port, 1, 65'535);
  if (!host || !number) return std::nullopt;
  return (is_bracketed ? "[" + *host + "]" : *host) + ":" + std::to_string(*number);
}

std::optional<std::vector<std::string>> parse_address_list(std::string_view text) {
  std::vector<std::string> addresses;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view item = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (item.empty()) continue;
    const auto address = parse_address(item);
    if (!address) return std::nullopt;
    if (std::find(addresses.begin(), addresses.end(), *address) == addresses.end())
      addresses.push_back(*address);
  }
  return addresses;
}

}  // namespace minivault::settings
