// A Peer: its lines, dialled, greeted, looked after, closed. Its answers are taken in peer_answers.cpp; its
// stream is peer_stream.cpp.

#include "replicator/peer.h"

#include <algorithm>
#include <utility>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/protocol/binary.h"
#include "replicator/place_text.h"

namespace minivault::replicator {
namespace {

/// While the member set is not agreed on, and writes wait for what peers say of it.
constexpr std::uint64_t kChangingPulseMs = 50;
/// What is for people is asked more seldom.
constexpr std::uint64_t kDebtMs = 1'000;
constexpr std::uint64_t kSilenceMs = 2'000;
/// A stream whose peer pulses may be slow: its disk is, or a large record arrives.
constexpr std::uint64_t kStreamSilenceMs = 15'000;
/// … and as slow as this. A slower line cannot bring a record of some MB within its origin's ring.
constexpr std::uint64_t kSlowestBytesAMs = 64;
constexpr std::uint64_t kFirstDelayMs = 50;
constexpr std::uint64_t kLongestDelayMs = 1'000;
constexpr std::uint64_t kItselfDelayMs = 30'000;
constexpr std::uint64_t kNameLookMs = 2;

}  // namespace

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

std::uint64_t Peer::now_us() {
  return monotonic_ns() / 1'000U;
}

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
  place_->lacks.store(0, std::memory_order_relaxed);
}

bool Peer::has_same_members() const {
  return id_ != 0 && is_believed() && digest_ == services_->home.digest();
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
  const bool looked_up = link.line.waits_for_name();
  const Status well =
      link.line.run([&](std::string_view message) { return answered(link, message, now_ms); });
  if (looked_up && !link.line.waits_for_name()) link.since_ms = now_ms;  // only now is it called
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
  const bool unanswered = !pulse_.expected.empty();
  if (pulse_.greeted && now_ms >= next_pulse_ms_) {
    next_pulse_ms_ = now_ms + (services_->home.is_changing() ? kChangingPulseMs : kPulseMs);
    // What was held against it in the stream's hello may have passed, as a note that could not be written;
    // the stream is dialled again only once an answer said so.
    if (!unanswered && (digest_ != services_->home.digest() || !is_believed())) {
      send(pulse_, Kind::kHello, cluster::kHello, cluster::encode(services_->home.hello()));
    }
    if (!unanswered) send(pulse_, Kind::kPulse, cluster::kPulse, cluster::encode(services_->home.pulse()));
  }
  // With a pulse, or else one question would always be open where answers take their time, and no pulse sent.
  if (pulse_.greeted && !unanswered && now_ms >= next_debt_ms_) {
    next_debt_ms_ = now_ms + kDebtMs;
    send(pulse_, Kind::kDebt, cluster::kDebt, {});
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
  if (link.line.waits_for_name()) return tell_look_up(link, now_ms);
  const bool waits = !link.greeted || !link.expected.empty();
  // What is in flight may be one large record on a narrow line: it is answered when all of it has arrived.
  const std::uint64_t stream_patience = kStreamSilenceMs + in_flight_bytes_ / kSlowestBytesAMs;
  const std::uint64_t patience = &link == &stream_ && link.greeted ? stream_patience : kSilenceMs;
  // Nor is a name silent while some of its addresses have not been tried.
  if (!waits || link.line.dials_on()) link.since_ms = now_ms;
  if (now_ms < link.since_ms + patience) return;
  const bool of_pulse = &link == &pulse_;
  end(link, now_ms, "it is silent");
  if (of_pulse) end(stream_, now_ms, "it is silent");
}

/// A name server that takes long is nobody's silence. What it says ends the look-up; another one beside it
/// would take as long.
void Peer::tell_look_up(const Link& link, std::uint64_t now_ms) {
  if (now_ms < link.since_ms + kSilenceMs) return;
  constexpr std::string_view kWhy = "its name is still being looked up: do all name servers answer?";
  set_text(place_->texts, place_->last_error, kWhy);
  if (!said_.may_say(kWhy, now_ms)) return;
  log_line(LogLevel::kWarning, "peer_not_called", {{"peer", address_}, {"reason", kWhy}});
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
  log_line(is_itself() ? LogLevel::kInfo : LogLevel::kWarning,
           of_stream       ? "stream_ended"
           : is_stranger() ? "stranger_lost"
                           : "peer_lost",
           {{"peer", address_}, {"reason", why}});
}

/// Neither listed nor a member: called because somebody said to be there. However many of these there are,
/// none of the lines about peers is suppressed for them.
bool Peer::is_stranger() const {
  const std::vector<std::string>& listed = services_->config.cluster_nodes;
  const cluster::MemberSet& members = services_->home.members();
  return std::find(listed.begin(), listed.end(), address_) == listed.end() && members.find(id_) == nullptr &&
         members.find_address(address_) == nullptr;
}

void Peer::show_repairing(bool repairing) {
  repairing_ = repairing;
  if (repairing) return;
  place_->repair_keys.store(0, std::memory_order_relaxed);
  place_->repair_keys_of.store(0, std::memory_order_relaxed);
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
