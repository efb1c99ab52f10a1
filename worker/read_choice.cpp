#include "worker/read_choice.h"

#include <algorithm>
#include <utility>

namespace minivault::worker {
namespace {

using State = cluster::ReadReply::State;

const HeardRecord kNothing;

}  // namespace

void ReadChoice::heard(std::size_t voice, HeardRecord record) {
  if (voice >= voices_.size()) voices_.resize(voice + 1);
  voices_[voice] = {true, record.version};
  if (record.state == State::kAbsent || record.version <= ghosts_ || record.version < oldest_) return;
  if (!begun_) {
    if (record.version <= newest().version) return;
    candidates_.clear();
  }
  const auto older = [](const Candidate& candidate, const store::Version& version) {
    return candidate.record.version < version;
  };
  const auto at = std::lower_bound(candidates_.begin(), candidates_.end(), record.version, older);
  if (at == candidates_.end() || at->record.version != record.version) {
    candidates_.insert(at, {std::move(record), {}});
  }
  forget_what_nobody_holds();
}

void ReadChoice::took(std::size_t voice, const store::Version& version) {
  voices_[voice].version = std::max(voices_[voice].version, version);
}

void ReadChoice::unheard(std::size_t voice) {
  voices_[voice].spoke = false;
}

void ReadChoice::dropped(const store::Version& version) {
  ghosts_ = std::max(ghosts_, version);
  std::erase_if(candidates_,
                [this](const Candidate& candidate) { return candidate.record.version <= ghosts_; });
}

std::size_t ReadChoice::count() const {
  return count_from({});
}

const HeardRecord& ReadChoice::newest() const {
  return candidates_.empty() ? kNothing : candidates_.back().record;
}

bool ReadChoice::lacks_newest(std::size_t voice) const {
  return spoke(voice) && voices_[voice].version < newest().version;
}

const HeardRecord* ReadChoice::answer(std::size_t majority) {
  if (!begun_) {
    if (count() < majority) return nullptr;
    begun_ = true;
    oldest_ = newest().version;
  }
  if (candidates_.empty()) return count() >= majority ? &kNothing : nullptr;
  if (is_held(candidates_.back(), majority)) return &newest();
  // It may have forgotten a delete that beats what others hold: all that is heard counts.
  if (somebody_has_nothing()) return nullptr;
  const auto is_answer = [&](Candidate& candidate) { return is_held(candidate, majority); };
  const auto found = std::find_if(candidates_.rbegin(), candidates_.rend(), is_answer);
  return found == candidates_.rend() ? nullptr : &found->record;
}

/// By a majority, and a majority holds the newest of what those held when they were heard.
bool ReadChoice::is_held(Candidate& candidate, std::size_t majority) const {
  const store::Version& version = candidate.record.version;
  std::vector<store::Version> holders;
  for (const Voice& voice : voices_) {
    const store::Version& has = voice.version;
    const bool later = has > version && has.origin == version.origin;
    if (voice.spoke && (has == version || later)) holders.push_back(has);
  }
  if (candidate.above.origin == 0) {
    if (holders.size() < majority) return false;
    const auto last = holders.begin() + static_cast<std::ptrdiff_t>(majority) - 1;
    std::nth_element(holders.begin(), last, holders.end());
    candidate.above = *last;
  }
  return count_from(candidate.above) >= majority;
}

std::size_t ReadChoice::count_from(const store::Version& version) const {
  return static_cast<std::size_t>(std::count_if(voices_.begin(), voices_.end(), [&](const Voice& voice) {
    return voice.spoke && voice.version >= version;
  }));
}

/// Or a ghost.
bool ReadChoice::somebody_has_nothing() const {
  return std::any_of(voices_.begin(), voices_.end(),
                     [this](const Voice& voice) { return voice.spoke && voice.version <= ghosts_; });
}

void ReadChoice::forget_what_nobody_holds() {
  const store::Version last = newest().version;
  std::erase_if(candidates_, [&](const Candidate& candidate) {
    const store::Version& version = candidate.record.version;
    const auto holds = [&](const Voice& voice) { return voice.version == version; };
    return candidate.above.origin == 0 && version != last &&
           std::none_of(voices_.begin(), voices_.end(), holds);
  });
}

}  // namespace minivault::worker
