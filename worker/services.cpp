#include "worker/services.h"

#include <algorithm>
#include <utility>

#include "worker/noted_members.h"

namespace minivault::worker {

void Services::settle_times() {
  if (!meter.waits()) return;
  const shared::Lsn durable = store.durable();  // before the time at which it became that
  meter.settle(durable, quorum.is_needed() ? quorum.reached() : shared::kNoLsn, meter.turn_ns(),
               state.bell.durable_since_ns.load(std::memory_order_relaxed));
}

void Services::append(Client& client, std::string_view bytes) {
  if (!client.connection.output().append(bytes)) client.broken = true;
}

void Services::append_borrowed(Client& client, std::string_view bytes) {
  if (!client.connection.output().append_borrowed(bytes)) client.broken = true;
}

void Services::append_value(Client& client, const store::Found& found, std::string_view part) {
  auto frozen =
      part.size() < LargeValues::kLeastBytes ? nullptr : large_values.find(found.value, found.version);
  if (frozen == nullptr) return append_borrowed(client, part);
  const auto offset = static_cast<std::uint64_t>(part.data() - found.value.data());
  client.connection.output().append_frozen(std::move(frozen), offset, part.size());
}

void Services::hold(Client& client, shared::Lsn answer_after) {
  if (answer_after > store.durable()) client.connection.output().hold(answer_after);
}

bool Services::will_leave(shared::Lsn answer_after) const {
  return answer_after <= store.durable() || store.failure() == shared::Failure::kNone;
}

bool Services::reserve(Client& client, net::Reservation& reservation, std::uint64_t bytes) {
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, memory.limit()));
  if (wanted <= reservation.bytes()) return true;
  const bool first_in_line = memory_line.empty() || memory_line.front() == &client;
  if (first_in_line && reservation.extend(memory, wanted)) {
    net::List<Client, LineTag>::remove(client);
    return true;
  }
  if (!net::List<Client, LineTag>::contains(client)) memory_line.push_back(client);
  return false;
}

std::uint64_t Services::noted_limit() const {
  const Result<cluster::MemberSet> members = noted_members(store);
  return members ? members->smallest_limit() : 0;
}

Services::Admission Services::admit(Client& client, Access needed, bool has_key) {
  if (client.admitted) return Admission::kGranted;
  if (access.needs_key(needed) && !has_key) return Admission::kUnauthorized;
  const bool counts = needed != Access::kPublic && needed != Access::kPeer;
  if (rate.limited() && counts && !rate.take(monotonic_ns())) {
    return Admission::kRateLimited;
  }
  client.admitted = true;
  return Admission::kGranted;
}

}  // namespace minivault::worker
