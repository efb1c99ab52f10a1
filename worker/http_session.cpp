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
      client.request_bytes = parsed.size;
      return answer_expectation(client);
    case HttpParse::Kind::kError:
      return refuse_unparsed(client, parsed);
    case HttpParse::Kind::kRequest:
      break;
  }
  http.parsed = true;
  http.op = shared::Op::kOther;
  http.told = shared::Told::kOk;
  http.request_bytes = parsed.consumed;
  http.form = ResponseForm::of(http.parser.request(), services_->date.now());
  if (services_->draining) http.form.keep_alive = false;
  return carry_out(client);
}

/// The parser needs these bytes no more. Those it has copied count; blank lines before a request are
/// nobody's: who sends nothing else must not hold memory for it, least of all without a time-out.
void HttpSession::keep_by_parser(Client& client, std::size_t bytes) {
  HttpState& http = *client.http;
  client.connection.input().consume(bytes);
  http.gathered = http.parser.gathers() ? http.gathered + bytes : 0;
}

Progress HttpSession::await_bytes(Client& client, const HttpParse& parsed) {
  HttpState& http = *client.http;
  keep_by_parser(client, parsed.consumed);
  // The head is looked at when it has just been parsed: later the input may have moved under its views.
  const bool head_is_new = parsed.size > 0 && client.request_bytes == 0;
  client.request_bytes = parsed.size;
  std::uint64_t needed =
      std::max<std::uint64_t>(parsed.size, http.gathered + client.connection.input().unread().size());
  if (needed <= kSmallBytes) return Progress::kNeedBytes;
  if ((head_is_new || http.parser.gathers()) && lacks_key(client)) return refuse_unread(client, parsed.size);
  // Where the end is not known the next rung is taken: the largest head, a few chunks, the largest body.
  if (parsed.size == 0) {
    const std::uint64_t largest = services_->store.largest_value(1) + kJsonMargin;
    needed = http.gathered == 0 ? kLargestHead : needed <= kFewChunks ? kFewChunks : largest + kFewChunks;
  }
  const bool reserved = services_->reserve(client, client.request_memory, needed);
  return reserved ? Progress::kNeedBytes : Progress::kAwaitMemory;
}

/// Of a request whose head is there.
bool HttpSession::lacks_key(const Client& client) const {
  const HttpRequest& request = client.http->parser.request();
  const HttpTarget target = protocol::parse_target(request.target, client.http->key_scratch);
  if (target.kind == HttpTarget::Kind::kBad) return false;
  return services_->access.needs_key(access_of(target, request.method)) &&
         !services_->access.is_key(protocol::bearer_key(request.authorization));
}

/// The client asks before it sends a body: a request that would be refused is refused now, unread.
Progress HttpSession::answer_expectation(Client& client) {
  HttpState& http = *client.http;
  const HttpRequest& request = http.parser.request();
  const HttpTarget target = protocol::parse_target(request.target, http.key_scratch);
  if (lacks_key(client)) return refuse_unread(client, 0);
  if (target.kind != HttpTarget::Kind::kBad) {
    services_->append(client, protocol::kHttpContinue);
    return Progress::kGoOn;
  }
  http.form = ResponseForm::of(request, services_->date.now());
  http.form.keep_alive = http.form.head_only = false;
  services_->scratch.clear();
  fail(client, target.status, target.error);
  return read_past(client, 0);
}

/// Who may not do this shall not make the node keep what it sends. `size` 0: where it ends is unknown.
Progress HttpSession::refuse_unread(Client& client, std::uint64_t size) {
  HttpState& http = *client.http;
  http.form = ResponseForm::of(http.parser.request(), services_->date.now());
  http.form.keep_alive = size != 0 && http.form.keep_alive && !services_->draining;
  services_->scratch.clear();
  http.told = shared::Told::kUnauthorized;
  protocol::append_unauthorized(services_->scratch, http.form);
  http.parser.abandon();
  return read_past(client, size);
}

Progress HttpSession::refuse_unparsed(Client& client, const HttpParse& parsed) {
  HttpState& http = *client.http;
  client.connection.input().consume(parsed.consumed);  // blank lines before it, which its size does not count
  http.form = ResponseForm::of(http.parser.request(), services_->date.now());
  http.form.keep_alive = parsed.size != 0 && http.form.keep_alive && !services_->draining;
  services_->scratch.clear();
  fail(client, parsed.status, parsed.error);
  return read_past(client, parsed.size);
}

/// Of a request that was answered before it was whole.
Progress HttpSession::read_past(Client& client, std::uint64_t size) {
  client.http->op = shared::Op::kOther;  // its head may not have been read
  count(client);
  client.request_bytes = 0;
  client.skip_bytes = size;
  client.http->gathered = 0;
  flush(client);
  client.closing = !client.http->form.keep_alive;
  return Progress::kGoOn;
}

void HttpSession::count(const Client& client) {
  services_->meter.count(shared::Proto::kHttp, client.http->op, client.http->told);
}

void HttpSession::flush(Client& client) {
  std::string& scratch = services_->scratch;
  services_->append(client, scratch);
  scratch.clear();
  if (scratch.capacity() > kAnswerBacklog) std::string().swap(scratch);
}

Progress HttpSession::finish(Client& client) {
  HttpState& http = *client.http;
  count(client);
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
