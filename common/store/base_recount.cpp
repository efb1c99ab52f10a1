#include <utility>

#include "common/core/assert.h"
#include "common/store/base_impl.h"

namespace minivault::store {

Base::Recount::Recount(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Base::Recount::Recount(Recount&&) noexcept = default;
Base::Recount& Base::Recount::operator=(Recount&&) noexcept = default;
Base::Recount::~Recount() = default;

Result<Base::Recount> Base::begin_recount() {
  const auto& environment = impl_->environment;
  // One whose changes the snapshot does not show would be counted on top of them.
  MV_ASSERT(environment->access() == base::Access::kWrite && !environment->writing);
  Result<Snapshot> seen = snapshot();
  if (!seen) return tl::unexpected(seen.error());
  auto count =
      base::RecordCount::begin(*environment, seen->impl_->transaction.get(), base::RecordCount::By::kKind);
  if (!count) return tl::unexpected(count.error());
  auto impl = std::make_unique<Recount::Impl>();
  impl->environment = environment;
  impl->changed_before = environment->changed;
  impl->walk.emplace(Recount::Impl::Walk{std::move(*seen), std::move(*count)});
  return Recount(std::move(impl));
}

Result<bool> Base::Recount::step(std::size_t records, std::uint64_t bytes) {
  MV_ASSERT(impl_->walk.has_value());
  Result<bool> ended = impl_->walk->count.step(records, bytes);
  if (!ended || !*ended) return ended;
  impl_->found = impl_->walk->count.found();
  impl_->walk.reset();  // what it saw may be written over from now on
  return true;
}

}  // namespace minivault::store
