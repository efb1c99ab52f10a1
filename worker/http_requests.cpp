// What HTTP requests do, once they are whole: the table of PROTOCOL.md.

#include <string>

#include "common/core/clock.h"
#include "common/protocol/http_condition.h"
#include "common/protocol/json_value.h"
#include "common/protocol/wire_status.h"
#include "worker/http_names.h"
#include "worker/http_session.h"

namespace minivault::worker {
namespace {

using protocol::HttpMethod;
using protocol::HttpRequest;
using protocol::HttpTarget;
using protocol::ResponseForm;

}  // namespace

Access HttpSession::access_of(const HttpTarget& target, HttpMethod method) {
  if (target.kind == HttpTarget::Kind::kHealth || is_probe(target)) return Access::kPublic;
  return target.kind == HttpTarget::Kind::kKey && !is_read(method) ? Access::kWrite : Access::kRead;
}

Progress HttpSession::carry_out(Client& client) {
  HttpState& http = *client.http;
  const HttpRequest& request = http.parser.request();
  const HttpTarget target = protocol::parse_target(request.target, http.key_scratch);
  const bool is_backup = target.kind == HttpTarget::Kind::kReserved && target.key == kBackup;
  const bool is_config = target.kind == HttpTarget::Kind::kReserved && target.key == kConfig;
  services_->scratch.clear();
  http.op = op_of(target, request.method);
  if (target.kind == HttpTarget::Kind::kBad) {
    fail(client, target.status, target.error);
  } else if (admit(client, is_backup || is_config ? Access::kPeer : access_of(target, request.method))) {
    if (target.kind == HttpTarget::Kind::kKey) return use_key(client, target.key);
    if (is_backup) return start_backup(client);
    tell_about_node(client, target);
  }
  return finish(client);
}

Progress HttpSession::use_key(Client& client, std::string_view key) {
  HttpState& http = *client.http;
  const HttpRequest& request = http.parser.request();
  store::Write write;
  write.key = key;
  http.success_status = 200;
  http.refused_status = 409;
  if (is_read(request.method)) return get(client, key);
  if (!set_condition(client, write)) return finish(client);
  switch (request.method) {
    case HttpMethod::kGet:
    case HttpMethod::kHead:
      break;
    case HttpMethod::kDelete:
      write.operation = store::Operation::kDelete;
      return put(client, write);
    case HttpMethod::kPost:
      write.condition = store::Condition::kAbsent;
      http.success_status = 201;
      break;
    case HttpMethod::kPut:
      break;
    case HttpMethod::kOther:
      refuse_method(client, protocol::kKeyMethods);
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
  return put(client, write);
}

Progress HttpSession::get(Client& client, std::string_view key) {
  const std::string_view consistency = client.http->parser.request().x_minivault_consistency;
  if (consistency.empty() || consistency == "local") return get_here(client, key);
  if (consistency == "quorum") return get_of_quorum(client, key);
  fail(client, 400, "X-Minivault-Consistency is local or quorum");
  return finish(client);
}

Progress HttpSession::get_here(Client& client, std::string_view key) {
  const std::uint64_t asked_ns = monotonic_ns();
  const Result<store::Found> found = services_->store.get(key);
  const std::uint64_t found_ns = monotonic_ns();
  if (found && !found->present && services_->quorum.is_filling()) {
    const PeerReads::Fetched fetched = peer_reads_->fetch(client, key);
    if (fetched == PeerReads::Fetched::kAsked) return Progress::kAwaitPeers;
    if (fetched == PeerReads::Fetched::kNobody) {
      fail(client, 503, kFilling);
      return finish(client);
    }
  }
  if (found && !reserve_answer(client, *found)) return Progress::kAwaitMemory;
  client.peer_read.reset();
  services_->meter.looked_up({.proto = shared::Proto::kHttp,
                              .op = shared::Op::kGet,
                              .asked_ns = asked_ns,
                              .found_ns = found_ns,
                              .key = key,
                              .value_bytes = found ? found->value.size() : 0});
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

/// Alone, a node is its own majority.
Progress HttpSession::get_of_quorum(Client& client, std::string_view key) {
  if (peer_reads_->is_alone()) return get_here(client, key);
  const PeerReads::Answer* answer = peer_reads_->ask_quorum(client, key);
  if (answer == nullptr) return Progress::kAwaitPeers;
  if (answer->error.empty() && !reserve_answer(client, answer->found)) return Progress::kAwaitMemory;
  if (answer->error.empty()) {
    services_->hold(client, answer->found.answer_after);
    answer_found(client, answer->found);
    flush(client);
    if (!client.connection.output().keep()) client.broken = true;  // the bytes are the answer's own
  } else {
    fail(client, 503, answer->error);
  }
  client.peer_read.reset();
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
  const protocol::EtagLine etag(found.version.hlc, found.version.origin);
  const auto unless = client.http->parser.request().if_none_match;
  if (unless && protocol::names_tag(*unless, etag.tag())) {
    return protocol::append_not_modified(services_->scratch, client.http->form, etag.line());
  }
  if (wants_bytes(client)) return answer_bytes(client, found, etag);
  answer_json(client, found, etag.line());
}

bool HttpSession::wants_bytes(const Client& client) {
  return protocol::names_bytes_type(client.http->parser.request().accept);
}

/// As protocol::append_bytes(), but a large body is not copied.
void HttpSession::answer_bytes(Client& client, const store::Found& found, const protocol::EtagLine& etag) {
  const std::string_view value = found.value;
  const ResponseForm& form = client.http->form;
  const HttpRequest& request = client.http->parser.request();
  const std::string_view range =
      protocol::may_continue(request.if_range, etag.tag()) ? request.range : std::string_view();
  const protocol::ByteRange part = protocol::parse_range(range, value.size());
  if (part.kind == protocol::ByteRange::Kind::kUnsatisfiable || form.head_only) {
    return protocol::append_bytes(services_->scratch, value, range, form, etag.line());
  }
  ResponseForm head = form;
  head.head_only = true;
  protocol::append_bytes(services_->scratch, value, range, head, etag.line());
  flush(client);
  const bool whole = part.kind == protocol::ByteRange::Kind::kWhole;
  services_->append_value(client, found, whole ? value : value.substr(part.offset, part.length));
}

void HttpSession::answer_json(Client& client, const store::Found& record, std::string_view etag) {
  const ResponseForm& form = client.http->form;
  const bool marked = (record.flags & store::kFlagJson) != 0;
  std::string& body = services_->body;
  body.clear();
  if (!marked || record.value.size() < net::OutputBuffer::kBorrowFrom) {
    protocol::append_data(body, record.value, marked);
    protocol::append_response(services_->scratch, 200, protocol::kJsonType, body, form, etag);
    if (body.capacity() > kAnswerBacklog) std::string().swap(body);
    return;
  }
  // The text of a large value goes out from where it is, between the two halves of an empty answer's body.
  protocol::append_data(body, "", true);
  const std::string_view around = body;
  const std::uint64_t length = body.size() + record.value.size();
  protocol::append_response_head(services_->scratch, 200, protocol::kJsonType, length, form, etag);
  if (form.head_only) return;
  services_->scratch += around.substr(0, around.size() - 1);
  flush(client);
  services_->append_value(client, record, record.value);
  services_->scratch += around.back();
}

bool HttpSession::admit(Client& client, Access needed) {
  const HttpRequest& request = client.http->parser.request();
  const bool has_key = services_->access.needs_key(needed) &&
                       services_->access.is_key(protocol::bearer_key(request.authorization));
  switch (services_->admit(client, needed, has_key)) {
    case Services::Admission::kGranted:
      return true;
    case Services::Admission::kUnauthorized:
      client.http->told = told_of(401);
      protocol::append_unauthorized(services_->scratch, client.http->form);
      break;
    case Services::Admission::kRateLimited:
      client.http->told = told_of(429);
      protocol::append_rate_limited(
          services_->scratch, static_cast<unsigned>(services_->rate.retry_after_seconds(monotonic_ns())),
          client.http->form);
      break;
  }
  return false;
}

void HttpSession::fail(Client& client, int status, std::string_view message) {
  client.http->told = told_of(status);
  protocol::append_json_error(services_->scratch, status, message, client.http->form);
}

}  // namespace minivault::worker
