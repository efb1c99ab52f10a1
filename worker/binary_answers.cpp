// What a BinarySession says: the answers of writes that are settled, of reads, and of what needs no store.

#include "worker/binary_session.h"

namespace minivault::worker {
namespace {

using shared::Op;
using shared::Told;

}  // namespace

void BinarySession::authenticate(Client& client, std::string_view key) {
  const bool right = services_->access.is_key(key);
  count(Op::kAuth, right ? Told::kOk : Told::kUnauthorized);
  if (!right) return answer_error(client);
  client.authorized = true;
  answer_ok(client);
}

void BinarySession::write_settled(Client& client, const WriteOutcome& outcome) {
  const std::size_t bytes = outcome.count * protocol::kResponseHeadBytes;
  const bool done = outcome.outcome == store::WriteResult::Outcome::kDone;
  const Op op = worker::op_of(outcome.operation);
  if (done && services_->quorum.is_needed()) {
    services_->quorum.park(client, bytes, outcome.end, outcome.since_ms, op);
  } else {
    count(op, done ? Told::kOk : Told::kUnavailable, outcome.count);
  }
  if (done) services_->hold(client, outcome.answer_after);
  char* to = client.connection.output().extend(bytes);
  if (to == nullptr) client.broken = true;
  for (std::size_t i = 0; i < outcome.count && to != nullptr; ++i, to += protocol::kResponseHeadBytes) {
    done ? protocol::write_ok(to) : protocol::write_error(to);
  }
}

void BinarySession::quorum_settled(Client& client, const QuorumWait& wait, bool reached) {
  const std::uint64_t answers = (wait.answers_end - wait.answers_begin) / protocol::kResponseHeadBytes;
  count(wait.op, reached ? Told::kOk : Told::kUnknown, answers);
  if (reached) return;
  net::OutputBuffer& output = client.connection.output();
  for (std::uint64_t at = wait.answers_begin; at < wait.answers_end; at += protocol::kResponseHeadBytes) {
    output.replace(at, static_cast<char>(protocol::kStatusError));
  }
}

void BinarySession::answer_ok(Client& client) {
  services_->scratch.clear();
  protocol::append_ok(services_->scratch);
  services_->append(client, services_->scratch);
}

void BinarySession::answer_error(Client& client) {
  services_->scratch.clear();
  protocol::append_error(services_->scratch);
  services_->append(client, services_->scratch);
}

void BinarySession::answer_value(Client& client, const store::Found& found) {
  services_->scratch.clear();
  protocol::append_value_header(services_->scratch, static_cast<std::uint32_t>(found.value.size()));
  services_->append(client, services_->scratch);
  services_->append_value(client, found, found.value);
}

void BinarySession::answer_health(Client& client) {
  count(Op::kHealth, Told::kOk);
  const std::string& json = services_->health.look().json;
  services_->scratch.clear();
  protocol::append_value_header(services_->scratch, static_cast<std::uint32_t>(json.size()));
  services_->scratch += json;
  services_->append(client, services_->scratch);
}

}  // namespace minivault::worker
