#pragma once

#include <rapidjson/document.h>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/raw_connection.h"

namespace minivault::test {

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  /// "" where there is no such header.
  [[nodiscard]] std::string header(const std::string& name) const;
};

using Headers = std::vector<std::string>;  ///< whole lines, "Name: value"

/// The bytes of one request without a body.
[[nodiscard]] std::string http_request(std::string_view method, std::string_view target,
                                       const Headers& headers = {});
/// … with a body, which gets its Content-Length unless `headers` frame it.
[[nodiscard]] std::string http_upload(std::string_view method, std::string_view target, std::string_view body,
                                      const Headers& headers = {});

/// Reads one response, checking its framing. `has_body` is false for the answer to HEAD.
[[nodiscard]] HttpResponse receive_http(RawConnection& connection, bool has_body = true);

/// One request on a connection of its own.
[[nodiscard]] HttpResponse http(std::uint16_t port, std::string_view request);

/// Throws where `text` is not one JSON value.
[[nodiscard]] rapidjson::Document parse_json(std::string_view text);

}  // namespace minivault::test
