#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/cluster/message.h"
#include "common/store/version.h"

namespace minivault::worker {

/// A key's record as it was heard of, with bytes of its own.
struct HeardRecord {
  cluster::ReadReply::State state = cluster::ReadReply::State::kAbsent;
  std::uint8_t flags = 0;
  store::Version version;
  std::string value;
};

/// What a quorum read answers (REPLICATION.md rule 8), by what the nodes that were asked said they hold:
/// voices, named by number. Knows nothing of how they are asked.
///
/// Nothing older than the newest of the first majority that spoke is the answer: it may be what was
/// acknowledged, or told, before the read began. The answer is a record that a majority is known to have
/// held: just it, or what the same node wrote after it. Who holds what another node wrote is no holder of it,
/// though that be newer: it may have been acknowledged before this record was begun, by a node whose clock is
/// late. Then the record will be stamped anew and win, and whoever was told of it before would see time go
/// back. And a majority holds the newest of what these hold, so that nobody reads later what lay between.
class ReadChoice {
 public:
  /// That voice holds the record, or nothing (kAbsent). Takes the place of what it said before.
  void heard(std::size_t voice, HeardRecord record);
  /// It took the record of that version, which newest() was.
  void took(std::size_t voice, const store::Version& version);
  /// It holds something newer than it said: its word is none until it is heard again.
  void unheard(std::size_t voice);
  /// Some voice dropped the record of that version as deleted long ago (REPLICATION.md rule 5): what was
  /// acknowledged is a ghost nowhere, so whoever holds it, or something older, was away for long.
  void dropped(const store::Version& version);

  [[nodiscard]] bool spoke(std::size_t voice) const { return voice < voices_.size() && voices_[voice].spoke; }
  [[nodiscard]] std::size_t count() const;  ///< voices that spoke
  /// A majority had spoken when answer() was asked.
  [[nodiscard]] bool has_begun() const { return begun_; }
  /// Of all that was heard; kAbsent: nothing.
  [[nodiscard]] const HeardRecord& newest() const;
  /// It spoke and holds something older than newest().
  [[nodiscard]] bool lacks_newest(std::size_t voice) const;
  /// nullptr: not yet; bring newest() to those who lack it, and hear those again who hold something newer.
  [[nodiscard]] const HeardRecord* answer(std::size_t majority);

 private:
  struct Voice {
    bool spoke = false;
    store::Version version;
  };

  /// A record that may be the answer.
  struct Candidate {
    HeardRecord record;
    /// A majority held it. Their newest then, which a majority is to hold: without an origin where none did
    /// yet.
    store::Version above;
  };

  [[nodiscard]] bool is_held(Candidate& candidate, std::size_t majority) const;
  [[nodiscard]] std::size_t count_from(const store::Version& version) const;
  [[nodiscard]] bool somebody_has_nothing() const;
  void forget_what_nobody_holds();

  std::vector<Voice> voices_;
  std::vector<Candidate> candidates_;  ///< the newest last; before a majority has spoken it alone
  store::Version oldest_;              ///< that may be the answer
  store::Version ghosts_;              ///< up to here what is held is none
  bool begun_ = false;
};

}  // namespace minivault::worker
