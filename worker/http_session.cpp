#include "worker/http_session.h"

#include <algorithm>
#include <utility>

#include "common/protocol/json_value.h"
#include "common/protocol/wire_status.h"

namespace minivault::worker {
namespace {

using protocol::HttpMethod;
using protocol::HttpParse;
using protocol::HttpRequest;
using protocol::HttpTarget;
using protocol::ResponseForm;

constexpr std::string_view kReadMethods = "GET, HEAD";
/// Around X in {"value": X}: a generous allowance for names and white space.
constexpr std::uint64_t kJsonMargin = 64 * 1024;
/// A head may take this much, whatever it turns out to be.
constexpr std::uint64_t kLargestHead = 512 * 1024;
constexpr std::uint64_t kFewChunks = 1 << 20;

bool is_read(HttpMethod method) {
  return method == HttpMethod::kGet || method == HttpMethod::kHead;
}

protocol::HttpLimits limits_of(const store::Store& store) {
  protocol::HttpLimits limits;
  limits.largest_body = store.largest_value(1) + kJsonMargin;
  return limits;
}

Access access_of(HttpTarget::Kind kind, HttpMethod method) {
  if (kind == HttpTarget::Kind::kHealth) return Access::kPublic;
  return kind == HttpTarget::Kind::kKey && !is_read(method) ? Access::kWrite : Access::kRead;
}

}  // namespace

Progress HttpSession::step(Client& client) {
  if (client.pending_writes > 0) return Progress::kAwaitWrites;
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
  client.skip_bytes = parsed.size;
  http.form = ResponseForm::of(http.parser.request());
  http.form.keep_alive = parsed.size != 0 && http.form.keep_alive && !services_->draining;
  services_->scratch.clear();
  fail(client, parsed.status, parsed.error);
  flush(client);
  client.closing = !http.form.keep_alive;
  return Progress::kGoOn;
}

Progress HttpSession::carry_out(Client& client) {
  HttpState& http = *client.http;
  const HttpRequest& request = http.parser.request();
  const HttpTarget target = protocol::parse_target(request.target, http.key_scratch);
  services_->scratch.clear();
  if (target.kind == HttpTarget::Kind::kBad) {
    fail(client, target.status, target.error);
  } else if (admit(client, access_of(target.kind, request.method))) {
    if (target.kind == HttpTarget::Kind::kKey) return use_key(client, target.key);
    if (target.kind == HttpTarget::Kind::kReserved) {
      fail(client, 404, "not found");
    } else if (!is_read(request.method)) {
      protocol::append_method_not_allowed(services_->scratch, kReadMethods, http.form);
    } else if (target.kind == HttpTarget::Kind::kHealth) {
      answer_health(client);
    } else {
      fail(client, 404, "not found");
    }
  }
  return finish(client);
}

Progress HttpSession::use_key(Client& client, std::string_view key) {
  HttpState& http = *client.http;
  const HttpRequest& request = http.parser.request();
  store::Write write;
  write.key = key;
  http.success_status = 200;
  switch (request.method) {
    case HttpMethod::kGet:
    case HttpMethod::kHead:
      return get(client, key);
    case HttpMethod::kDelete:
      write.operation = store::Operation::kDelete;
      return this->write(client, write);
    case HttpMethod::kPost:
      write.condition = store::Condition::kAbsent;
      http.success_status = 201;
      break;
    case HttpMethod::kPut:
      break;
    case HttpMethod::kOther:
      protocol::append_method_not_allowed(services_->scratch, protocol::kKeyMethods, http.form);
      return finish(client);
  }
  write.value = request.body;
  if (!protocol::names_bytes_type(request.content_type)) {
    const Result<std::string_view> value = protocol::find_value_field(request.body);
    if (!value) {
      fail(client, protocol::http_status(value.error().code), value.error().message);
      return finish(client);
    }
    write.value = *value;
    write.flags = store::kFlagJson;
  }
  return this->write(client, write);
}

Progress HttpSession::write(Client& client, store::Write write) {
  if (write.value.size() > services_->store.largest_value(write.key.size())) {
    fail(client, 413, "value too large");
    return finish(client);
  }
  if (!services_->writes.has_room()) return Progress::kAwaitRoom;
  const bool is_delete = write.operation == store::Operation::kDelete;
  services_->count(is_delete ? services_->counters.deletes : services_->counters.sets);
  services_->writes.add(client, write);
  return Progress::kAwaitWrites;
}

void HttpSession::write_settled(Client& client, const WriteOutcome& outcome) {
  using Outcome = store::WriteResult::Outcome;
  HttpState& http = *client.http;
  services_->scratch.clear();
  if (outcome.outcome != Outcome::kFailed) services_->hold(client, outcome.answer_after);
  if (outcome.outcome == Outcome::kDone) {
    protocol::append_success(services_->scratch, http.success_status, http.form);
  } else if (outcome.outcome == Outcome::kRefused) {
    fail(client, 409, "exists");
  } else {
    fail(client, 503, outcome.error != nullptr ? outcome.error->message : "the write was not taken");
  }
  (void)finish(client);
}

Progress HttpSession::get(Client& client, std::string_view key) {
  const Result<store::Found> found = services_->store.get(key);
  if (found && !reserve_answer(client, *found)) return Progress::kAwaitMemory;
  services_->count(services_->counters.gets);
  if (!found) {
    fail(client, protocol::http_status(found.error().code), found.error().message);
  } else if (!services_->will_leave(found->answer_after)) {
    fail(client, 503, "the newest state of the key cannot be made durable");
  } else {
    services_->hold(client, found->answer_after);
    answer_found(client, *found);
  }
  return finish(client);
}

/// Text that must be quoted or encoded exists more than once until it has left.
bool HttpSession::reserve_answer(Client& client, const store::Found& found) {
  if (found.value.size() <= kSmallBytes) return true;
  const bool as_it_is = (found.flags & store::kFlagJson) != 0 || wants_bytes(client);
  return services_->reserve(client, client.answer_memory, (as_it_is ? 1 : 3) * found.value.size());
}

void HttpSession::answer_found(Client& client, const store::Found& found) {
  if (!found.present) return fail(client, 404, "not found");
  if (wants_bytes(client)) return answer_bytes(client, found.value);
  answer_json(client, found);
}

bool HttpSession::wants_bytes(const Client& client) {
  return protocol::names_bytes_type(client.http->parser.request().accept);
}

/// As protocol::append_bytes(), but a large body is not copied.
void HttpSession::answer_bytes(Client& client, std::string_view value) {
  const ResponseForm& form = client.http->form;
  const std::string_view range = client.http->parser.request().range;
  const protocol::ByteRange part = protocol::parse_range(range, value.size());
  if (part.kind == protocol::ByteRange::Kind::kUnsatisfiable || form.head_only) {
    return protocol::append_bytes(services_->scratch, value, range, form);
  }
  ResponseForm head = form;
  head.head_only = true;
  protocol::append_bytes(services_->scratch, value, range, head);
  flush(client);
  const bool whole = part.kind == protocol::ByteRange::Kind::kWhole;
  services_->append_borrowed(client, whole ? value : value.substr(part.offset, part.length));
}

void HttpSession::answer_json(Client& client, const store::Found& record) {
  const ResponseForm& form = client.http->form;
  const bool marked = (record.flags & store::kFlagJson) != 0;
  std::string body;
  if (!marked || record.value.size() < net::OutputBuffer::kBorrowFrom) {
    protocol::append_data(body, record.value, marked);
    return protocol::append_response(services_->scratch, 200, protocol::kJsonType, body, form);
  }
  // The text of a large value goes out from where it is, between the two halves of an empty answer's body.
  protocol::append_data(body, "", true);
  const std::string_view around = body;
  const std::uint64_t length = body.size() + record.value.size();
  protocol::append_response_head(services_->scratch, 200, protocol::kJsonType, length, form);
  if (form.head_only) return;
  services_->scratch += around.substr(0, around.size() - 1);
  flush(client);
  services_->append_borrowed(client, record.value);
  services_->scratch += around.back();
}

void HttpSession::answer_health(Client& client) {
  const HealthReport::Look& look = services_->health.look();
  protocol::append_response(services_->scratch, look.able ? 200 : 503, protocol::kJsonType, look.json,
                            client.http->form);
}

bool HttpSession::admit(Client& client, Access needed) {
  const HttpRequest& request = client.http->parser.request();
  const bool has_key = services_->access.needs_key(needed) &&
                       services_->access.is_key(protocol::bearer_key(request.authorization));
  switch (services_->admit(client, needed, has_key)) {
    case Services::Admission::kGranted:
      return true;
    case Services::Admission::kUnauthorized:
      protocol::append_unauthorized(services_->scratch, client.http->form);
      break;
    case Services::Admission::kRateLimited:
      protocol::append_rate_limited(
          services_->scratch, static_cast<unsigned>(services_->rate.retry_after_seconds(monotonic_ns())),
          client.http->form);
      break;
  }
  services_->count(services_->counters.errors);
  return false;
}

void HttpSession::fail(Client& client, int status, std::string_view message) {
  services_->count(services_->counters.errors);
  protocol::append_json_error(services_->scratch, status, message, client.http->form);
}

void HttpSession::flush(Client& client) {
  services_->append(client, services_->scratch);
  services_->scratch.clear();
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
