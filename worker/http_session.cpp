// The framing of HTTP requests: when one is whole, what it may claim, how it ends. What requests do is in
// http_requests.cpp.

#include "worker/http_session.h"

#include <algorithm>
#include <string>

namespace minivault::worker {
namespace {

using protocol::HttpParse;
using protocol::HttpRequest;
using protocol::HttpTarget;
using protocol::ResponseForm;

/// Around X in {"value": X}: a generous allowance for names and white space.
constexpr std::uint64_t kJsonMargin = 64 * 1024;
/// A head may take this much, whatever it turns out to be.
constexpr std::uint64_t kLargestHead = 512 * 1024;
constexpr std::uint64_t kFewChunks = 1 << 20;

protocol::HttpLimits limits_of(const store::Store& store) {
  protocol::HttpLimits limits;
  limits.largest_body = store.largest_value(1) + kJsonMargin;
  return limits;
}

}  // namespace

Progress HttpSession::step(Client& client) {
  if (client.pending_writes > 0) return Progress::kAwaitWrites;
  if (client.http && client.http->awaits_quorum) return Progress::kAwaitPeers;
  if (!client.http) client.http = std::make_unique<HttpState>(limits_of(services_->store));
  if (client.skip_bytes > 0) {
    net::InputBuffer& input = client.connection.input();
    const auto now = std::min<std::uint64_t>(client.skip_bytes, input.unread().size());
    input.consume(static_cast<std::size_t>(now));
    client.skip_bytes -= now;
    return client.skip_bytes > 0 ? Progress::kNeedBytes : Progress::kGoOn;
  }
  return client.http->parsed ? carry_out(client) : parse(client);
}

Progress HttpSession::parse(Client& client) {
  HttpState& http = *client.http;
  const HttpParse parsed = http.parser.parse(client.connection.input().unread());
  switch (parsed.kind) {
    case HttpParse::Kind::kNeedMore:
      return await_bytes(client, parsed);
    case HttpParse::Kind::kContinue:
      keep_by_parser(client, parsed.consumed);
      return answer_expectation(client);
    case HttpParse::Kind::kError:
      return refuse_unparsed(client, parsed);
    case HttpParse::Kind::kRequest:
      break;
  }
  http.parsed = true;
  http.request_bytes = parsed.consumed;
  http.form = ResponseForm::of(http.parser.request());
  if (services_->draining) http.form.keep_alive = false;
  return carry_out(client);
}

/// The parser has copied this much of the request.
void HttpSession::keep_by_parser(Client& client, std::size_t bytes) {
  client.connection.input().consume(bytes);
  client.http->gathered += bytes;
}

Progress HttpSession::await_bytes(Client& client, const HttpParse& parsed) {
  HttpState& http = *client.http;
  keep_by_parser(client, parsed.consumed);
  client.request_bytes = parsed.size;
  std::uint64_t needed =
      std::max<std::uint64_t>(parsed.size, http.gathered + client.connection.input().unread().size());
  if (needed <= kSmallBytes) return Progress::kNeedBytes;
  // Where the end is not known the next rung is taken: the largest head, a few chunks, the largest body.
  if (parsed.size == 0) {
    const std::uint64_t largest = services_->store.largest_value(1) + kJsonMargin;
    needed = http.gathered == 0 ? kLargestHead : needed <= kFewChunks ? kFewChunks : largest + kFewChunks;
  }
  const bool reserved = services_->reserve(client, client.request_memory, needed);
  return reserved ? Progress::kNeedBytes : Progress::kAwaitMemory;
}

/// The client asks before it sends a body: a request that would be refused is refused now, unread.
Progress HttpSession::answer_expectation(Client& client) {
  HttpState& http = *client.http;
  const HttpRequest& request = http.parser.request();
  http.form = {.keep_alive = false, .head_only = false, .version = request.version};
  const HttpTarget target = protocol::parse_target(request.target, http.key_scratch);
  const Access needed = access_of(target.kind, request.method);
  const bool has_key = services_->access.is_key(protocol::bearer_key(request.authorization));
  services_->scratch.clear();
  if (target.kind == HttpTarget::Kind::kBad) {
    fail(client, target.status, target.error);
  } else if (services_->access.needs_key(needed) && !has_key) {
    services_->count(services_->counters.errors);
    protocol::append_unauthorized(services_->scratch, http.form);
  } else {
    services_->append(client, protocol::kHttpContinue);
    return Progress::kGoOn;
  }
  flush(client);
  client.closing = true;
  return Progress::kGoOn;
}

Progress HttpSession::refuse_unparsed(Client& client, const HttpParse& parsed) {
  HttpState& http = *client.http;
  client.connection.input().consume(parsed.consumed);  // blank lines before it, which its size does not count
  client.request_bytes = 0;
  client.skip_bytes = parsed.size;
  http.gathered = 0;
  http.form = ResponseForm::of(http.parser.request());
  http.form.keep_alive = parsed.size != 0 && http.form.keep_alive && !services_->draining;
  services_->scratch.clear();
  fail(client, parsed.status, parsed.error);
  flush(client);
  client.closing = !http.form.keep_alive;
  return Progress::kGoOn;
}

void HttpSession::flush(Client& client) {
  std::string& scratch = services_->scratch;
  services_->append(client, scratch);
  scratch.clear();
  if (scratch.capacity() > kAnswerBacklog) std::string().swap(scratch);
}

Progress HttpSession::finish(Client& client) {
  HttpState& http = *client.http;
  flush(client);
  client.connection.input().consume(http.request_bytes);
  client.closing = !http.form.keep_alive;
  client.admitted = false;
  client.request_bytes = 0;
  http.parsed = false;
  http.gathered = 0;
  return Progress::kGoOn;
}

}  // namespace minivault::worker
