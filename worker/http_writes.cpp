// What HTTP writes do: their conditions, and what their clients are told once it is known.

#include "common/protocol/http_condition.h"
#include "common/protocol/wire_status.h"
#include "worker/http_session.h"

namespace minivault::worker {
namespace {

using protocol::HttpMethod;
using protocol::HttpRequest;

}  // namespace

/// If-Match and If-None-Match as store conditions. False: the request was answered.
bool HttpSession::set_condition(Client& client, store::Write& write) {
  const HttpRequest& request = client.http->parser.request();
  const protocol::Precondition condition =
      protocol::parse_precondition(request.if_match, request.if_none_match);
  using Kind = protocol::Precondition::Kind;
  if (condition.kind == Kind::kNone) return true;
  client.http->refused_status = 412;
  if (condition.kind == Kind::kBad ||
      (request.method == HttpMethod::kPost && condition.kind != Kind::kAbsent)) {
    fail(client, 400, condition.kind == Kind::kBad ? condition.error : "POST creates: it takes no If-Match");
    return false;
  }
  if (condition.kind == Kind::kNever) {
    fail(client, 412, protocol::kConditionFailed);
    return false;
  }
  write.condition = condition.kind == Kind::kAbsent    ? store::Condition::kAbsent
                    : condition.kind == Kind::kPresent ? store::Condition::kPresent
                                                       : store::Condition::kVersionIs;
  write.expected = {condition.hlc, condition.origin};
  return true;
}

Progress HttpSession::put(Client& client, store::Write write) {
  if (services_->quorum.forbids_writes()) {
    fail(client, 503, "another live node has this node's id; nothing was written (minivault new-id)");
    return finish(client);
  }
  if (write.value.size() > services_->largest_value(write.key.size())) {
    fail(client, 413, "value too large");
    return finish(client);
  }
  if (write.condition != store::Condition::kNone && services_->quorum.is_filling()) {
    switch (peer_reads_->fetch(client, write.key)) {
      case PeerReads::Fetched::kAsked:
        return Progress::kAwaitPeers;
      case PeerReads::Fetched::kNobody:
        fail(client, 503, kFilling);
        return finish(client);
      case PeerReads::Fetched::kHere:
        break;
    }
  }
  if (!services_->writes.has_room()) return Progress::kAwaitRoom;
  client.peer_read.reset();
  client.http->is_conditional = write.condition != store::Condition::kNone;
  if (client.http->is_conditional) write.flags |= store::kFlagConditional;
  services_->writes.add(client, write);
  return Progress::kAwaitWrites;
}

void HttpSession::write_settled(Client& client, const WriteOutcome& outcome) {
  using Outcome = store::WriteResult::Outcome;
  HttpState& http = *client.http;
  services_->scratch.clear();
  if (outcome.outcome == Outcome::kDone && services_->quorum.is_needed()) {
    http.awaits_quorum = true;
    http.answer_after = outcome.answer_after;
    const shared::Lsn conditional_end = http.is_conditional ? outcome.own_end : 0;
    return services_->quorum.park(client, 0, outcome.end, outcome.since_ms, http.op, conditional_end);
  }
  if (outcome.outcome != Outcome::kFailed) services_->hold(client, outcome.answer_after);
  if (outcome.outcome == Outcome::kDone) {
    protocol::append_success(services_->scratch, http.success_status, http.form);
  } else if (outcome.outcome == Outcome::kRefused) {
    fail(client, http.refused_status, http.refused_status == 412 ? protocol::kConditionFailed : "exists");
  } else {
    fail(client, 503, outcome.error != nullptr ? outcome.error->message : "the write was not taken");
  }
  (void)finish(client);
}

void HttpSession::quorum_settled(Client& client, const QuorumWait& wait, bool reached) {
  HttpState& http = *client.http;
  http.awaits_quorum = false;
  services_->scratch.clear();
  if (reached) {
    services_->hold(client, http.answer_after);
    protocol::append_success(services_->scratch, http.success_status, http.form);
  } else {
    fail(client, 503, services_->quorum.unknown_outcome(wait));
    http.told = shared::Told::kUnknown;
  }
  (void)finish(client);
}

}  // namespace minivault::worker
