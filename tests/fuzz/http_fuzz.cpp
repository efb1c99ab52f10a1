// Goal: whatever a client sends, HTTP requests are found, or refused, the same way however the bytes are cut.
// Method: the input's first byte says how it is cut; the same bytes are parsed whole and in pieces. What a
// request names is read as a worker reads it.

#include "common/core/assert.h"
#include "common/protocol/http.h"
#include "common/protocol/http_condition.h"
#include "common/protocol/http_response.h"
#include "common/protocol/http_target.h"
#include "common/protocol/json_value.h"
#include "tests/fuzz/fuzz.h"

namespace minivault::fuzz {
namespace {

using protocol::HttpParse;

constexpr protocol::HttpLimits kLimits{512, 1024, 4096};

/// Reads the parts of a request as a worker does; what came of it.
std::string understood(const protocol::HttpRequest& request) {
  std::string out(request.method_text);
  out.append(" ").append(request.target).append(" ").append(request.body);
  std::string scratch;
  const protocol::HttpTarget target = protocol::parse_target(request.target, scratch);
  MV_ASSERT(target.key.size() <= protocol::kLargestKeyBytes);
  out.append(target.key);
  const auto condition = protocol::parse_precondition(request.if_match, request.if_none_match);
  out += std::to_string(static_cast<int>(condition.kind));
  const protocol::ByteRange range = protocol::parse_range(request.range, request.body.size());
  if (range.kind == protocol::ByteRange::Kind::kPart) {
    MV_ASSERT(range.length > 0 && range.offset + range.length <= request.body.size());
  }
  if (const auto value = protocol::find_value_field(request.body)) {
    MV_ASSERT(protocol::is_json(*value));
    std::string data;
    protocol::append_data(data, *value, true);
    MV_ASSERT(protocol::is_json(data));
  }
  std::string data;
  protocol::append_data(data, request.body, false);
  MV_ASSERT(protocol::is_json(data));
  return out;
}

/// Everything that a connection hears of the parser, the input given `step` bytes at a time.
std::string heard(std::string_view input, std::size_t step) {
  protocol::HttpParser parser(kLimits);
  std::string out;
  std::size_t given = 0;
  std::size_t begin = 0;
  while (true) {
    const HttpParse parse = parser.parse(input.substr(begin, given - begin));
    MV_ASSERT(parse.consumed <= given - begin);
    if (parse.kind == HttpParse::Kind::kRequest) out += understood(parser.request()) + '\n';
    begin += parse.consumed;
    if (parse.kind == HttpParse::Kind::kError) {
      MV_ASSERT(parse.status >= 400 && !parse.error.empty());
      return out + "refused";  // for what, too large or wrong, depends on what came first
    }
    if (parse.kind == HttpParse::Kind::kNeedMore) {
      if (given == input.size()) return out;
      given = std::min(input.size(), given + step);
    }
  }
}

}  // namespace

void check(std::string_view input) {
  const std::size_t step = 1 + take_byte(input) % 64;
  MV_ASSERT(heard(input, step) == heard(input, input.size() + 1));
}

std::vector<std::string> seeds() {
  return {
      "\1GET /key?x=1 HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2\r\nIf-Range: \"x\"\r\n\r\n",
      "\7PUT /a%20b HTTP/1.1\r\nContent-Length: 13\r\nContent-Type: application/json\r\n\r\n{\"value\": [1]}",
      "\3PUT /_/kv/k HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
      "5;x=y\r\nhello\r\n0\r\nT: v\r\n\r\n",
      "\12DELETE /k HTTP/1.0\r\nIf-Match: \"0000000000000001-0000000000000002\"\r\n"
      "Authorization: Bearer x\r\n\r\n",
      "\5GET /health HTTP/1.1\r\nConnection: close\r\nAccept: application/octet-stream\r\n\r\n"
      "GET /metrics HTTP/1.1\r\nIf-None-Match: *\r\n\r\n"};
}

}  // namespace minivault::fuzz
