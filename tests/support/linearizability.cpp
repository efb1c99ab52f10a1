#include "tests/support/linearizability.h"

#include <algorithm>
#include <optional>
#include <random>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

namespace minivault::test {
namespace {

using Kind = RegisterCall::Kind;
using Outcome = RegisterCall::Outcome;

bool is_seen_by(const RegisterCall& call, std::uint64_t value) {
  if (call.outcome != Outcome::kDone) return false;
  return call.kind == Kind::kRead ? call.value == value
                                  : call.kind == Kind::kReplace && call.expected == value;
}

/// A write of unknown outcome whose value was seen did happen, before the first who saw it was done. One that
/// was not seen may as well not have happened, unless it explains a refusal. Without this the search would
/// grow with every unknown outcome.
std::vector<RegisterCall> settle_unknowns(const std::vector<RegisterCall>& calls) {
  std::unordered_map<std::uint64_t, std::uint64_t> first_seen;  // value -> end of who saw it first
  for (const RegisterCall& call : calls) {
    const std::uint64_t seen = call.kind == Kind::kReplace ? call.expected : call.value;
    if (call.kind == Kind::kWrite || !is_seen_by(call, seen)) continue;
    const auto [at, fresh] = first_seen.try_emplace(seen, call.end);
    at->second = std::min(at->second, call.end);
  }
  const bool any_refused = std::any_of(
      calls.begin(), calls.end(), [](const RegisterCall& call) { return call.outcome == Outcome::kRefused; });
  std::vector<RegisterCall> settled;
  for (RegisterCall call : calls) {
    if (call.outcome == Outcome::kUnknown && call.kind == Kind::kRead) continue;
    if (call.outcome == Outcome::kUnknown && call.value != 0) {
      const auto seen = first_seen.find(call.value);
      if (seen == first_seen.end() && !any_refused) continue;
      if (seen != first_seen.end()) {
        call.outcome = Outcome::kDone;
        call.end = seen->second;
      }
    }
    settled.push_back(call);
  }
  return settled;
}

/// What the register holds after the call, or nothing where the call cannot happen now.
std::optional<std::uint64_t> step(const RegisterCall& call, std::uint64_t state) {
  switch (call.kind) {
    case Kind::kRead:
      return call.value == state ? std::optional(state) : std::nullopt;
    case Kind::kWrite:
      return call.value;
    case Kind::kReplace:
      if (call.outcome == Outcome::kRefused)
        return state != call.expected ? std::optional(state) : std::nullopt;
      return state == call.expected ? std::optional(call.value) : std::nullopt;
  }
  return std::nullopt;
}

/// Begins and ends of calls in the order of time, as a list from which calls are lifted and put back.
class Timeline {
 public:
  static constexpr std::size_t kHead = 0;

  explicit Timeline(const std::vector<RegisterCall>& calls) : events_(1), end_of_(calls.size(), kHead) {
    std::vector<Event> sorted;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      sorted.push_back({calls[i].begin, i, true});
      if (calls[i].outcome != Outcome::kUnknown) sorted.push_back({calls[i].end, i, false});
    }
    std::stable_sort(sorted.begin(), sorted.end(), [](const Event& a, const Event& b) {
      return a.time != b.time ? a.time < b.time : a.is_begin && !b.is_begin;
    });
    events_.insert(events_.end(), sorted.begin(), sorted.end());
    for (std::size_t at = 0; at < events_.size(); ++at) {
      events_[at].next = (at + 1) % events_.size();
      events_[at].before = (at + events_.size() - 1) % events_.size();
      if (at > 0 && !events_[at].is_begin) end_of_[events_[at].call] = at;
    }
  }

  struct Event {
    std::uint64_t time = 0;
    std::size_t call = 0;
    bool is_begin = false;
    std::size_t next = kHead;
    std::size_t before = kHead;
  };

  [[nodiscard]] const Event& at(std::size_t event) const { return events_[event]; }
  [[nodiscard]] std::size_t first() const { return events_[kHead].next; }
  /// The call whose begin is `event`: both its ends.
  void lift(std::size_t event) {
    take(event);
    if (const std::size_t end = end_of_[events_[event].call]; end != kHead) take(end);
  }
  void put_back(std::size_t event) {
    if (const std::size_t end = end_of_[events_[event].call]; end != kHead) put(end);
    put(event);
  }

