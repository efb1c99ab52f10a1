#include "replicator/parcel.h"

#include <algorithm>

#include "common/protocol/binary.h"
#include "common/protocol/compression.h"

namespace minivault::replicator {
namespace {

/// Of the log, in one look: bounds the turn where nothing of it is this node's own.
constexpr std::uint64_t kMostScanned = 4ULL << 20;
/// Passing over this much is worth a position, whatever it was.
constexpr std::uint64_t kMostUnsaid = 4ULL << 20;
constexpr std::size_t kLeastWorthCompressing = 1024;
constexpr std::size_t kMostStretches = 256;
static_assert(Shelf::kParcelBytes / cluster::kLeastRecordBytes < cluster::kMostRecords,
              "a parcel is what a batch may have");

std::string frame_around(std::string_view message, bool compressed) {
  std::string frame;
  frame.reserve(message.size() + 16);
  protocol::append_sync(frame, cluster::kBatch, message, compressed);
  return frame;
}

std::size_t head_bytes() {
  return protocol::kBinaryPrefixBytes + cluster::kBatch.size() + protocol::kBinaryValueBytes;
}

}  // namespace

ParcelPtr make_opening(std::uint64_t epoch, Lsn at, bool jump) {
  auto parcel = std::make_shared<Parcel>();
  parcel->from = parcel->to = at;
  parcel->tried_to_compress = true;
  parcel->frame = frame_around(
      cluster::BatchWriter(0).finish({.epoch = epoch, .jump = jump, .from = at, .to = at, .hlc = 0}), false);
  return parcel;
}

bool Shelf::is_own(const store::Change& change) const {
  return change.operation != store::Operation::kNote && change.version.origin == origin_;
}

/// This node's word for its stream up to there counts (ClusterBoard::vouched_from).
bool Shelf::vouches_at(Lsn to) const {
  const Lsn from = store_->region().state().cluster.vouched_from.load(std::memory_order_acquire);
  return from != 0 && to >= from;
}

/// nullptr: none, or one with a word that counts no more.
ParcelPtr Shelf::kept(Lsn from) {
  const auto counts = [this](const Parcel& parcel) { return parcel.hlc == 0 || vouches_at(parcel.to); };
  if (const auto found = parcels_.find(from); found != parcels_.end()) {
    if (counts(*found->second)) return found->second;
    drop(found);
  }
  ParcelPtr large = large_.lock();
  return large && large->from == from && counts(*large) ? large : nullptr;
}

Result<ParcelPtr> Shelf::next(Lsn from, Empty empty) {
  if (ParcelPtr parcel = kept(from)) return parcel;
  Stretch stretch{.to = from};
  if (const auto known = stretches_.find(from); known != stretches_.end()) stretch = known->second;
  writer_.clear(origin_);
  const Lsn scan_to = stretch.to + kMostScanned;
  const auto visit = [&](const store::Change& change) {
    if (is_own(change)) {
      const std::size_t more = change.key.size() + change.value.size();
      if (writer_.records() > 0 && writer_.bytes() + more > kParcelBytes) return false;
      writer_.add({change.operation, change.flags, change.version, change.key, change.value});
    } else if (change.operation != store::Operation::kNote) {
      stretch.has_others = true;
    }
    stretch.hlc = std::max(stretch.hlc, change.version.hlc);
    stretch.to = change.end;
    return writer_.bytes() < kParcelBytes;
  };
  const Result<Lsn> read = store_->read_changes(stretch.to, scan_to - stretch.to, visit);
  if (!read) return tl::unexpected(read.error());

  const bool said = (empty == Empty::kIfOthers && stretch.has_others) || empty == Empty::kAll;
  const bool worth_it = stretch.to > from && (said || stretch.to - from >= kMostUnsaid);
  if (writer_.records() > 0 || worth_it) {
    stretches_.erase(from);
    return finish(from, stretch);
  }
  if (stretches_.size() >= kMostStretches) stretches_.erase(stretches_.begin());
  if (stretch.to > from) stretches_[from] = stretch;
  return ParcelPtr();
}

ParcelPtr Shelf::finish(Lsn from, const Stretch& stretch) {
  auto parcel = std::make_shared<Parcel>();
  parcel->from = from;
  parcel->to = stretch.to;
  parcel->records = writer_.records();
  if (vouches_at(stretch.to)) parcel->hlc = stretch.hlc;
  const std::string head =
      writer_.head({.epoch = epoch_, .jump = false, .from = from, .to = stretch.to, .hlc = parcel->hlc});
  const std::size_t message_bytes = head.size() + writer_.body().size();
  parcel->frame.reserve(head_bytes() + message_bytes);
  protocol::append_sync_head(parcel->frame, cluster::kBatch, message_bytes);
  parcel->frame += head;
  parcel->frame += writer_.body();
  keep(parcel);
  return parcel;
}

void Shelf::keep(const ParcelPtr& parcel) {
  if (parcel->frame.size() > 4 * kParcelBytes) {
    large_ = parcel;
    return;
  }
  kept_bytes_ += parcel->frame.size();
  parcels_[parcel->from] = parcel;
  while (kept_bytes_ > kKeptBytes && parcels_.size() > 1) drop(parcels_.begin());
}

void Shelf::drop(std::map<Lsn, ParcelPtr>::iterator parcel) {
  kept_bytes_ -= parcel->second->frame.size();
  parcels_.erase(parcel);
}

Lsn Shelf::nothing_before(Lsn from) const {
  const auto known = stretches_.find(from);
  return known == stretches_.end() ? from : known->second.to;
}

Status Shelf::visit(const Parcel& parcel, std::span<const cluster::Conflict> conflicts,
                    const Visit& visit) const {
  std::uint64_t index = 0;
  const auto look = [&](const store::Change& change) {
    if (!is_own(change)) return true;
    if (index++ == conflicts.front().index) {
      visit(change, conflicts.front());
      conflicts = conflicts.subspan(1);
    }
    return !conflicts.empty();
  };
  if (conflicts.empty()) return {};
  const Result<Lsn> read = store_->read_changes(parcel.from, parcel.to - parcel.from, look);
  return read ? Status() : tl::unexpected(read.error());
}

std::string_view frame_of(const Parcel& parcel, bool compressed) {
  if (compressed && !parcel.tried_to_compress) {
    parcel.tried_to_compress = true;
    const std::string_view message = std::string_view(parcel.frame).substr(head_bytes());
    if (message.size() >= kLeastWorthCompressing) {
      const Result<std::string> packed = protocol::compress_frame(message);
      const bool smaller = packed && packed->size() < message.size() - message.size() / 8;
      if (smaller) parcel.compressed = frame_around(*packed, true);
    }
  }
  return compressed && !parcel.compressed.empty() ? parcel.compressed : parcel.frame;
}

}  // namespace minivault::replicator
