#include "common/store/base_environment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include "common/core/assert.h"
#include "common/core/file_system.h"
#include "common/core/log.h"
#include "common/core/random.h"
#include "common/store/base_file.h"
#include "common/store/base_format.h"

namespace minivault::store::base {
namespace {

constexpr unsigned kMaxReaders = 2'048;  // sparse in the lock file, so generous (ENGINE.md rule 19)
constexpr unsigned kTables = 3;
constexpr mdb_mode_t kFileMode = 0600;
constexpr std::uint64_t kMapGrain = 65'536;  // a multiple of every page size in use
constexpr std::string_view kData = "data";
constexpr std::string_view kMetaKey = "base";
constexpr const char* kOpening = "opening";
constexpr const char* kUnfinished = ".new";

Code code_of(int lmdb_code) {
  switch (lmdb_code) {
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Code::kNoSpace;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
    case MDB_NOTFOUND:
      return Code::kCorrupt;  // where absence is an answer, nobody asks for a code
    case MDB_READERS_FULL:
    case MDB_MAP_RESIZED:
    case ENOMEM:
      return Code::kUnavailable;
    case MDB_BAD_VALSIZE:
      return Code::kTooLarge;
    default:
      return Code::kIo;
  }
}

/// Readers take their places in a mapping of it: a hole that finds no room on a full disk would kill them.
/// Before LMDB opens it: LMDB's locks on the file are those of the process, and end when any descriptor of it
/// is closed.
Status reserve_lock_file(const std::string& path) {
  constexpr off_t kBytes = (kMaxReaders + 64) * 64;  // a line for each reader, and what stands before them
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode));
  if (!file) return fail_errno(path, errno);
  // How long it is, is LMDB's business. A file system that cannot reserve has to do without.
  if (::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, kBytes) == 0) return {};
  if (errno == ENOSPC || errno == EDQUOT) {
    return fail(Code::kNoSpace, path + ": no space left on the device");
  }
  return {};
}

Result<std::uint64_t> choose_map(const std::string& path, std::uint64_t wanted_bytes) {
  if (wanted_bytes != 0) {
    const std::uint64_t bytes = (wanted_bytes + kMapGrain - 1) / kMapGrain * kMapGrain;
    if (address_space_for(bytes)) return bytes;
    return fail(Code::kUnavailable,
                path + ": no address space for a map of " + std::to_string(bytes) + " bytes");
  }
  const std::uint64_t bytes = largest_map();
  if (bytes == 0) {
    return fail(Code::kUnavailable,
                path + ": no address space for a map of even 1 GiB (ulimit -v, LimitAS=)");
  }
  return bytes;
}

}  // namespace

Result<std::shared_ptr<Environment>> Environment::open(const std::string& directory, Access access,
                                                       std::uint64_t map_bytes) {
  const std::string path = directory + "/base.mdb";
  if (auto local = refuse_network_file_system(directory); !local) return tl::unexpected(local.error());
  const auto state = check_file(path);
  if (!state) return tl::unexpected(state.error());
  if (access != Access::kWrite && *state != FileState::kSound) {
    return fail(Code::kUnavailable, path + ": there is no base yet");
  }
  const auto map = choose_map(path, map_bytes);
  if (!map) return tl::unexpected(map.error());

  if (*state == FileState::kAbsent) {
    if (auto born = give_birth(directory, path, *map); !born) return tl::unexpected(born.error());
  }
  const auto environment = std::make_shared<Environment>(path, access);
  if (auto opened = environment->open_files(*map); !opened) return tl::unexpected(opened.error());
  if (auto opened = environment->open_tables(); !opened) return tl::unexpected(opened.error());
  return environment;
}

/// Under another name until all of it is on disk: a power cut can leave half of LMDB's first pages, which is
/// no base.
Status Environment::give_birth(const std::string& directory, const std::string& path,
                               std::uint64_t map_bytes) {
  const std::string fresh = path + kUnfinished;
  ::unlink(fresh.c_str());
  Status born;
  {
    Environment newborn(fresh, Access::kWrite);
    born = newborn.open_files(map_bytes);
    if (born) born = newborn.open_tables();
  }
  ::unlink((fresh + "-lock").c_str());
  if (born && ::rename(fresh.c_str(), path.c_str()) != 0) born = fail_errno(path, errno);
  if (!born) {
    ::unlink(fresh.c_str());
    return born;
  }
  return sync_directory(directory);
}

void Environment::remove_unfinished(const std::string& directory) {
  const std::string fresh = directory + "/base.mdb" + kUnfinished;
  for (const std::string& path : {fresh, fresh + "-lock"}) ::unlink(path.c_str());
}

