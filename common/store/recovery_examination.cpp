// What a reader who trusts nothing finds in a log.

#include <algorithm>
#include <cstring>

#include "common/store/recovery.h"

namespace minivault::store {
namespace {

constexpr std::size_t kKeysNamed = 8;  // of those that damage takes away

}  // namespace

void search_beyond_end(const Ring& ring, LogExamination& found) {
  RecordView record;
  if (ring.view(found.end, record) &&
      record.header.header_hash == hash_header(record.header, ring.header().secret)) {
    found.key_at_end = record.key;
  }
  // Beyond the end: a torn tail leaves records that nobody was told of. One that saw more on disk than the
  // end where we stand proves that acknowledged bytes are damaged (ENGINE.md rule 14). One of a later lap
  // proves the same: the base is older than what the ring still holds.
  constexpr Lsn kFarthest =
      Lsn{1} << 50;  // most bytes that are no LSN fail this, and no division is spent on them
  for (Lsn at = found.end; at < found.end + ring.size(); at += kRecordAlignment) {
    Lsn claimed = 0;
    std::memcpy(&claimed, ring.at(at), sizeof claimed);
    // At the end itself only one of a later lap can lie.
    if (claimed < at || claimed == found.end) continue;
    if (claimed - at > kFarthest || (claimed - at) % ring.size() != 0) continue;
    if (!ring.verify(claimed, record)) continue;
    found.first_beyond = found.first_beyond == 0 ? claimed : std::min(found.first_beyond, claimed);
    if (claimed != at) ++found.records_later;
    if (claimed == at && ++found.records_beyond <= kKeysNamed) found.keys_beyond.emplace_back(record.key);
    found.highest_end = std::max(found.highest_end, record.end());
    found.largest_hlc = std::max(found.largest_hlc, record.header.hlc);
    const Lsn durable = record.header.durable();
    if (durable > found.end) found.damage_durable_to = std::max(durable, found.damage_durable_to.value_or(0));
  }
}

LogExamination examine_log(const Ring& ring, Lsn checkpoint, bool search_beyond) {
  LogExamination found;
  found.end = checkpoint;
  const Lsn limit = checkpoint + ring.size();
  RecordView record;
  while (found.end < limit && ring.verify(found.end, record) && record.end() <= limit) {
    found.end = record.end();
    found.largest_hlc = std::max(found.largest_hlc, record.header.hlc);
    ++found.records;
  }
  found.highest_end = found.end;
  if (search_beyond) search_beyond_end(ring, found);
  return found;
}

bool ends_before(const Ring& ring, Lsn end) {
  RecordView record;
  Lsn zeros_from = end;
  bool only_zeros = true;
  for (std::uint64_t back = kRecordAlignment; back <= std::min(end, ring.largest_record());
       back += kRecordAlignment) {
    const Lsn at = end - back;
    Lsn claimed = 0;
    std::memcpy(&claimed, ring.at(at), sizeof claimed);
    only_zeros = only_zeros && claimed == 0;
    if (only_zeros) zeros_from = at;
    if (claimed > at || (at - claimed) % ring.size() != 0 || !ring.verify(claimed, record)) continue;
    const Lsn laps = at - claimed;
    const Lsn record_end = record.end() + laps;
    return record_end >= end ? laps != 0 : zeros_from <= record_end + kRecordAlignment;
  }
  return only_zeros;
}

}  // namespace minivault::store
