#include "replicator/peer.h"

#include <algorithm>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/protocol/binary.h"
#include "common/store/node_clock.h"
#include "replicator/place_text.h"

namespace minivault::replicator {
namespace {

constexpr std::uint64_t kPulseMs = 200;
/// While the member set is not agreed on, and writes wait for what peers say of it.
constexpr std::uint64_t kChangingPulseMs = 50;
constexpr std::uint64_t kSilenceMs = 2'000;
/// A stream whose peer pulses may be slow: its disk is, or a large record arrives.
constexpr std::uint64_t kStreamSilenceMs = 15'000;
/// … and as slow as this. A slower line cannot bring a record of some MB within its origin's ring.
constexpr std::uint64_t kSlowestBytesAMs = 64;
constexpr std::uint64_t kFirstDelayMs = 50;
constexpr std::uint64_t kLongestDelayMs = 1'000;
constexpr std::uint64_t kItselfDelayMs = 30'000;
constexpr std::uint64_t kNameLookMs = 2;
constexpr std::size_t kWindowBytes = 8 << 20;
constexpr std::size_t kWindowParcels = 512;
/// What one turn queues for one peer.
constexpr std::size_t kParcelsAFill = 16;
/// A peer farther than this is worth the time that compressing takes.
constexpr std::uint64_t kFarUs = 2'000;

std::uint64_t now_us() {
  return monotonic_ns() / 1'000U;
}

std::string_view reason_of(PeerOwner::Objection objection) {
  switch (objection) {
    case PeerOwner::Objection::kNone:
      break;
    case PeerOwner::Objection::kItself:
      return "this address is the node itself";
    case PeerOwner::Objection::kIdTaken:
      return "another live node has this node's id: give one of them a new one (minivault new-id)";
    case PeerOwner::Objection::kKnownElsewhere:
      return "the node is already called at another address";
    case PeerOwner::Objection::kExpectedElsewhere:
      return "the node must answer at its public-url first: a member that is away has that address";
    case PeerOwner::Objection::kForgotten:
      return "the node was removed from the cluster";
    case PeerOwner::Objection::kChanging:
      return "a majority of the members must record the last newcomer before another comes in";
    case PeerOwner::Objection::kNotStored:
      return "the node could not be noted as a member yet";
  }
  return "";
}

}  // namespace

Peer::Peer(PeerServices& services, std::string address, shared::PeerPlace& place)
    : services_(&services),
      address_(std::move(address)),
      place_(&place),
      stream_(services.poller, services.pool),
      pulse_(services.poller, services.pool) {
  set_text(place.texts, place.address, address_);
  show_state();
}

Peer::~Peer() {
  place_->connections.store(0, std::memory_order_relaxed);
  place_->epoch.store(0, std::memory_order_release);
  place_->counts.store(0, std::memory_order_relaxed);
}

bool Peer::has_same_members() const {
  return id_ != 0 && is_believed() && digest_ == services_->home.digest();
}

bool Peer::counts(std::uint64_t now_ms) const {
  return ever_streamed_ && now_ms >= counts_from_ms_ && has_same_members() &&
         services_->home.members().find(id_) != nullptr;
}

bool Peer::has_all(Lsn tail) const {
  return !streaming_ || (cursor_ >= tail && in_flight_.empty());
}

void Peer::expect(std::uint64_t now_ms) {
  // That it calls says nothing of what its stream was ended for.
  if (is_itself() || pulse_.greeted) return;
  pulse_.delay_ms = 0;
  pulse_.next_dial_ms = std::min(pulse_.next_dial_ms, now_ms);
}

/// The stream follows the pulse: one try tells whether somebody is there, and whether it takes batches.
bool Peer::is_wanted(const Link& link) const {
  return &link == &pulse_ || (pulse_.greeted && objection_ == PeerOwner::Objection::kNone && knows_us_);
}

std::uint64_t Peer::dial_due_ms(const Link& link) const {
  return &link == &pulse_ ? link.next_dial_ms : std::max(link.next_dial_ms, patience_.until_ms());
}

bool Peer::note(const net::Event& event) {
  for (Link* link : {&stream_, &pulse_}) {
    if (link->line.fd() != event.fd) continue;
    link->line.note(event);
    return true;
  }
  return false;
}

void Peer::run(std::uint64_t now_ms) {
  run(pulse_, now_ms);
  run(stream_, now_ms);
}

void Peer::run(Link& link, std::uint64_t now_ms) {
  if (link.line.state() == Line::State::kClosed) return;
  const Status well =
      link.line.run([&](std::string_view message) { return answered(link, message, now_ms); });
  if (!well) {
    // What is refused on one line is on the other.
    const bool unwanted = well.error().code == Code::kUnauthorized;
    refused_ = refused_ || unwanted;
    return unwanted ? close(now_ms, well.error().message) : end(link, now_ms, well.error().message);
  }
  if (link.line.state() == Line::State::kOpen && !link.said_hello) greet(link);
}

void Peer::tick(std::uint64_t now_ms) {
  tick(pulse_, now_ms);
  tick(stream_, now_ms);
  if (pulse_.greeted && now_ms >= next_pulse_ms_) {
    next_pulse_ms_ = now_ms + (services_->home.is_changing() ? kChangingPulseMs : kPulseMs);
    const bool unanswered = !pulse_.expected.empty();
    // What was held against it in the stream's hello may have passed, as a note that could not be written;
    // the stream is dialled again only once an answer said so.
    if (!unanswered && (digest_ != services_->home.digest() || !is_believed())) {
      send(pulse_, Kind::kHello, cluster::kHello, cluster::encode(services_->home.hello()));
    }
    if (!unanswered) send(pulse_, Kind::kPulse, cluster::kPulse, cluster::encode(services_->home.pulse()));
  }
  show_state();
}

/// Dials what is down, and closes what is silent.
void Peer::tick(Link& link, std::uint64_t now_ms) {
  if (link.line.state() == Line::State::kClosed) {
    if (!is_wanted(link) || now_ms < dial_due_ms(link)) return;
    link.since_ms = now_ms;
    if (objection_ == PeerOwner::Objection::kChanging) objection_ = PeerOwner::Objection::kNone;
    link.line.dial(address_);
    run(link, now_ms);
    return;
  }
  const bool waits = !link.greeted || !link.expected.empty();
  // What is in flight may be one large record on a narrow line: it is answered when all of it has arrived.
  const std::uint64_t stream_patience = kStreamSilenceMs + in_flight_bytes_ / kSlowestBytesAMs;
  const std::uint64_t patience = &link == &stream_ && link.greeted ? stream_patience : kSilenceMs;
  if (!waits) link.since_ms = now_ms;
  if (now_ms < link.since_ms + patience) return;
  const bool of_pulse = &link == &pulse_;
  end(link, now_ms, "it is silent");
  if (of_pulse) end(stream_, now_ms, "it is silent");
}

void Peer::greet(Link& link) {
  link.said_hello = true;
  if (const std::string& key = services_->config.auth_key; !key.empty()) {
    std::string frame;
    protocol::append_auth(frame, key);
    link.line.send(frame);
    link.expected.push_back({Kind::kAuth, now_us()});
  }
  send(link, Kind::kHello, cluster::kHello, cluster::encode(services_->home.hello()));
}

void Peer::send(Link& link, Kind kind, std::string_view name, const std::string& message) {
  std::string frame;
  protocol::append_sync(frame, name, message, false);
  link.line.send(frame);
  link.expected.push_back({kind, now_us()});
}

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

void Peer::heard_clock(std::uint64_t clock_us, std::uint64_t sent_us) {
  const std::uint64_t round_trip = now_us() - sent_us;
  const std::uint64_t believable_us = (wall_ms() + store::kCenturyMs) * 1'000;  // more says nothing
  clock_us_ = static_cast<std::int64_t>(std::min(clock_us, believable_us) + round_trip / 2) - boot_us();
  // A busy machine answers late; how far it is away is what the quickest answers tell.
  const std::uint64_t drifting = distance_us_ + distance_us_ / 32 + 1;
  distance_us_ = distance_us_ == 0 ? round_trip : std::min(drifting, round_trip);
  place_->round_trip_us.store(round_trip, std::memory_order_relaxed);
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

void Peer::flush() {
  stream_.line.flush();
  pulse_.line.flush();
}

bool Peer::has_more() const {
  return may_have_more_ || stream_.line.has_more() || pulse_.line.has_more();
}

std::uint64_t Peer::next_look_ms(std::uint64_t now_ms) const {
  std::uint64_t next_ms = now_ms + kPulseMs;
  if (pulse_.greeted) next_ms = std::min(next_ms, next_pulse_ms_);
  for (const Link* link : {&stream_, &pulse_}) {
    if (link->line.waits_for_name()) next_ms = std::min(next_ms, now_ms + kNameLookMs);
    if (link->line.state() != Line::State::kClosed) continue;
    if (is_wanted(*link)) next_ms = std::min(next_ms, dial_due_ms(*link));
  }
  return next_ms;
}

void Peer::close(std::uint64_t now_ms, std::string_view why) {
  end(stream_, now_ms, why);
  end(pulse_, now_ms, why);
}

void Peer::remove(std::uint64_t now_ms) {
  objection_ = PeerOwner::Objection::kForgotten;
  close(now_ms, reason_of(objection_));
  set_text(place_->texts, place_->last_error, reason_of(objection_));
}

void Peer::end(Link& link, std::uint64_t now_ms, std::string_view why) {
  if (link.line.state() == Line::State::kClosed) return;
  const bool of_stream = &link == &stream_;
  link.line.close();
  link.expected.clear();
  link.said_hello = link.greeted = false;
  link.delay_ms = std::clamp(link.delay_ms * 2, kFirstDelayMs, kLongestDelayMs);
  link.next_dial_ms = now_ms + (is_itself() ? kItselfDelayMs : link.delay_ms);
  if (of_stream) {
    streaming_ = false;
    in_flight_.clear();
    in_flight_bytes_ = 0;
  } else {
    place_->epoch.store(0, std::memory_order_release);
    held_.clear();
    if (objection_ != PeerOwner::Objection::kChanging) ++failures_;  // it is there, and waits
  }
  place_->errors.fetch_add(1, std::memory_order_relaxed);
  set_text(place_->texts, place_->last_error, why);
  if (!said_.may_say(why, now_ms)) return;
  log_line(is_itself() ? LogLevel::kInfo : LogLevel::kWarning, of_stream ? "stream_ended" : "peer_lost",
           {{"peer", address_}, {"reason", why}});
}

void Peer::show_repairing(bool repairing) {
  repairing_ = repairing;
}

void Peer::show_state() {
  using shared::PeerState;
  PeerState state = PeerState::kUnreachable;
  if (is_itself()) {
    state = PeerState::kItself;
  } else if (refused_ || objection_ != PeerOwner::Objection::kNone) {
    state = PeerState::kRefused;
  } else if (streaming_) {
    state = repairing_ ? PeerState::kRepairing : PeerState::kStreaming;
  } else if (pulse_.greeted && patience_.is_held_up()) {
    state = PeerState::kRefused;
  } else if (pulse_.greeted) {
    state = PeerState::kConnecting;
  }
  place_->state.store(state, std::memory_order_relaxed);
  const auto open = [](const Link& link) { return link.line.state() == Line::State::kOpen ? 1U : 0U; };
  place_->connections.store(open(stream_) + open(pulse_), std::memory_order_relaxed);
}

}  // namespace minivault::replicator
