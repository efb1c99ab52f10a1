#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/cluster/members.h"
#include "replicator/accord.h"

namespace minivault::replicator {

using cluster::NodeId;

/// What a node remembers of who belongs to the cluster: its notes `members` and `agreed`. A view.
struct Memory {
  NodeId id;
  const cluster::MemberSet& members;
  const cluster::MemberSet& agreed;  ///< the set that was agreed on last

  /// Has never agreed with anybody.
  [[nodiscard]] bool is_new() const { return agreed.members().size() <= 1; }
  [[nodiscard]] bool is_old(NodeId member) const { return agreed.find(member) != nullptr; }
  /// What there was before members.
  [[nodiscard]] OldSet old_set() const;
  /// Somebody has come in since a set was agreed on.
  [[nodiscard]] bool is_changing() const;
  /// Of the set that was agreed on last; 0: none was.
  [[nodiscard]] std::uint64_t agreed_version() const { return is_new() ? 0 : agreed.version(); }
  /// With what `teller` says of the set: all of it where it is one of those who agreed, or this node is new
  /// itself; else nobody comes in by it. Any two majorities of consecutive sets share a node, if sets grow
  /// one by one.
  [[nodiscard]] cluster::MemberSet merged(const cluster::MemberSet& other, NodeId teller) const;
};

/// What the note `agreed` says to the node `id`. A directory that was given a new id has never agreed with
/// anybody under it: those whom it remembers may all have been replaced since, and then nobody is left of
/// whom there could be a majority.
[[nodiscard]] cluster::MemberSet agreed_as(NodeId id, cluster::MemberSet noted);

/// One more name of a node that is called at another one.
struct Alias {
  std::string address;
  NodeId id;
};

/// Another node as it is called, as far as membership goes.
struct Contact {
  std::string_view address;
  NodeId id = 0;           ///< as it said last; 0: it never answered
  bool reachable = false;  ///< somebody is there
  bool is_itself = false;  ///< and that is this node
  unsigned failures = 0;   ///< tries in a row
  bool recorded = false;   ///< what it said last of the member set, as in Standing
  bool backs = false;
  bool agreed = false;
  std::uint64_t agreed_version = 0;
};

/// What follows from a hello that a contact has answered.
struct Meeting {
  std::vector<NodeId> replaced;        ///< their disks were: they are to be forgotten
  bool is_known_elsewhere = false;     ///< this is one more name of a node that is called at another one
  bool is_expected_elsewhere = false;  ///< a newcomer that is to answer under its own name first
  std::vector<std::size_t> stale;      ///< contacts at addresses where the node is no more
};

/// Who is called, who is counted, whose place is taken: what a node decides about others from its notes, its
/// list and what they said last. A pure view, for a moment.
class Roster {
 public:
  /// What the node was told about names.
  struct Names {
    const std::vector<std::string>& listed;  ///< CLUSTER_NODES
    const std::string& own;                  ///< under which others call it
    const std::vector<Alias>& aliases;
  };
  Roster(Memory memory, Names names, std::vector<Contact> contacts)
      : memory_(memory), names_(names), contacts_(std::move(contacts)) {}

  [[nodiscard]] const std::vector<Contact>& contacts() const { return contacts_; }
  /// A node that has moved is found where it answers now, not where it did. SIZE_MAX: nowhere.
  [[nodiscard]] std::size_t find(NodeId id) const;
  /// Addresses of those who are listed, or members, that are not called yet.
  [[nodiscard]] std::vector<std::string> missing() const;
  [[nodiscard]] bool is_wanted(const Contact& contact) const;
  [[nodiscard]] bool is_listed(std::string_view address) const;
  /// Neither listed nor a member.
  [[nodiscard]] bool is_stranger(const Contact& contact) const;
  /// Nodes on the list, this one included: who has answered under a name is one, under however many, and
  /// whoever has not may be somebody else.
  [[nodiscard]] std::size_t configured() const;
  /// Where this node stands with its member set.
  [[nodiscard]] Accord accord() const;
  /// `contact` has said that it is `id`, under which name it is to be called, and whether it has ever agreed
  /// with others. REQUIRES: what it said of the set is merged.
  [[nodiscard]] Meeting meet(std::size_t contact, NodeId id, std::string_view own_name,
                             bool has_agreed) const;

 private:
  [[nodiscard]] bool is_there(NodeId id) const;
  [[nodiscard]] const Alias* alias_at(std::string_view address) const;
  [[nodiscard]] bool is_idle_alias(std::string_view address) const;
  [[nodiscard]] bool is_called(std::string_view address) const;
  [[nodiscard]] bool is_listed(NodeId id) const;
  [[nodiscard]] std::vector<NodeId> others_at(std::string_view address, NodeId id) const;

  Memory memory_;
  Names names_;
  std::vector<Contact> contacts_;
};

}  // namespace minivault::replicator
