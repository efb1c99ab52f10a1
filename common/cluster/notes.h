#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/cluster/members.h"
#include "common/core/error.h"
#include "common/store/batch.h"
#include "common/store/version.h"

/// What a node remembers of its cluster, as notes in its own store: names and forms. Stored: never renumber.
namespace minivault::cluster {

using Lsn = std::uint64_t;

/// A place in one node's stream. Judged by that node alone (EpochList::place).
struct Position {
  std::uint64_t epoch = 0;  ///< 0: none
  Lsn lsn = 0;
  std::uint64_t hlc = 0;  ///< every record of the stream with an HLC value up to this is held

  bool operator==(const Position&) const = default;
};

/// The starts of one node: which stretch of its LSNs each epoch covers. The newest kKept are kept.
class EpochList {
 public:
  struct Epoch {
    std::uint64_t id;
    Lsn begin;  ///< where the start found the end of the log; its own LSNs may begin further on
    bool operator==(const Epoch&) const = default;
  };
  static constexpr std::size_t kKept = 256;

  void begin(std::uint64_t id, Lsn at);
  [[nodiscard]] const std::vector<Epoch>& epochs() const { return epochs_; }
  /// The one before the current; 0: none.
  [[nodiscard]] std::uint64_t previous() const {
    return epochs_.size() < 2 ? 0 : epochs_[epochs_.size() - 2].id;
  }
  [[nodiscard]] std::uint64_t current() const { return epochs_.empty() ? 0 : epochs_.back().id; }
  /// Whether `position` can be one of this node's stream, whose log now ends at `tail`: a known epoch, and
  /// not beyond where that epoch ended.
  [[nodiscard]] bool knows(const Position& position, Lsn tail) const;

  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static Result<EpochList> decode(std::string_view bytes);

 private:
  std::vector<Epoch> epochs_;
};

inline constexpr std::string_view kEpochsNote = "epochs";
inline constexpr std::string_view kMembersNote = "members";
/// The member set that was agreed on last (README rule 8). None: this node has never agreed with anybody.
inline constexpr std::string_view kAgreedNote = "agreed";
inline constexpr std::string_view kFilledNote = "filled";
inline constexpr std::string_view kBirthNote = "birth";
inline constexpr std::string_view kFloorNote = "floor";      ///< the stable floor, in digits
inline constexpr std::string_view kClockNote = "clock";      ///< empty: what counts is its version
inline constexpr std::string_view kSettledNote = "settled";  ///< Settled
inline constexpr std::string_view kAwayNote = "away";        ///< Away
[[nodiscard]] std::string position_note(NodeId origin);
[[nodiscard]] std::string debt_note(NodeId peer);
/// The note `members`; nobody where nothing is noted yet. Error: kCorrupt.
[[nodiscard]] Result<MemberSet> decode_members(std::string_view note);
/// As one write of a batch; refers to both.
[[nodiscard]] store::Write note_write(std::string_view name, std::string_view value);

/// A member's word about the streams of absent origins: those that were forgotten, or are away longer than
/// -tombstone-ttl. `fingerprint` is of who is absent, who is not, and how far each of those holds the absent
/// ones' streams: whatever of these any of them holds, the teller holds, for it has repaired with each of the
/// others since it was so. (Of no absent origins it is 0, and says nothing.)
struct SettledWord {
  std::uint64_t fingerprint = 0;
  /// The absent ones acknowledge nothing with the teller's help that is stamped up to this.
  std::uint64_t hlc = 0;

  bool operator==(const SettledWord&) const = default;
};

/// The note: what is told, and what each absent one must stamp above when it comes back.
struct Settled {
  SettledWord told;
  std::map<NodeId, std::uint64_t> passed_up_to;

  bool operator==(const Settled&) const = default;
};
[[nodiscard]] std::string encode_settled(const Settled& settled);
[[nodiscard]] Result<Settled> decode_settled(std::string_view bytes);

/// How long members have been away: ms in which this node ran, had a majority and did not hear of them. Time
/// in which it was off does not count.
using Away = std::map<NodeId, std::uint64_t>;
[[nodiscard]] std::string encode_away(const Away& away);
[[nodiscard]] Result<Away> decode_away(std::string_view bytes);

[[nodiscard]] std::string encode_position(const Position& position);
[[nodiscard]] Result<Position> decode_position(std::string_view bytes);

/// As in logs and addresses of people: 16 hexadecimal digits.
[[nodiscard]] std::string id_text(NodeId id);
[[nodiscard]] std::optional<NodeId> parse_id(std::string_view text);

}  // namespace minivault::cluster
