#include "common/store/recovery.h"

namespace minivault::store {

// Rows are tried in order; README.md beside this file has the same table in words.
Verdict decide(const Evidence& e) {
  using Log = Evidence::Log;
  const Decision loss = e.accept_loss ? Decision::kNewLog : Decision::kRefuse;
  if (!e.base_born) {
    if (e.log == Log::kAbsent) return {Decision::kBirth, "an empty directory"};
    if (e.log == Log::kPresent && !e.log_ever_started)
      return {Decision::kFinishBirth, "a birth was cut short"};
    return {Decision::kRefuse,
            "the base (base.mdb) is missing, and the log alone does not hold all data: restore base.mdb or a "
            "backup"};
  }
  if (e.log == Log::kUnknownFormat) {
    return {Decision::kRefuse,
            "the log is of a format that this build does not know: start the build that wrote it, or move "
            "changes.log away to go on without what it holds"};
  }
  if (e.log == Log::kAbsent) {
    return {loss,
            "the log (changes.log) is missing: acknowledged writes after the last checkpoint are in it"};
  }
  if (e.log == Log::kDamagedHeader) {
    return {loss,
            "the log's header is damaged: acknowledged writes after the last checkpoint cannot be read"};
  }
  if (!e.same_store) return {Decision::kRefuse, "log and base belong to different nodes"};
  if (!e.base_reaches_log) return {loss, "the base is older than the beginning of the log"};
  const Decision part = e.accept_loss ? Decision::kSalvage : Decision::kRefuse;
  if (!e.same_age) return {e.log_is_younger ? part : loss, "log and base are copies of different times"};
  if (!e.log_reaches_base) {
    return {loss,
            "the log is older than the base: acknowledged writes after the last checkpoint are missing"};
  }
  if (e.clean && !e.ends_where_it_should)
    return {part, "the log was stopped in order, but its end is not there"};
  if (e.acknowledged_damaged) {
    return {e.accept_loss ? Decision::kReplay : Decision::kRefuse,
            "the log is damaged in what was acknowledged"};
  }
  return {Decision::kReplay, e.clean ? "stopped in order" : "not stopped in order"};
}

}  // namespace minivault::store
