#include "common/protocol/http_target.h"

#include <algorithm>

namespace minivault::protocol {
namespace {

constexpr std::string_view kReservedPrefix = "_/";
constexpr std::string_view kAnyKeyPrefix = "_/kv/";

HttpTarget bad(int status, std::string_view error) {
  HttpTarget target;
  target.status = status;
  target.error = error;
  return target;
}

/// Of `http://host:port/path?query` all from the path on; anything else as it is. Nothing in a host needs
/// decoding.
std::string_view without_authority(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    const auto same = [](char a, char b) { return (a | ('A' <= a && a <= 'Z' ? 0x20 : 0)) == b; };
    const std::string_view front = target.substr(0, scheme.size());
    if (!std::equal(front.begin(), front.end(), scheme.begin(), scheme.end(), same)) continue;
    const std::size_t path = target.find_first_of("/?", scheme.size());
    return path == std::string_view::npos ? "/" : target.substr(path);
  }
  return target;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool percent_decode(std::string_view path, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      out.push_back(path[i]);
      continue;
    }
    if (path.size() - i < 3) return false;
    const int high = hex_digit(path[i + 1]);
    const int low = hex_digit(path[i + 2]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return true;
}

HttpTarget as_key(std::string_view key, std::string_view query) {
  if (key.empty()) return bad(400, "key required");
  if (key.size() > kLargestKeyBytes) return bad(414, "key longer than 65535 bytes");
  HttpTarget target;
  target.kind = HttpTarget::Kind::kKey;
  target.key = key;
  target.query = query;
  return target;
}

HttpTarget classify(std::string_view path, std::string_view query) {
  if (path.starts_with(kAnyKeyPrefix)) return as_key(path.substr(kAnyKeyPrefix.size()), query);
  HttpTarget target = as_key(path, query);
  if (target.kind != HttpTarget::Kind::kKey) return target;
  if (path == "health") target.kind = HttpTarget::Kind::kHealth;
  if (path == "metrics") target.kind = HttpTarget::Kind::kMetrics;
  if (path.starts_with(kReservedPrefix)) target.kind = HttpTarget::Kind::kReserved;
  return target;
}

}  // namespace

HttpTarget parse_target(std::string_view target, std::string& scratch) {
  target = without_authority(target);
  const std::size_t mark = target.find('?');
  std::string_view path = target.substr(0, mark);
  const std::string_view query =
      mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  if (path.empty() && mark == 0) return bad(400, "key required");
  if (!path.starts_with('/')) return bad(400, "bad request target");
  path.remove_prefix(1);
  if (path.find('%') == std::string_view::npos) return classify(path, query);
  if (!percent_decode(path, scratch)) return bad(400, "bad percent code in path");
  return classify(scratch, query);
}

}  // namespace minivault::protocol
