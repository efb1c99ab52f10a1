#include <cinttypes>
#include <cstdio>
#include <filesystem>

#include "common/admin/claim.h"
#include "common/admin/commands.h"
#include "common/core/random.h"
#include "common/store/base.h"
#include "common/store/let_go.h"
#include "common/store/recovery.h"

namespace minivault::admin {
namespace {

/// This directory has all that its id stamped, if it was stopped in order: up to this HLC value. Else a power
/// cut may have taken what others hold, and 0: nothing is claimed.
std::uint64_t held_up_to(const store::Base& base, const std::string& directory) {
  Config config;
  config.data_directory = directory;
  const Result<store::Scene> scene = store::survey(base, config, store::Ring::Access::kRead);
  if (!scene || !scene->evidence.clean) return 0;
  if (store::decide(scene->evidence).decision != store::Decision::kReplay) return 0;
  return scene->meta.last_hlc;
}

/// The id is in the base alone; the log's records say who stamped them, and go on saying so. Positions in
/// other nodes' streams stay true, for the data is the same.
Result<std::uint64_t> give_new_id(const std::string& directory) {
  if (!std::filesystem::exists(directory + "/base.mdb")) {
    return fail(Code::kNotFound, directory + ": no node was ever started here");
  }
  const Result<UniqueFd> claim = claim_to_write(directory);
  if (!claim) return tl::unexpected(claim.error());
  Result<store::Base> base = store::Base::open_writer(directory);
  if (!base) return tl::unexpected(base.error());
  const std::uint64_t held = held_up_to(*base, directory);
  Result<store::Base::Transaction> change = base->begin();
  if (!change) return tl::unexpected(change.error());
  if (change->meta().store_id == 0)
    return fail(Code::kNotFound, directory + ": no node was ever started here");
  const std::uint64_t before = change->meta().node_id;
  do {
    change->meta().node_id = random_u64();
  } while (change->meta().node_id == before || change->meta().node_id == 0);
  const std::uint64_t id = change->meta().node_id;
  const Status noted = store::note_in_commit(*change, store::was_note(before), held);
  if (!noted) return tl::unexpected(noted.error());
  if (Status done = change->commit(); !done) return tl::unexpected(done.error());
  return id;
}

}  // namespace

int run_new_id(const Arguments& arguments) {
  const Result<std::uint64_t> id = give_new_id(arguments.operands[0]);
  if (!id) return not_done(id.error().message);
  std::printf("%016" PRIx64 "\n", *id);
  return kDone;
}

}  // namespace minivault::admin