 private:
  void take(std::size_t event) {
    events_[events_[event].before].next = events_[event].next;
    events_[events_[event].next].before = events_[event].before;
  }
  void put(std::size_t event) {
    events_[events_[event].before].next = event;
    events_[events_[event].next].before = event;
  }

  std::vector<Event> events_;
  std::vector<std::size_t> end_of_;
};

class Search {
 public:
  Search(const std::vector<RegisterCall>& calls, std::uint64_t initial)
      : calls_(calls), timeline_(calls), state_(initial) {
    std::mt19937_64 random(1);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      marks_.push_back(random());
      if (calls[i].outcome != Outcome::kUnknown) ++left_;
    }
  }

  bool run() {
    std::size_t event = timeline_.first();
    while (left_ > 0) {
      const Timeline::Event& now = timeline_.at(event);
      if (event != Timeline::kHead && now.is_begin) {
        event = try_call(event) ? timeline_.first() : now.next;
        continue;
      }
      // A call ends here that has not happened: something before was chosen wrongly.
      if (chosen_.empty()) return false;
      event = take_back();
    }
    return true;
  }

  [[nodiscard]] std::size_t most() const { return most_; }

 private:
  struct Chosen {
    std::size_t event;
    std::uint64_t state_before;
  };

  bool try_call(std::size_t event) {
    const std::size_t call = timeline_.at(event).call;
    const std::optional<std::uint64_t> next = step(calls_[call], state_);
    if (!next) return false;
    const std::uint64_t happened = happened_ ^ marks_[call];
    if (!tried_.insert(happened + *next * 0x9E3779B97F4A7C15ULL).second) return false;
    chosen_.push_back({event, state_});
    most_ = std::max(most_, chosen_.size());
    happened_ = happened;
    state_ = *next;
    if (calls_[call].outcome != Outcome::kUnknown) --left_;
    timeline_.lift(event);
    return true;
  }

  /// The event to go on with.
  std::size_t take_back() {
    const Chosen last = chosen_.back();
    chosen_.pop_back();
    const std::size_t call = timeline_.at(last.event).call;
    timeline_.put_back(last.event);
    happened_ ^= marks_[call];
    state_ = last.state_before;
    if (calls_[call].outcome != Outcome::kUnknown) ++left_;
    return timeline_.at(last.event).next;
  }

  const std::vector<RegisterCall>& calls_;
  Timeline timeline_;
  std::uint64_t state_;
  std::uint64_t happened_ = 0;        ///< which calls did, as the sum of their marks
  std::vector<std::uint64_t> marks_;  ///< of each call
  std::size_t left_ = 0;              ///< calls that must happen and have not
  std::vector<Chosen> chosen_;
  std::size_t most_ = 0;
  std::unordered_set<std::uint64_t> tried_;  ///< what had happened, and the state after it
};

}  // namespace

bool is_linearizable(const std::vector<RegisterCall>& calls, std::uint64_t initial) {
  const std::vector<RegisterCall> settled = settle_unknowns(calls);
  return Search(settled, initial).run();
}

std::string explain(std::vector<RegisterCall> calls, std::uint64_t initial) {
  const std::vector<RegisterCall> settled = settle_unknowns(calls);
  Search search(settled, initial);
  if (search.run()) return "linearizable";
  calls = settled;
  std::sort(calls.begin(), calls.end(), [](const auto& a, const auto& b) { return a.end < b.end; });
  std::ostringstream out;
  out << "no order beyond " << search.most() << " of " << calls.size() << " calls:";
  const std::size_t middle = std::min(search.most(), calls.size());
  for (std::size_t i = middle > 8 ? middle - 8 : 0; i < std::min(calls.size(), middle + 4); ++i) {
    const RegisterCall& call = calls[i];
    out << "\n  [" << call.begin << ", " << call.end << "] "
        << (call.kind == Kind::kRead    ? "read"
            : call.kind == Kind::kWrite ? "write"
                                        : "replace")
        << ' ' << call.value;
    if (call.kind == Kind::kReplace) out << " for " << call.expected;
    if (call.outcome != Outcome::kDone) out << (call.outcome == Outcome::kRefused ? " refused" : " unknown");
  }
  return out.str();
}

}  // namespace minivault::test
