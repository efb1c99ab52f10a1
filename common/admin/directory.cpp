#include "common/admin/directory.h"

#include <algorithm>
#include <tuple>

#include "common/admin/claim.h"
#include "common/core/clock.h"
#include "common/store/base_format.h"

namespace minivault::admin {

Result<Directory> Directory::open(const std::string& path) {
  Result<UniqueFd> claim = claim_to_read(path);
  if (!claim) return tl::unexpected(claim.error());
  return open(path, std::move(*claim));
}

Result<Directory> Directory::open(const std::string& path, UniqueFd claim) {
  Result<store::Base> base = store::Base::open_offline(path);
  if (!base) return tl::unexpected(base.error());
  Config config;
  config.data_directory = path;
  Result<store::Scene> scene = store::survey(*base, config, store::Ring::Access::kRead);
  if (!scene) return tl::unexpected(scene.error());
  Directory directory(std::move(claim), std::move(*base), std::move(*scene));
  if (directory.holds_all()) directory.read_log();
  return directory;
}

Directory::Directory(UniqueFd claim, store::Base base, store::Scene scene)
    : claim_(std::move(claim)),
      base_(std::move(base)),
      scene_(std::move(scene)),
      verdict_(store::decide(scene_.evidence)) {}

Status Directory::holds_all() const {
  if (verdict_.decision == store::Decision::kReplay) return {};
  if (store::is_birth(verdict_)) {
    return fail(Code::kUnavailable, std::string("no node has lived here yet (") + verdict_.reason +
                                        "): there is nothing to read");
  }
  return fail(Code::kCorrupt, store::describe_refusal(scene_, verdict_));
}

archive::Header Directory::header() const {
  const store::BaseMeta& meta = scene_.meta;
  archive::Header header;
  header.store_id = meta.store_id;
  header.node_id = meta.node_id;
  header.lsn = scene_.log.end;
  header.last_hlc = std::max(meta.last_hlc, scene_.log.largest_hlc);
  header.made_ms = wall_ms();
  header.records = meta.keys + meta.tombstones + newer_.size();
  return header;
}

/// REQUIRES: the records up to the log's end were verified by the survey.
void Directory::read_log() {
  const store::Ring& ring = *scene_.ring;
  store::RecordView record;
  for (store::Lsn at = scene_.meta.checkpoint; at < scene_.log.end && ring.view(at, record);
       at = record.end()) {
    std::string hashed;
    if (record.key.size() > store::base::kMaxPlainKey) {
      hashed = store::base::StoredKey(record.key, scene_.meta.key_hash_seed).bytes();
    }
    newer_.push_back({std::move(hashed), record.key, at, record.header.operation == store::Operation::kNote});
  }
  const auto version_of = [this](const Newer& item) { return record_of(item).version; };
  std::sort(newer_.begin(), newer_.end(), [&](const Newer& a, const Newer& b) {
    if (a.is_note != b.is_note) return b.is_note;
    if (const int order = a.stored_key().compare(b.stored_key()); order != 0) return order < 0;
    return std::tuple(version_of(b), b.lsn) < std::tuple(version_of(a), a.lsn);  // the winner first
  });
  const auto same_key = [](const Newer& a, const Newer& b) {
    return a.is_note == b.is_note && a.key == b.key;
  };
  newer_.erase(std::unique(newer_.begin(), newer_.end(), same_key), newer_.end());
}

archive::Record Directory::record_of(const Newer& newer) const {
  store::RecordView record;
  (void)scene_.ring->view(newer.lsn, record);  // it was seen there, and nobody writes
  return {record.header.operation, record.value_flags(), record.version(), record.key, record.value};
}

Status Directory::visit(const Visit& visit) const {
  const Result<store::Base::Snapshot> snapshot = base_.snapshot();
  if (!snapshot) return tl::unexpected(snapshot.error());
  if (Status visited = visit_table(*snapshot, false, visit); !visited) return visited;
  return visit_table(*snapshot, true, visit);
}

Status Directory::visit_table(const store::Base::Snapshot& snapshot, bool notes, const Visit& visit) const {
  const auto first_note =
      std::find_if(newer_.begin(), newer_.end(), [](const Newer& item) { return item.is_note; });
  auto next = notes ? first_note : newer_.begin();
  const auto end = notes ? newer_.end() : first_note;
  Status stopped;
  const auto see = [&](std::string_view key, const store::BaseRecord& held) {
    const store::base::StoredKey stored(key, scene_.meta.key_hash_seed);
    for (; next != end && next->stored_key() < stored.bytes(); ++next) {
      if (stopped = visit(record_of(*next)); !stopped) return false;
    }
    archive::Record record{held.operation, held.flags, held.version, key, held.value};
    if (next != end && next->stored_key() == stored.bytes()) {
      if (const archive::Record newer = record_of(*next); newer.version >= record.version) record = newer;
      ++next;
    }
    stopped = visit(record);
    return stopped.has_value();
  };
  Status scanned = notes ? snapshot.scan_notes(see) : snapshot.scan("", see);
  if (!scanned) return scanned;
  for (; stopped && next != end; ++next) stopped = visit(record_of(*next));
  return stopped;
}

}  // namespace minivault::admin
