#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/error.h"

namespace minivault::cluster {

using NodeId = std::uint64_t;

/// Of a node: a host name has 253 bytes, and its port behind it. A longer one comes from no node.
inline constexpr std::size_t kLongestAddress = 300;

struct Member {
  NodeId id = 0;
  std::string address;              ///< host:port where it is called
  std::uint64_t since = 0;          ///< version at which it was said to be as here: the later claim stands
  std::uint64_t largest_value = 0;  ///< of a key of one byte, that it takes; 0: not known

  bool operator==(const Member&) const = default;
};

/// Who belongs to the cluster. A state that merges: merge() commutes, is associative and idempotent, so sets
/// may travel any way and still become equal. Grows by introduction, shrinks only by forgetting, and who is
/// forgotten stays so. A plain value; durable as the note `members` (notes.h).
class MemberSet {
 public:
  /// Grows with every change made here, and is the larger of both after a merge (a Lamport clock). Equal
  /// digests are equal sets.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] std::uint64_t digest() const;
  [[nodiscard]] const std::vector<Member>& members() const { return members_; }  ///< by id
  [[nodiscard]] const std::vector<NodeId>& forgotten() const { return forgotten_; }
  [[nodiscard]] const Member* find(NodeId id) const;
  [[nodiscard]] const Member* find_address(std::string_view address) const;
  [[nodiscard]] bool is_forgotten(NodeId id) const;

  /// What all members take, as far as is known; 0: of none is.
  [[nodiscard]] std::uint64_t smallest_limit() const;

  /// Adds the node, or gives it a new address, or limit unless that is 0. False: nothing changed. Error:
  /// kUnauthorized (forgotten), kTooLarge (kMost).
  [[nodiscard]] Result<bool> introduce(NodeId id, std::string address, std::uint64_t largest_value = 0);
  /// kMostForgotten others are: an id that made way for this one would be a stranger, and its node be taken
  /// in with what was deleted since.
  [[nodiscard]] bool is_full_for(NodeId id) const;
  /// False: was forgotten already, or is_full_for(). Nodes that never were members can be forgotten too.
  bool forget(NodeId id);
  /// True: this set changed.
  bool merge(const MemberSet& other);
  /// What `other` says of nodes that are members here, and of who is forgotten: nobody comes in by it.
  [[nodiscard]] MemberSet without_newcomers(const MemberSet& other) const;

  [[nodiscard]] std::string encode() const;
  /// Error: kCorrupt.
  [[nodiscard]] static Result<MemberSet> decode(std::string_view bytes);

  static constexpr std::size_t kMost = 64;
  static constexpr std::size_t kMostForgotten = 4096;

  bool operator==(const MemberSet&) const = default;

 private:
  std::uint64_t version_ = 0;
  std::vector<Member> members_;
  std::vector<NodeId> forgotten_;
};

/// Whether the node has ever agreed with another on a set; `agreed` is the last that its directory agreed on
/// (note `agreed`), which may have been under another id.
[[nodiscard]] inline bool has_agreed(const MemberSet& agreed, NodeId id) {
  return agreed.members().size() > 1 && agreed.find(id) != nullptr;
}

/// `address` (a host, or host:port) means the machine of whoever says it: heard from another it is of no use.
[[nodiscard]] bool is_loopback_name(std::string_view address);

/// Why nobody more is forgotten, for people.
[[nodiscard]] std::string text_of_too_many_forgotten();

/// Whose records there may be: members, and those that were forgotten.
[[nodiscard]] std::vector<NodeId> origins_of(const MemberSet& set);

/// Copies of a write, this node's own counted, that make it acknowledged: the larger of the majority of the
/// configured nodes (self included) and that of the member set (REPLICATION.md rule 2).
[[nodiscard]] constexpr std::size_t copies_needed(std::size_t configured, std::size_t members) {
  const std::size_t larger = configured > members ? configured : members;
  return larger / 2 + 1;
}

}  // namespace minivault::cluster
