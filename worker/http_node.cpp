// What HTTP tells about the node itself, under names that no key has: health, readiness, metrics, a backup.

#include <string>
#include <vector>

#include "common/protocol/wire_status.h"
#include "worker/backup.h"
#include "worker/http_names.h"
#include "worker/http_session.h"
#include "worker/readiness.h"

namespace minivault::worker {
namespace {

using protocol::HttpMethod;
using protocol::HttpRequest;
using protocol::HttpTarget;
using protocol::ResponseForm;

constexpr std::string_view kPlainText = "text/plain; charset=utf-8";
constexpr std::string_view kReadMethods = "GET, HEAD";

}  // namespace

/// What is known under names that no key has.
void HttpSession::tell_about_node(Client& client, const HttpTarget& target) {
  const ResponseForm& form = client.http->form;
  const bool is_config = target.kind == HttpTarget::Kind::kReserved && target.key == kConfig;
  if (target.kind == HttpTarget::Kind::kReserved && !is_probe(target) && !is_config)
    return fail(client, 404, "not found");
  if (!is_read(client.http->parser.request().method)) return refuse_method(client, kReadMethods);
  if (target.kind == HttpTarget::Kind::kHealth) return answer_health(client);
  if (target.kind == HttpTarget::Kind::kMetrics) {
    return protocol::append_response(services_->scratch, 200, protocol::kTextType, services_->metrics.look(),
                                     form);
  }
  if (is_config) {
    return protocol::append_response(services_->scratch, 200, kPlainText, services_->config.description,
                                     form);
  }
  if (target.key == kReady) return answer_ready(client);
  protocol::append_response(services_->scratch, 200, protocol::kJsonType, R"({"success":true,"live":true})",
                            form);
}

/// Says what is in the way, as far as it is known.
void HttpSession::answer_ready(Client& client) {
  std::vector<std::string> reasons = obstacles(services_->config, services_->state);
  if (services_->draining) reasons.emplace_back("this process is ending");
  if (!reasons.empty()) client.http->told = told_of(503);
  protocol::append_response(services_->scratch, reasons.empty() ? 200 : 503, protocol::kJsonType,
                            readiness_json(reasons), client.http->form);
}

void HttpSession::refuse_method(Client& client, std::string_view allowed) {
  client.http->told = told_of(405);
  protocol::append_method_not_allowed(services_->scratch, allowed, client.http->form);
}

/// The rest of the conversation is the backup, which a process of its own has with the client.
Progress HttpSession::start_backup(Client& client) {
  const HttpRequest& request = client.http->parser.request();
  if (request.method != HttpMethod::kGet) {
    refuse_method(client, "GET");
  } else if (request.version != 11) {
    fail(client, 400, "a backup is sent in chunks: HTTP/1.1 is needed");
  } else if (!client.connection.output().empty()) {
    fail(client, 409, "a backup wants a connection of its own");
  } else if (services_->draining) {
    fail(client, 503, "the node is stopping");
  } else {
    const Status started = send_backup(services_->config, services_->store.region(), client.connection.fd());
    if (started) {
      count(client);
      client.handed_over = client.broken = true;
      return Progress::kGoOn;
    }
    fail(client, protocol::http_status(started.error().code), started.error().message);
  }
  return finish(client);
}

void HttpSession::answer_health(Client& client) {
  const HealthReport::Look& look = services_->health.look();
  if (!look.able) client.http->told = told_of(503);
  protocol::append_response(services_->scratch, look.able ? 200 : 503, protocol::kJsonType, look.json,
                            client.http->form);
}

}  // namespace minivault::worker
