// What is in the data directory, and what its files say of each other: the evidence for decide().

#include "common/store/recovery.h"

namespace minivault::store {
namespace {

/// Starts count in twos: the base has the odd number in between while a start is under way, so a start that
/// was cut short is told from a log or a base that was put back from an earlier life.
bool same_age(std::uint64_t log_starts, std::uint64_t base_starts) {
  const bool under_way = base_starts % 2 == 1;
  return log_starts == base_starts ||
         (under_way && (log_starts + 1 == base_starts || log_starts == base_starts + 1));
}

/// A log that was put back from an earlier moment of the same start is one that has nothing up to where the
/// base got, nor beyond. (While a start is under way the base may be ahead, by its leap, and by what it found
/// in the page cache alone.) A power cut may have torn nearly a whole ring of unsynced records, and with it
/// the last that the base took: so what lies in its place must be of an earlier lap, or nothing.
bool reaches(const Ring& ring, const BaseMeta& meta, const LogExamination& log) {
  return meta.starts % 2 == 1 || meta.checkpoint == ring.header().boundary ||
         log.highest_end > meta.checkpoint || !ends_before(ring, meta.checkpoint);
}

/// A start stores a ceiling before it takes the mark of an orderly stop away.
Status note_ceiling(Scene& scene, bool in_order) {
  const bool must_be_there = !scene.evidence.clean && scene.meta.starts % 2 == 0;
  const Result<std::uint64_t> ceiling = scene.ring->read_hlc_ceiling();
  if (!ceiling && ceiling.error().code == Code::kIo) return tl::unexpected(ceiling.error());
  const bool whole = ceiling && (*ceiling != 0 || !must_be_there);
  if (!whole) scene.log_problem = ceiling ? "the clock in the header is gone" : ceiling.error().message;
  if (whole && !in_order) scene.hlc_ceiling = *ceiling;
  scene.evidence.acknowledged_damaged = !whole || scene.log.damage_durable_to.has_value();
  return {};
}

}  // namespace

Result<BaseMeta> read_meta(const Base& base) {
  Result<Base::Snapshot> snapshot = base.snapshot();
  if (!snapshot) return tl::unexpected(snapshot.error());
  return snapshot->meta();
}

Result<Scene> survey_log(const Config& config, Ring::Access access) {
  Scene scene;
  Evidence& e = scene.evidence;
  e.accept_loss = config.accept_loss;
  Result<Ring> ring = Ring::open(log_path(config), access);
  if (!ring) {
    const Error& error = ring.error();
    if (error.code == Code::kIo) return tl::unexpected(error);
    e.log = error.code == Code::kNotFound      ? Evidence::Log::kAbsent
            : error.code == Code::kUnavailable ? Evidence::Log::kUnknownFormat
                                               : Evidence::Log::kDamagedHeader;
    scene.log_problem = error.message;
    return scene;
  }
  e.log = Evidence::Log::kPresent;
  e.log_ever_started = ring->header().starts != 0;
  scene.ring = std::move(*ring);
  return scene;
}

Result<Scene> survey(const Base& base, const Config& config, Ring::Access access) {
  Result<BaseMeta> meta = read_meta(base);
  if (!meta) return tl::unexpected(meta.error());
  Result<Scene> scene = survey_log(config, access);
  if (!scene) return scene;
  scene->meta = *meta;
  scene->evidence.base_born = meta->store_id != 0;
  if (!scene->ring) return scene;
  Evidence& e = scene->evidence;
  const RingHeader& header = scene->ring->header();
  e.same_store = header.store_id == meta->store_id;
  e.same_age = same_age(header.starts, meta->starts);
  e.log_is_younger = header.starts > meta->starts;
  e.base_reaches_log = meta->checkpoint >= header.first_lsn;
  e.clean = header.clean != 0;
  if (!e.base_born || !e.same_store) return scene;
  LogExamination& log = scene->log;
  log = examine_log(*scene->ring, meta->checkpoint, false);
  e.ends_where_it_should = log.end == header.boundary;
  const bool in_order = e.clean && e.ends_where_it_should && e.same_age && e.base_reaches_log;
  if (!in_order) search_beyond_end(*scene->ring, log);
  e.log_reaches_base = in_order || reaches(*scene->ring, *meta, log);
  const Status ceiling = note_ceiling(*scene, in_order);
  if (!ceiling) return tl::unexpected(ceiling.error());
  return scene;
}

}  // namespace minivault::store