Status Environment::open_files(std::uint64_t map_bytes) {
  if (access_ == Access::kWrite) {
    if (auto reserved = reserve_lock_file(path_ + "-lock"); !reserved) return reserved;
  }
  MDB_env* env = nullptr;
  if (const int code = ::mdb_env_create(&env)) return failure(kOpening, code);
  env_.reset(env);
  unsigned flags = MDB_NOSUBDIR | MDB_NOTLS;
  if (access_ != Access::kWrite) flags |= MDB_RDONLY;
  if (access_ == Access::kOffline) flags |= MDB_NOLOCK;
  int code = ::mdb_env_set_maxdbs(env, kTables);
  if (code == 0) code = ::mdb_env_set_maxreaders(env, kMaxReaders);
  if (code == 0) code = ::mdb_env_set_mapsize(env, map_bytes);
  if (code == 0) code = ::mdb_env_open(env, path_.c_str(), flags, kFileMode);
  if (code != 0) return failure(kOpening, code);
  keep_map_out_of_dumps();
  witness_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!witness_) return fail_errno(path_, errno);
  int dead = 0;
  if (access_ == Access::kWrite) code = ::mdb_reader_check(env, &dead);
  if (code != 0) return failure(kOpening, code);
  return {};
}

/// Opens the tables in a transaction and commits it if `then` agrees: only so do their handles stay.
int Environment::find_tables(unsigned transaction_flags, unsigned table_flags,
                             const std::function<int(MDB_txn*)>& then) {
  MDB_txn* begun = nullptr;
  const auto begin = [&] { return ::mdb_txn_begin(env_.get(), nullptr, transaction_flags, &begun); };
  if (const int code = begin_reading(begin)) return code;
  TransactionHandle transaction(begun);
  int code = ::mdb_dbi_open(begun, kData.data(), table_flags, &data_);
  if (code == 0) code = ::mdb_dbi_open(begun, "meta", table_flags, &meta_);
  if (code == 0) code = ::mdb_dbi_open(begun, "notes", table_flags, &notes_);
  unsigned kind = 0;
  for (const MDB_dbi table : {data_, meta_, notes_}) {
    if (code == 0) code = ::mdb_dbi_flags(begun, table, &kind);
    if (code == 0 && kind != 0) code = MDB_INCOMPATIBLE;  // sorted duplicates, integer keys: not ours
  }
  if (code == 0) code = then(begun);
  return code == 0 ? ::mdb_txn_commit(transaction.release()) : code;
}

Status Environment::open_tables() {
  Result<BaseMeta> meta;
  const auto read = [&](MDB_txn* transaction) {
    meta = read_meta(transaction);
    return 0;
  };
  const int code = find_tables(MDB_RDONLY, 0, read);
  if (code == MDB_NOTFOUND) {
    MDB_stat tables{};
    ::mdb_env_stat(env_.get(), &tables);
    if (tables.ms_entries != 0) return corrupt(kOpening, "some of its tables are missing");
    if (access_ != Access::kWrite) return fail(Code::kUnavailable, path_ + ": there is no base yet");
    return create_tables();
  }
  if (code != 0) return failure(kOpening, code);
  if (!meta) return tl::unexpected(meta.error());
  key_hash_seed_ = meta->key_hash_seed;
  return {};
}

Status Environment::create_tables() {
  BaseMeta born;
  born.key_hash_seed = random_u64();
  Status written;
  const auto write = [&](MDB_txn* transaction) {
    written = write_meta(transaction, born);
    return 0;
  };
  const int code = find_tables(0, MDB_CREATE, write);
  if (!written) return written;
  if (code != 0) return write_failure("creating", code);
  key_hash_seed_ = born.key_hash_seed;
  return {};
}

Result<BaseMeta> Environment::read_meta(MDB_txn* transaction) const {
  MDB_val key = to_val(kMetaKey);
  MDB_val value{};
  const int code = ::mdb_get(transaction, meta_, &key, &value);
  if (code == MDB_NOTFOUND) return corrupt(kOpening, "the meta record is missing");
  if (code != 0) return failure("reading the meta record", code);
  auto meta = decode_meta(to_view(value));
  if (!meta) return corrupt("reading the meta record", meta.error().message);
  return meta;
}

Status Environment::write_meta(MDB_txn* transaction, const BaseMeta& meta) const {
  const auto bytes = encode_meta(meta);
  MDB_val key = to_val(kMetaKey);
  MDB_val value = to_val({bytes.data(), bytes.size()});
  if (const int code = ::mdb_put(transaction, meta_, &key, &value, 0)) {
    return write_failure("writing the meta record", code);
  }
  return {};
}

int Environment::begin_reading(const std::function<int()>& attempt) {
  int code = attempt();
  int dead = 0;
  if (code == MDB_READERS_FULL && ::mdb_reader_check(env_.get(), &dead) == 0) code = attempt();
  if (code == MDB_MAP_RESIZED && enlarge_map()) code = attempt();
  return code;
}

/// Another process opened the base with a larger map and filled more than ours covers.
bool Environment::enlarge_map() {
  if (readers_ != 0 || writing) return false;
  MDB_envinfo info{};
  ::mdb_env_info(env_.get(), &info);
  MDB_stat page{};
  ::mdb_env_stat(env_.get(), &page);
  const std::uint64_t needed_bytes = (info.me_last_pgno + 1) * page.ms_psize;
  std::uint64_t bytes = info.me_mapsize;
  while (bytes <= needed_bytes) bytes *= 2;
  // Asked first: LMDB unmaps the old map before it fails to make the new one.
  if (!address_space_for(bytes) || ::mdb_env_set_mapsize(env_.get(), bytes) != 0) return false;
  keep_map_out_of_dumps();
  log_line(LogLevel::kWarning, "base map enlarged", {{"file", path_}, {"bytes", bytes}});
  return true;
}

