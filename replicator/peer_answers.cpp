// The part of a Peer that takes its answers to hello and pulse: who is there, what is held against it, what
// it knows.

#include <algorithm>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/store/node_clock.h"
#include "replicator/peer.h"
#include "replicator/place_text.h"

namespace minivault::replicator {

Status Peer::answered(Link& link, std::string_view message, std::uint64_t now_ms) {
  if (link.expected.empty()) return fail(Code::kCorrupt, "it answers what nobody asked");
  const Expected asked = link.expected.front();
  link.expected.pop_front();
  link.since_ms = now_ms;
  place_->last_heard_ms.store(now_ms, std::memory_order_relaxed);
  switch (asked.kind) {
    case Kind::kAuth:
      return {};
    case Kind::kHello:
      return hello_answered(link, message, asked);
    case Kind::kPulse:
      return pulse_answered(message, asked);
    case Kind::kDebt:
      return debt_answered(message);
    case Kind::kBatch:
      return batch_answered(message);
  }
  return {};
}

Status Peer::refusal(cluster::Reply reply, const Error& error) {
  using cluster::Reply;
  if (reply == Reply::kOk || error.code == Code::kCorrupt) return tl::unexpected(error);
  if (reply == Reply::kItself) objection_ = PeerOwner::Objection::kItself;
  const bool final = reply == Reply::kForgotten || reply == Reply::kIdTaken || reply == Reply::kOtherVersion;
  refused_ = refused_ || final;
  if (reply == Reply::kTooLarge) patience_.too_large(monotonic_ms());
  services_->owner.refused(*this, reply);
  return tl::unexpected(reply == Reply::kForgotten ? Error{Code::kUnauthorized, error.message} : error);
}

Status Peer::hello_answered(Link& link, std::string_view message, const Expected& asked) {
  cluster::Reply reply = cluster::Reply::kOk;
  const Result<cluster::HelloReply> hello = cluster::decode_hello_reply(message, reply);
  if (!hello) return refusal(reply, hello.error());
  if (id_ != hello->id || epoch_ != hello->epoch) {
    if (id_ != hello->id) {
      acked_ = 0, ever_streamed_ = false;
      // A replicator before this one may have taken its answers.
      if (place_->node_id.load(std::memory_order_relaxed) != hello->id) {
        place_->acked.store(0, std::memory_order_relaxed);
      }
      digest_ = backed_digest_ = agreed_digest_ = agreed_version_ = 0;
      place_->lacks.store(0, std::memory_order_relaxed);
    }
    id_ = hello->id;
    epoch_ = hello->epoch;
    patience_.begin();
    stream_.delay_ms = 0;
  }
  objection_ = services_->owner.met(*this, *hello);
  if (objection_ != PeerOwner::Objection::kNone) {
    return fail(Code::kUnavailable, std::string(reason_of(objection_)));
  }
  heard_clock(hello->clock_us, asked.sent_us);
  if (services_->home.is_older_than(hello->position)) {
    digest_ = 0;  // it has not told what it holds before that is noted
    if (Status noted = services_->home.forgot_what_is_at(id_); !noted) return noted;
  }
  digest_ = hello->members.digest();
  largest_value_ = hello->largest_value;
  complete_ = hello->complete;
  knows_us_ = hello->members.find(services_->home.id()) != nullptr;
  place_->node_id.store(id_, std::memory_order_relaxed);
  place_->last_epoch.store(epoch_, std::memory_order_relaxed);
  place_->epoch.store(epoch_, std::memory_order_release);
  if (link.greeted) return {};
  link.greeted = true;
  if (&link == &pulse_) link.delay_ms = 0;
  refused_ = false;
  failures_ = 0;
  // A line that goes on failing says so again; what is held up for long does not.
  if (!patience_.is_held_up()) set_text(place_->texts, place_->last_error, "");
  if (&link == &stream_) {
    begin_stream(hello->position);
  } else if (!said_.empty()) {
    log_line(LogLevel::kInfo, "peer_reached", {{"peer", address_}, {"node", cluster::id_text(id_)}});
    said_.clear();
  }
  return {};
}

Status Peer::pulse_answered(std::string_view message, const Expected& asked) {
  cluster::Reply reply = cluster::Reply::kOk;
  Result<cluster::PulseReply> pulse = cluster::decode_pulse_reply(message, reply);
  if (!pulse) return refusal(reply, pulse.error());
  if (pulse->id != id_ || pulse->epoch != epoch_) return fail(Code::kUnavailable, "it is another node now");
  heard_clock(pulse->clock_us, asked.sent_us);
  digest_ = pulse->members_digest;
  // It may have recorded the set since it answered the hello, and nobody says hello to the same set again.
  knows_us_ = knows_us_ || digest_ == services_->home.digest();
  complete_ = pulse->complete;
  held_ = std::move(pulse->held);
  settled_ = pulse->settled;
  held_digest_ = pulse->members_digest;
  backed_digest_ = pulse->backs ? digest_ : 0;
  agreed_digest_ = pulse->agreed ? digest_ : 0;
  agreed_version_ = pulse->agreed_version;
  return {};
}

/// Whoever does not know the question refuses it, and is asked again: it may be another build by then.
Status Peer::debt_answered(std::string_view message) {
  cluster::Reply reply = cluster::Reply::kOk;
  const Result<bool> owed = cluster::decode_debt_reply(message, reply);
  if (!owed && owed.error().code == Code::kCorrupt) return tl::unexpected(owed.error());
  place_->lacks.store(owed && *owed ? 1 : 0, std::memory_order_relaxed);
  return {};
}

void Peer::heard_clock(std::uint64_t clock_us, std::uint64_t sent_us) {
  const std::uint64_t round_trip = now_us() - sent_us;
  const std::uint64_t believable_us = (wall_ms() + store::kCenturyMs) * 1'000;  // more says nothing
  clock_us_ = static_cast<std::int64_t>(std::min(clock_us, believable_us) + round_trip / 2) - boot_us();
  // A busy machine answers late; how far it is away is what the quickest answers tell.
  const std::uint64_t drifting = distance_us_ + distance_us_ / 32 + 1;
  distance_us_ = distance_us_ == 0 ? round_trip : std::min(drifting, round_trip);
  place_->round_trip_us.store(round_trip, std::memory_order_relaxed);
}

}  // namespace minivault::replicator
