#include "replicator/roster.h"

#include <algorithm>
#include <set>
#include <utility>

namespace minivault::replicator {
namespace {

/// A stranger that was dialled back and does not answer is dropped after so many tries.
constexpr unsigned kStrangersTries = 3;

}  // namespace

cluster::MemberSet agreed_as(NodeId id, cluster::MemberSet noted) {
  return cluster::has_agreed(noted, id) ? std::move(noted) : cluster::MemberSet();
}

OldSet Memory::old_set() const {
  if (is_new()) return OldSet::kNone;
  const std::vector<cluster::Member>& old = agreed.members();
  const bool whole = std::all_of(old.begin(), old.end(), [this](const cluster::Member& member) {
    return members.find(member.id) != nullptr;
  });
  return whole ? OldSet::kWhole : OldSet::kParted;
}

bool Memory::is_changing() const {
  const std::vector<cluster::Member>& all = members.members();
  return std::any_of(all.begin(), all.end(), [this](const cluster::Member& member) {
    return !is_old(member.id) && !(member.id == id && is_new());
  });
}

cluster::MemberSet Memory::merged(const cluster::MemberSet& other, NodeId teller) const {
  const bool all = is_new() || is_old(teller);
  cluster::MemberSet next = members;
  (void)next.merge(all ? other : members.without_newcomers(other));
  return next;
}

std::size_t Roster::find(NodeId id) const {
  std::size_t found = SIZE_MAX;
  for (std::size_t i = 0; i < contacts_.size(); ++i) {
    if (id == 0 || contacts_[i].id != id) continue;
    if (contacts_[i].reachable) return i;
    if (found == SIZE_MAX) found = i;
  }
  return found;
}

bool Roster::is_there(NodeId id) const {
  const std::size_t found = find(id);
  return found != SIZE_MAX && contacts_[found].reachable;
}

const Alias* Roster::alias_at(std::string_view address) const {
  const auto found = std::find_if(names_.aliases.begin(), names_.aliases.end(),
                                  [&](const Alias& alias) { return alias.address == address; });
  return found == names_.aliases.end() ? nullptr : &*found;
}

/// Of a node that is nowhere all names are called: at one of them may be who has taken its place.
bool Roster::is_idle_alias(std::string_view address) const {
  const Alias* alias = alias_at(address);
  return alias != nullptr && is_there(alias->id);
}

bool Roster::is_called(std::string_view address) const {
  return std::any_of(contacts_.begin(), contacts_.end(),
                     [&](const Contact& contact) { return contact.address == address; });
}

std::vector<std::string> Roster::missing() const {
  std::vector<std::string> addresses;
  const auto add = [&](const std::string& address) {
    const bool asked = std::find(addresses.begin(), addresses.end(), address) != addresses.end();
    if (!asked && !is_called(address)) addresses.push_back(address);
  };
  for (const std::string& address : names_.listed) {
    if (!is_idle_alias(address)) add(address);
  }
  for (const cluster::Member& member : memory_.members.members()) {
    const bool here = member.id == memory_.id || member.address == names_.own;
    if (!here && find(member.id) == SIZE_MAX) add(member.address);
  }
  return addresses;
}

bool Roster::is_wanted(const Contact& contact) const {
  if (is_idle_alias(contact.address)) return false;
  if (is_listed(contact.address)) return true;
  if (contact.is_itself) return false;
  const cluster::MemberSet& members = memory_.members;
  if (contact.id != 0 && members.is_forgotten(contact.id)) return false;
  if (contact.id != 0 && members.find(contact.id) != nullptr) return &contacts_[find(contact.id)] == &contact;
  // Somebody else may be a member there, or a stranger is being dialled back.
  const cluster::Member* there = members.find_address(contact.address);
  if (there != nullptr && there->id != memory_.id) return find(there->id) == SIZE_MAX;
  return contact.failures < kStrangersTries;
}

bool Roster::is_listed(std::string_view address) const {
  return std::find(names_.listed.begin(), names_.listed.end(), address) != names_.listed.end();
}

/// By whichever of its names; this node itself is, too.
bool Roster::is_listed(NodeId id) const {
  if (id == memory_.id) return true;
  const auto names = [id](const Alias& alias) { return alias.id == id; };
  if (std::any_of(names_.aliases.begin(), names_.aliases.end(), names)) return true;
  const std::size_t contact = find(id);
  if (contact != SIZE_MAX && is_listed(contacts_[contact].address)) return true;
  const cluster::Member* member = memory_.members.find(id);
  return member != nullptr && is_listed(member->address);
}

bool Roster::is_stranger(const Contact& contact) const {
  return !is_listed(contact.address) && memory_.members.find(contact.id) == nullptr &&
         memory_.members.find_address(contact.address) == nullptr;
}

std::size_t Roster::configured() const {
  std::set<NodeId> known;
  std::size_t unknown = 0;
  for (const std::string& address : names_.listed) {
    const auto contact = std::find_if(contacts_.begin(), contacts_.end(),
                                      [&](const Contact& each) { return each.address == address; });
    if (contact != contacts_.end() && contact->is_itself) continue;
    const Alias* alias = alias_at(address);
    const NodeId id = alias != nullptr ? alias->id : contact != contacts_.end() ? contact->id : 0;
    if (id == 0) {
      ++unknown;
    } else {
      known.insert(id);
    }
  }
  return known.size() + unknown + 1;
}

Accord Roster::accord() const {
  std::vector<Standing> standings;
  for (const cluster::Member& member : memory_.members.members()) {
    const std::size_t found = find(member.id);
    const Contact contact = found == SIZE_MAX ? Contact() : contacts_[found];
    standings.push_back(
        {.is_self = member.id == memory_.id,
         .is_old = memory_.is_old(member.id),
         .is_listed = is_listed(member.id),
         .recorded = contact.recorded,
         .backs = contact.recorded && contact.backs,
         .agreed = contact.recorded && contact.agreed,
         .knows_later = contact.recorded && contact.agreed_version > memory_.agreed_version()});
  }
  return accord_of(standings, memory_.old_set(), configured());
}

/// A node that answers at the address of a member which is nowhere now has taken its place: else every
/// replaced disk would leave a ghost that counts.
Meeting Roster::meet(std::size_t contact, NodeId id, std::string_view own_name, bool has_agreed) const {
  Meeting meeting;
  for (std::size_t i = 0; i < contacts_.size(); ++i) {
    if (i == contact || contacts_[i].id != id) continue;
    if (contacts_[i].reachable) meeting.is_known_elsewhere = true;
    if (!contacts_[i].reachable) meeting.stale.push_back(i);
  }
  // One that this node has agreed with has only moved there: the other may come back elsewhere. (That it is a
  // member already says nothing: others may have taken a new one in, and told, before this node met it.) Who
  // is new itself knows of nobody whether he has moved, and leaves him to the others unless he is new, too.
  const bool has_moved = memory_.is_old(id) || (memory_.is_new() && has_agreed);
  if (has_moved) return meeting;
  const std::string_view address = contacts_[contact].address;
  bool is_taken = false;  // by somebody who was there a moment ago, or still is
  for (const NodeId other : others_at(address, id)) {
    if (is_there(other)) is_taken = true;
    if (!is_there(other)) meeting.replaced.push_back(other);
  }
  // Under another name than its own nobody knows whose place it has taken, and once it has come in and been
  // agreed on it would be one that has moved. A name that others may have for themselves says nothing.
  const bool is_own =
      own_name != names_.own && (cluster::is_loopback_name(address) || !cluster::is_loopback_name(own_name));
  const bool hides = is_own && own_name != address && !others_at(own_name, id).empty();
  meeting.is_expected_elsewhere = memory_.members.find(id) == nullptr && (is_taken || hides);
  return meeting;
}

std::vector<NodeId> Roster::others_at(std::string_view address, NodeId id) const {
  std::vector<NodeId> others;
  for (const cluster::Member& member : memory_.members.members()) {
    if (member.address == address && member.id != id && member.id != memory_.id) others.push_back(member.id);
  }
  return others;
}

}  // namespace minivault::replicator
