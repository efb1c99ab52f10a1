#include "tests/support/history.h"

#include <algorithm>

namespace minivault::test {
namespace {

/// Two nodes stamp by the same clock, but only to the millisecond: a write is newer than what was given up
/// this long before.
constexpr milliseconds kSoon{20};

std::string shown(const History::State& state) {
  constexpr std::size_t kShown = 40;
  return state ? '"' + state->substr(0, kShown) + '"' : "nothing";
}

std::string_view shown(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
      return "done";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kUnknown:
      break;
  }
  return "unknown";
}

}  // namespace

History::Write History::begin(std::string key, State state) {
  const std::scoped_lock lock(mutex_);
  Entries& entries = keys_[key];
  const auto now = Clock::now();
  entries.push_back({std::move(state), now, Clock::time_point::max(), Outcome::kUnknown});
  Write write;
  write.number = entries.size() - 1;
  write.key = std::move(key);
  return write;
}

void History::end(const Write& write, Outcome outcome) {
  const auto now = Clock::now();
  const std::scoped_lock lock(mutex_);
  Entry& entry = keys_.at(write.key).at(write.number);
  entry.over = now;
  entry.outcome = outcome;
  ++(outcome == Outcome::kDone      ? counts_.done
     : outcome == Outcome::kRefused ? counts_.refused
                                    : counts_.unknown);
}

/// `last_began`: of the acknowledged write that began last.
bool History::may_be_last(const Entry& entry, Clock::time_point last_began) const {
  switch (entry.outcome) {
    case Outcome::kRefused:
      return false;
    case Outcome::kDone:
      return entry.over >= last_began;
    case Outcome::kUnknown:
      break;
  }
  if (entry.over == Clock::time_point::max() || unknowns_ == Unknowns::kStayUndecided) return true;
  return entry.over + kSoon >= last_began;
}

void History::judge(std::vector<std::string>& violations, const std::string& key, const Entries& entries,
                    const State& found) const {
  auto last_began = Clock::time_point::min();
  for (const Entry& entry : entries) {
    if (entry.outcome == Outcome::kDone) last_began = std::max(last_began, entry.began);
  }
  if (!found && last_began == Clock::time_point::min()) return;
  const bool is_right = std::any_of(entries.begin(), entries.end(), [&](const Entry& entry) {
    return entry.state == found && may_be_last(entry, last_began);
  });
  if (is_right) return;
  std::string story = key + ": found " + shown(found) + "; its last writes:";
  for (std::size_t i = entries.size() > 8 ? entries.size() - 8 : 0; i < entries.size(); ++i) {
    const auto since = [&](Clock::time_point at) {
      return at == Clock::time_point::max()
                 ? "?"
                 : std::to_string(std::chrono::duration_cast<milliseconds>(at - entries[0].began).count());
    };
    story.append(" [").append(since(entries[i].began)).append("..").append(since(entries[i].over));
    story.append(" ms ").append(shown(entries[i].outcome)).append(": ").append(shown(entries[i].state)) +=
        ']';
  }
  violations.push_back(std::move(story));
}

std::vector<std::string> History::violations(const Content& content) const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> violations;
  for (const auto& [key, entries] : keys_) {
    const auto found = content.find(key);
    judge(violations, key, entries, found == content.end() ? State() : State(found->second));
  }
  for (const auto& [key, value] : content) {
    if (!keys_.contains(key)) violations.push_back(key + ": never written, found " + shown(value));
  }
  return violations;
}

bool History::was_written(const std::string& key, const State& state) const {
  const std::scoped_lock lock(mutex_);
  const auto found = keys_.find(key);
  if (!state) return true;
  return found != keys_.end() && std::any_of(found->second.begin(), found->second.end(),
                                             [&](const Entry& entry) { return entry.state == state; });
}

History::Counts History::counts() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

}  // namespace minivault::test
