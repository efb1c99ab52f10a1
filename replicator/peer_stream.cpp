// The part of a Peer that streams: where that begins, what is under way, how far it was acknowledged.

#include <algorithm>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "replicator/peer.h"

namespace minivault::replicator {
namespace {

constexpr std::size_t kWindowBytes = 8 << 20;
constexpr std::size_t kWindowParcels = 512;
/// What one turn queues for one peer.
constexpr std::size_t kParcelsAFill = 16;
/// A peer farther than this is worth the time that compressing takes.
constexpr std::uint64_t kFarUs = 2'000;

}  // namespace

bool Peer::counts(std::uint64_t now_ms) const {
  return ever_streamed_ && now_ms >= counts_from_ms_ && has_same_members() &&
         services_->home.members().find(id_) != nullptr;
}

bool Peer::has_all(Lsn tail) const {
  return !streaming_ || (cursor_ >= tail && in_flight_.empty());
}

Status Peer::batch_answered(std::string_view message) {
  cluster::Reply reply = cluster::Reply::kOk;
  const Result<cluster::BatchReply> batch = cluster::decode_batch_reply(message, reply);
  if (!batch) return refusal(reply, batch.error());
  if (in_flight_.empty()) return fail(Code::kCorrupt, "it answers a batch that was not sent");
  // The frame is lent to the line until it has left.
  const bool received = stream_.line.backlog() + in_flight_.front().frame.size() <= in_flight_bytes_;
  if (!received) return fail(Code::kCorrupt, "it answers what it cannot have received");
  const ParcelPtr parcel = std::move(in_flight_.front().parcel);
  in_flight_bytes_ -= in_flight_.front().frame.size();
  in_flight_.pop_front();
  if (batch->to != parcel->to) return fail(Code::kCorrupt, "it acknowledges what was not sent");
  digest_ = batch->members_digest;
  // Before the acknowledgement counts: a conflict may have to hold the quorum back.
  if (!batch->conflicts.empty()) {
    if (Status known = services_->owner.conflicts(*this, *parcel, batch->conflicts); !known) return known;
  }
  raise_acked(parcel->to);
  if (patience_.moved_on(parcel->to)) stream_.delay_ms = 0;
  return {};
}

void Peer::raise_acked(Lsn to) {
  acked_ = std::max(acked_, to);
  place_->acked.store(acked_, std::memory_order_relaxed);
}

void Peer::begin_stream(const cluster::Position& position) {
  const Lsn answered = place_->acked.load(std::memory_order_relaxed);
  const Beginning beginning =
      services_->home.begin_stream(position, answered == 0 ? shared::kNoLsn : answered);
  const std::uint64_t now_ms = monotonic_ms();
  if (beginning.waits) {
    counts_from_ms_ = now_ms + static_cast<std::uint64_t>(services_->config.write_timeout.count());
  } else if (!ever_streamed_) {
    // As a replicator before this one left it.
    counts_from_ms_ = place_->counts_from_ms.load(std::memory_order_relaxed);
  }
  place_->counts_from_ms.store(counts_from_ms_, std::memory_order_relaxed);
  if (beginning.jump) {
    if (said_.may_say("stream_jumps", now_ms)) {
      log_line(LogLevel::kWarning, "stream_jumps",
               {{"peer", address_}, {"held", position.lsn}, {"from", beginning.from}});
    }
    place_->stream_began.store(beginning.from, std::memory_order_relaxed);
  }
  acked_ = cursor_ = beginning.from;
  // Over a jump it lags by what it lacks until it has taken the opening.
  if (!beginning.jump) place_->acked.store(acked_, std::memory_order_relaxed);
  streaming_ = ever_streamed_ = true;
  vouched_ = false;
  queue(make_opening(services_->home.epoch(), beginning.from, beginning.jump), now_us());
}

void Peer::queue(ParcelPtr parcel, std::uint64_t now_us) {
  const std::string_view frame = frame_of(*parcel, distance_us_ >= kFarUs);
  stream_.line.send_borrowed(frame);
  stream_.expected.push_back({Kind::kBatch, now_us});
  cursor_ = parcel->to;
  place_->bytes_sent.fetch_add(frame.size(), std::memory_order_relaxed);
  place_->records_sent.fetch_add(parcel->records, std::memory_order_relaxed);
  in_flight_bytes_ += frame.size();
  in_flight_.push_back({std::move(parcel), frame});
}

bool Peer::has_window() const {
  return in_flight_bytes_ < kWindowBytes && in_flight_.size() < kWindowParcels;
}

void Peer::fill(std::uint64_t now_ms, bool last_words) {
  may_have_more_ = false;
  if (!streaming_) return;
  vouched_ = vouched_ && services_->home.vouches();  // what is taken back has to be told anew
  const std::uint64_t sent_us = now_us();
  for (std::size_t queued = 0; has_window(); ++queued) {
    if (queued == kParcelsAFill) {
      may_have_more_ = true;
      return;
    }
    using Empty = Shelf::Empty;
    const bool untold = !vouched_ && services_->home.vouches();
    const Empty empty = last_words || untold       ? Empty::kAll
                        : now_ms >= next_empty_ms_ ? Empty::kIfOthers
                                                   : Empty::kNothing;
    Result<ParcelPtr> parcel = services_->shelf.next(cursor_, empty);
    if (!parcel) {
      // Overrun: the hello that follows finds out where the stream goes on.
      end(stream_, now_ms, parcel.error().message);
      stream_.next_dial_ms = now_ms;
      return;
    }
    if (*parcel == nullptr) {
      // Lag is what of this node's own is missing there; other records of its log are none of it.
      if (in_flight_.empty()) raise_acked(services_->shelf.nothing_before(cursor_));
      return;
    }
    if ((*parcel)->records == 0) next_empty_ms_ = now_ms + kPulseMs;
    vouched_ = vouched_ || (*parcel)->hlc != 0;
    queue(std::move(*parcel), sent_us);
  }
}

}  // namespace minivault::replicator
