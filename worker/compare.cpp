#include "worker/compare.h"

#include <string>
#include <utility>

#include "common/cluster/range_server.h"
#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/log_repeats.h"
#include "common/net/rate_bucket.h"
#include "common/protocol/binary.h"
#include "worker/detached.h"
#include "worker/patient_socket.h"

namespace minivault::worker {
namespace {

constexpr unsigned kLockByte = 1;  // after the backup's
constexpr unsigned kMost = 16;

/// What took a process and came to nothing.
net::RateBucket vain(shared::State& state) {
  constexpr std::uint64_t kStepNs = 100'000'000;
  constexpr std::uint64_t kAtOnce = 10;
  return {state.cluster.vain_comparisons_due_ns, kStepNs, kAtOnce};
}

/// As LogRepeats, which knows of one process alone.
net::RateBucket lines(shared::State& state) {
  return {state.cluster.vain_comparison_lines_due_ns, LogRepeats::kEveryMs * 1'000'000, LogRepeats::kBurst};
}

cluster::Record record_of(std::string_view key, const store::BaseRecord& record) {
  return {record.operation, record.flags, record.version, key, record.value};
}

/// The newest commit of the base, looked at anew for each request. The other side deletes what it has at or
/// below the floor and does not find here, so a floor is named only by a base whose records were counted.
class Conversation {
 public:
  Conversation(shared::State& state, store::Base::Snapshot snapshot, int socket)
      : state_(state), snapshot_(std::move(snapshot)), socket_(socket), ranges_({scan(), get()}) {}

  Status run(bool complete, std::uint64_t floor_hlc) {
    const Result<store::BaseMeta> meta = snapshot_.meta();
    if (!meta) return tl::unexpected(meta.error());
    const Status whole = snapshot_.prove_whole();
    if (!whole) tell_damage(state_, whole.error());
    vouches_ = complete && whole;
    Status said = reply(cluster::encode(cluster::CompareReply{
        state_.limits.node_id.load(), meta->keys + meta->tombstones, vouches_, vouches_ ? floor_hlc : 0}));
    while (said) {
      snapshot_.reset();
      said = answer_next();
      if (said) ++answered_;
    }
    return said;
  }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }

 private:
  std::function<Status(std::string_view, const cluster::RangeServer::Visit&)> scan() {
    return [this](std::string_view from, const cluster::RangeServer::Visit& visit) {
      return snapshot_.scan(
          from,
          [&](std::string_view key, const store::BaseRecord& record) {
            return visit(record_of(key, record));
          },
          [this](std::string_view, const Error& error) { return may_skip(error); });
    };
  }
  std::function<Status(std::string_view, const cluster::RangeServer::Visit&)> get() {
    return [this](std::string_view key, const cluster::RangeServer::Visit& visit) -> Status {
      const auto found = snapshot_.get(key);
      if (!found && found.error().code == Code::kCorrupt && may_skip(found.error())) return {};
      if (!found) return tl::unexpected(found.error());
      if (*found) visit(record_of(key, **found));
      return {};
    };
  }

  /// What is damaged is not here, and the other side's copy takes its place, unless a floor was named.
  bool may_skip(const Error& error) {
    // Once it is known, what no peer holds either is met again and again.
    const bool known = state_.base_damage.load(std::memory_order_acquire) != shared::kNoDamage;
    if (vouches_ || !known) tell_damage(state_, error);
    return !vouches_;
  }

  Status answer_next() {
    using Kind = protocol::BinaryParse::Kind;
    protocol::BinaryRequest request;
    protocol::BinaryParse parsed = protocol::parse_binary(received_, {0, cluster::kLargestRequest}, request);
    while (parsed.kind == Kind::kNeedMore) {
      if (Status got = socket_.receive(received_); !got) return got;
      parsed = protocol::parse_binary(received_, {0, cluster::kLargestRequest}, request);
    }
    if (parsed.kind != Kind::kRequest || request.opcode != protocol::Opcode::kSync || request.compressed) {
      return fail(Code::kCorrupt, "the client says what does not belong into a comparison");
    }
    if (Status renewed = snapshot_.renew(); !renewed) return renewed;
    const Result<std::string> answer = ranges_.answer(request.key, request.value);
    received_.erase(0, parsed.size);
    return answer ? reply(*answer) : tl::unexpected(answer.error());
  }

  Status reply(const std::string& message) {
    std::string head;
    protocol::append_value_header(head, static_cast<std::uint32_t>(message.size()));
    if (Status sent = socket_.send(head); !sent) return sent;
    return socket_.send(message);
  }

  shared::State& state_;
  store::Base::Snapshot snapshot_;
  bool vouches_ = false;  ///< for what is not here
  PatientSocket socket_;
  cluster::RangeServer ranges_;
  std::string received_;
  std::uint64_t answered_ = 0;
};

Status converse(const Config& config, const shared::Region& region, int socket) {
  shared::State& state = region.state();
  // Before the snapshot, which then holds whatever made this node complete.
  const bool complete = state.cluster.complete.load(std::memory_order_acquire) != 0 &&
                        state.base_damage.load(std::memory_order_acquire) == shared::kNoDamage;
  // Before the tail: what the floor says is held is below it, and so in the snapshot.
  const std::uint64_t floor = state.limits.tombstone_floor_hlc.load(std::memory_order_acquire);
  const shared::Lsn at_least = state.marks.tail.load(std::memory_order_acquire);
  const Result<store::Base> base = open_base(config, state);
  if (!base) return tl::unexpected(base.error());
  Result<store::Base::Snapshot> snapshot = take_snapshot(*base, region, at_least, false);
  if (!snapshot) return tl::unexpected(snapshot.error());
  Conversation conversation(state, std::move(*snapshot), socket);
  Status said = conversation.run(complete, floor == store::kEverything ? 0 : floor);
  const bool failed = !said && said.error().code != Code::kUnavailable;
  if (failed || conversation.answered() == 0) (void)vain(state).take(monotonic_ns());
  return said;
}

/// A client that ends the conversation has got what it wanted.
int run(const Config& config, const shared::Region& region, int socket) {
  const Status talked = converse(config, region, socket);
  if (!talked && talked.error().code != Code::kUnavailable) {
    if (!lines(region.state()).take(monotonic_ns())) return 1;
    log_line(LogLevel::kWarning, "comparison_failed", {{"error", talked.error().message}});
    return 1;
  }
  return 0;
}

}  // namespace

Status serve_comparison(const Config& config, const shared::Region& region, int socket) {
  if (!vain(region.state()).has_room(monotonic_ns())) {
    return fail(Code::kBusy, "too many comparisons have come to nothing lately");
  }
  Result<UniqueFd> turn = take_turn(config, kLockByte, kMost, "more than enough comparing");
  if (!turn) return tl::unexpected(turn.error());
  return run_detached("compare", socket, std::move(*turn),
                      [&](const UniqueFd&) { return run(config, region, socket); });
}

}  // namespace minivault::worker
