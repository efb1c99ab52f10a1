#include "common/cluster/members.h"

#include <xxhash.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/cluster/wire.h"

namespace minivault::cluster {
namespace {

tl::unexpected<Error> damaged(const char* how) {
  return fail(Code::kCorrupt, std::string("member set: ") + how);
}

/// Of two claims of one id the later stands; of two equally late ones any, but everywhere the same.
bool stands_over(const Member& a, const Member& b) {
  return std::tuple(a.since, std::string_view(a.address), a.largest_value) >
         std::tuple(b.since, std::string_view(b.address), b.largest_value);
}

auto place_of(std::vector<Member>& members, NodeId id) {
  return std::lower_bound(members.begin(), members.end(), id,
                          [](const Member& member, NodeId wanted) { return member.id < wanted; });
}

}  // namespace

std::uint64_t MemberSet::digest() const {
  const std::string bytes = encode();
  return XXH3_64bits(bytes.data(), bytes.size());
}

const Member* MemberSet::find(NodeId id) const {
  const auto found =
      std::find_if(members_.begin(), members_.end(), [id](const Member& each) { return each.id == id; });
  return found == members_.end() ? nullptr : &*found;
}

const Member* MemberSet::find_address(std::string_view address) const {
  const Member* latest = nullptr;
  for (const Member& member : members_) {
    if (member.address != address) continue;
    if (latest == nullptr || member.since > latest->since) latest = &member;
  }
  return latest;
}

bool MemberSet::is_forgotten(NodeId id) const {
  return std::binary_search(forgotten_.begin(), forgotten_.end(), id);
}

std::uint64_t MemberSet::smallest_limit() const {
  std::uint64_t smallest = 0;
  for (const Member& member : members_) {
    const bool is_smaller = smallest == 0 || member.largest_value < smallest;
    if (member.largest_value != 0 && is_smaller) smallest = member.largest_value;
  }
  return smallest;
}

Result<bool> MemberSet::introduce(NodeId id, std::string address, std::uint64_t largest_value) {
  if (is_forgotten(id)) return fail(Code::kUnauthorized, "node " + std::to_string(id) + " was forgotten");
  const auto place = place_of(members_, id);
  const bool known = place != members_.end() && place->id == id;
  if (known && largest_value == 0) largest_value = place->largest_value;
  if (known && place->address == address && place->largest_value == largest_value) return false;
  if (!known && members_.size() >= kMost) {
    return fail(Code::kTooLarge, "a cluster has at most " + std::to_string(kMost) + " members");
  }
  ++version_;
  if (known) {
    *place = {id, std::move(address), version_, largest_value};
  } else {
    members_.insert(place, {id, std::move(address), version_, largest_value});
  }
  return true;
}

bool MemberSet::is_full_for(NodeId id) const {
  return forgotten_.size() >= kMostForgotten && !is_forgotten(id);
}

bool MemberSet::forget(NodeId id) {
  if (is_forgotten(id) || is_full_for(id)) return false;
  forgotten_.insert(std::lower_bound(forgotten_.begin(), forgotten_.end(), id), id);
  std::erase_if(members_, [id](const Member& member) { return member.id == id; });
  ++version_;
  return true;
}

bool MemberSet::merge(const MemberSet& other) {
  MemberSet merged;
  merged.version_ = std::max(version_, other.version_);
  std::set_union(forgotten_.begin(), forgotten_.end(), other.forgotten_.begin(), other.forgotten_.end(),
                 std::back_inserter(merged.forgotten_));
  if (merged.forgotten_.size() > kMostForgotten) merged.forgotten_.resize(kMostForgotten);
  for (const std::vector<Member>* members :
       std::initializer_list<const std::vector<Member>*>{&members_, &other.members_}) {
    for (const Member& member : *members) {
      if (merged.is_forgotten(member.id)) continue;
      const auto place = place_of(merged.members_, member.id);
      if (place == merged.members_.end() || place->id != member.id) {
        merged.members_.insert(place, member);
      } else if (stands_over(member, *place)) {
        *place = member;
      }
    }
  }
  if (merged.members_.size() > kMost) merged.members_.resize(kMost);  // the same ones everywhere
  if (merged == *this) return false;
  *this = std::move(merged);
  return true;
}

MemberSet MemberSet::without_newcomers(const MemberSet& other) const {
  MemberSet known;
  known.forgotten_ = other.forgotten_;
  for (const Member& member : other.members_) {
    if (find(member.id) == nullptr) continue;
    known.version_ = std::max(known.version_, member.since);
    known.members_.push_back(member);
  }
  return known;
}

std::string MemberSet::encode() const {
  std::string out;
  wire::put(out, version_);
  wire::put(out, members_.size());
  for (const Member& member : members_) {
    wire::put_fixed(out, member.id);
    wire::put_text(out, member.address);
    wire::put(out, member.since);
    wire::put(out, member.largest_value);
  }
  wire::put(out, forgotten_.size());
  for (const NodeId id : forgotten_) wire::put_fixed(out, id);
  return out;
}

Result<MemberSet> MemberSet::decode(std::string_view bytes) {
  wire::Reader reader(bytes);
  MemberSet set;
  set.version_ = reader.number();
  constexpr std::size_t kMemberBytes = 8 + 1 + 1 + 1;
  const std::uint64_t members = reader.count(kMemberBytes);
  if (members > kMost) return damaged("too many members");
  for (std::uint64_t i = 0; i < members; ++i) {
    Member member;
    member.id = reader.fixed<std::uint64_t>();
    member.address = reader.text();
    member.since = reader.number();
    member.largest_value = reader.number();
    if (!reader.good()) return damaged("cut off in its members");
    if (member.id == 0 || (i > 0 && member.id <= set.members_.back().id)) return damaged("ids out of order");
    if (member.address.size() > kLongestAddress) return damaged("an address is too long");
    if (member.since > set.version_) return damaged("a member newer than the set");
    set.members_.push_back(std::move(member));
  }
  const std::uint64_t forgotten = reader.count(sizeof(NodeId));
  if (forgotten > kMostForgotten) return damaged("too many forgotten ids");
  for (std::uint64_t i = 0; i < forgotten; ++i) {
    const auto id = reader.fixed<std::uint64_t>();
    if (i > 0 && id <= set.forgotten_.back()) return damaged("forgotten ids out of order");
    if (set.find(id) != nullptr) return damaged("a member is forgotten");
    set.forgotten_.push_back(id);
  }
  if (!reader.done()) return damaged("cut off, or bytes after its end");
  return set;
}

bool is_loopback_name(std::string_view address) {
  const std::string_view host = address.substr(0, address.find(':', address.find(']') + 1));
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

std::string text_of_too_many_forgotten() {
  return "a cluster remembers at most " + std::to_string(MemberSet::kMostForgotten) +
         " nodes that were removed: the others are to begin a new one, from a backup";
}

std::vector<NodeId> origins_of(const MemberSet& set) {
  std::vector<NodeId> origins = set.forgotten();
  for (const Member& member : set.members()) origins.push_back(member.id);
  return origins;
}

}  // namespace minivault::cluster
