#include "common/store/base.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "common/core/assert.h"
#include "common/core/fault_point.h"
#include "common/core/log.h"
#include "common/store/base_impl.h"

namespace minivault::store {
namespace {

constexpr std::uint64_t kWholeMap = std::uint64_t{1} << 40U;

}  // namespace

Base::Base(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Base::Base(Base&&) noexcept = default;
Base& Base::operator=(Base&&) noexcept = default;
Base::~Base() = default;

Result<Base> Base::open_writer(const std::string& data_directory, std::uint64_t map_bytes) {
  auto environment = base::Environment::open(data_directory, base::Access::kWrite, map_bytes);
  if (!environment) return tl::unexpected(environment.error());
  if (map_bytes == 0 && (*environment)->map_bytes() < kWholeMap) {
    log_line(LogLevel::kWarning, "address space is limited: the base cannot grow beyond its map",
             {{"map_bytes", (*environment)->map_bytes()}, {"wanted_bytes", kWholeMap}});
  }
  return Base(std::make_unique<Impl>(Impl{std::move(*environment)}));
}

Result<Base> Base::open_reader(const std::string& data_directory, std::uint64_t map_bytes) {
  auto environment = base::Environment::open(data_directory, base::Access::kRead, map_bytes);
  if (!environment) return tl::unexpected(environment.error());
  return Base(std::make_unique<Impl>(Impl{std::move(*environment)}));
}

Result<Base> Base::open_offline(const std::string& data_directory) {
  auto environment = base::Environment::open(data_directory, base::Access::kOffline, 0);
  if (!environment) return tl::unexpected(environment.error());
  return Base(std::make_unique<Impl>(Impl{std::move(*environment)}));
}

void Base::remove_unfinished(const std::string& data_directory) {
  base::Environment::remove_unfinished(data_directory);
}

std::uint64_t Base::map_bytes() const {
  return impl_->environment->map_bytes();
}

std::uint64_t Base::used_bytes() const {
  const auto view = snapshot();
  if (!view) return 0;
  return impl_->environment->used_bytes(view->impl_->transaction.get()).value_or(0);
}

Result<Base::Snapshot> Base::snapshot() const {
  const auto& environment = impl_->environment;
  MDB_txn* begun = nullptr;
  const auto begin = [&] { return ::mdb_txn_begin(environment->get(), nullptr, MDB_RDONLY, &begun); };
  if (const int code = environment->begin_reading(begin))
    return environment->failure("beginning to read", code);
  auto impl = std::make_unique<Snapshot::Impl>();
  impl->environment = environment;
  impl->transaction.reset(begun);
  if (Status seen = impl->see(); !seen) return tl::unexpected(seen.error());
  return Snapshot(std::move(impl));
}

Result<Base::Transaction> Base::begin() {
  const auto& environment = impl_->environment;
  MV_ASSERT(environment->access() == base::Access::kWrite);
  MV_ASSERT(!environment->writing);  // LMDB would wait for itself
  if (environment->failed_to_sync) {
    return fail(Code::kIo, "the base failed to sync: only a restart tells what is on disk");
  }
  MDB_txn* begun = nullptr;
  const bool told_to_fail = MV_FAULT_FAILS("base.begin");
  const int begin_code = told_to_fail ? ENOMEM : ::mdb_txn_begin(environment->get(), nullptr, 0, &begun);
  if (begin_code != 0) return environment->failure("beginning to write", begin_code);
  auto impl = std::make_unique<Transaction::Impl>();
  environment->writing = true;
  impl->environment = environment;
  impl->transaction.reset(begun);
  const auto meta = environment->read_meta(begun);
  if (!meta) return tl::unexpected(meta.error());
  impl->meta = *meta;
  if (const int code = ::mdb_cursor_open(begun, environment->data(), &impl->data)) {
    return environment->failure("beginning to write", code);
  }
  return Transaction(std::move(impl));
}

Result<unsigned> Base::reap_readers() const {
  int dead = 0;
  if (const int code = ::mdb_reader_check(impl_->environment->get(), &dead)) {
    return impl_->environment->failure("reaping readers", code);
  }
  return static_cast<unsigned>(dead);
}

Base::Readers Base::readers() const {
  Readers readers;
  MDB_envinfo info;
  if (::mdb_env_info(impl_->environment->get(), &info) == 0) readers.newest_commit = info.me_last_txnid;
  // LMDB tells its table as text alone: a line a reader, `pid thread commit`, `-` where it looks at none.
  const auto note = [](const char* line, void* context) {
    auto& seen = *static_cast<Readers*>(context);
    const std::string_view text(line);
    const std::size_t last = text.find_last_of(' ');
    std::uint64_t commit = 0;
    if (last == std::string_view::npos) return 0;
    const auto read = std::from_chars(text.data() + last + 1, text.data() + text.size(), commit);
    if (read.ec != std::errc{} || commit == 0) return 0;
    seen.oldest_commit = seen.looking == 0 ? commit : std::min(seen.oldest_commit, commit);
    ++seen.looking;
    return 0;
  };
  ::mdb_reader_list(impl_->environment->get(), note, &readers);
  // Told before the table was read: whoever came meanwhile looks at a newer one.
  readers.newest_commit = std::max(readers.newest_commit, readers.oldest_commit);
  return readers;
}

}  // namespace minivault::store