/// LMDB does not say where its map is, the kernel does. Best effort: such maps are dumped only on request.
void Environment::keep_map_out_of_dumps() const {
  struct stat file {};
  if (::stat(path_.c_str(), &file) != 0) return;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::uint64_t inode = 0;
    constexpr int kFields = 3;
    const int got =
        std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %" SCNu64, &begin, &end, &inode);
    if (got != kFields || inode != file.st_ino || !line.ends_with("/base.mdb")) continue;
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTDUMP);  // NOLINT: an address as text
  }
}

std::uint64_t Environment::map_bytes() const {
  MDB_envinfo info{};
  ::mdb_env_info(env_.get(), &info);
  return info.me_mapsize;
}

Result<std::uint64_t> Environment::used_bytes(MDB_txn* transaction) const {
  constexpr MDB_dbi kFreeList = 0;  // LMDB's own two tables come before ours
  constexpr MDB_dbi kTableOfTables = 1;
  constexpr std::uint64_t kMetaPages = 2;
  MDB_stat tree{};
  std::uint64_t pages = kMetaPages;
  for (const MDB_dbi table : {kFreeList, kTableOfTables, data_, meta_, notes_}) {
    if (const int code = ::mdb_stat(transaction, table, &tree)) return failure("counting pages", code);
    pages += tree.ms_branch_pages + tree.ms_leaf_pages + tree.ms_overflow_pages;
  }
  return pages * tree.ms_psize;
}

/// LMDB does not say where its map is, but what it finds is in it: on the root of its table of tables (three
/// entries are one page), whose number the commit's meta page says, and the page itself too.
Result<bool> Environment::find_records(MDB_txn* transaction, PageMap& map, PageTree& tree) const {
  constexpr MDB_dbi kTableOfTables = 1;
  constexpr const char* kFinding = "finding the records";
  MDB_stat page{};
  MDB_envinfo info{};
  ::mdb_env_stat(env_.get(), &page);
  ::mdb_env_info(env_.get(), &info);
  if (page.ms_psize > static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))) return false;
  struct stat file {};
  if (::fstat(witness_.get(), &file) != 0) return fail_errno(path_, errno);
  const auto file_bytes = static_cast<std::uint64_t>(file.st_size);
  const Result<MetaPages> meta = read_meta_pages(witness_.get(), file_bytes);
  const std::size_t commit = ::mdb_txn_id(transaction);
  if (!meta) return false;  // one of the two is being written
  const MetaPage& its = commit % 2 == 0 ? meta->first : meta->second;
  if (its.transaction != commit) return false;  // gone already
  MDB_val name = to_val(kData);
  MDB_val value{};
  if (const int code = ::mdb_get(transaction, kTableOfTables, &name, &value)) return failure(kFinding, code);
  if (value.mv_size != sizeof tree) return corrupt(kFinding, "a table of another kind");
  std::memcpy(&tree, value.mv_data, sizeof tree);
  const char* const at = static_cast<const char*>(value.mv_data);
  const char* const root = at - reinterpret_cast<std::uintptr_t>(at) % page.ms_psize;
  if (load<PageHeader>(root).number != its.main.root || its.main.depth != 1) return false;
  map = {root - its.main.root * page.ms_psize, page.ms_psize,
         std::min<std::uint64_t>(file_bytes, info.me_mapsize) / page.ms_psize};
  return tree.root == kNoPage || tree.depth > 0;
}

tl::unexpected<Error> Environment::failure(const char* doing, int lmdb_code) const {
  MV_ASSERT(lmdb_code != 0);
  return fail(code_of(lmdb_code), path_ + ": " + doing + ": " + ::mdb_strerror(lmdb_code));
}

tl::unexpected<Error> Environment::corrupt(const char* doing, const std::string& what) const {
  return fail(Code::kCorrupt, path_ + ": " + doing + ": " + what);
}

tl::unexpected<Error> Environment::write_failure(const char* doing, int lmdb_code) const {
  // The kernel tells a write-back error once per open file: LMDB has heard of it, the witness has not yet.
  if (lmdb_code == EIO && ::fdatasync(witness_.get()) == 0 && disk_is_full()) lmdb_code = ENOSPC;
  return failure(doing, lmdb_code);
}

bool Environment::disk_is_full() const {
  constexpr off_t kProbeBytes = 1 << 20;
  int fd = -1;
  ::mdb_env_get_fd(env_.get(), &fd);
  const off_t end = ::lseek(witness_.get(), 0, SEEK_END);
  if (end < 0) return false;
  if (::fallocate(fd, FALLOC_FL_KEEP_SIZE, end, kProbeBytes) == 0) {
    ::fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, end, kProbeBytes);
    return false;
  }
  return errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
}

}  // namespace minivault::store::base
