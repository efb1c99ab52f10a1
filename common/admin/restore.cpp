#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>

#include "common/admin/claim.h"
#include "common/admin/commands.h"
#include "common/admin/new_file.h"
#include "common/admin/progress.h"
#include "common/admin/source.h"
#include "common/core/file_system.h"
#include "common/core/random.h"
#include "common/store/base.h"
#include "common/store/let_go.h"
#include "common/store/ring.h"

namespace minivault::admin {
namespace {

namespace fs = std::filesystem;

constexpr store::Lsn kFirstLsn = 4'096;           // as at a node's birth
constexpr std::uint64_t kRingBytes = 1ULL << 20;  // the first start makes one of the configured size
constexpr std::uint64_t kStarts = 2;  // not 0: a log that was never started on is given a new, empty base
constexpr std::size_t kRecordsATransaction = 5'000;
constexpr std::size_t kBytesATransaction = 16U << 20;

/// The directory that becomes a node's. All is made in a directory within it, so it may be a mount point;
/// until publish() its destructor leaves things as they were.
class NewDirectory {
 public:
  [[nodiscard]] static Result<NewDirectory> create(const std::string& path);
  NewDirectory(NewDirectory&&) = default;
  NewDirectory& operator=(NewDirectory&&) = delete;
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;
  ~NewDirectory();

  [[nodiscard]] std::string partial() const { return path_ + "/restore.partial"; }
  [[nodiscard]] Status publish();

 private:
  NewDirectory(std::string path, bool made) : path_(std::move(path)), made_(made) {}

  std::string path_;
  bool made_;
  UniqueFd claim_;
};

/// What an earlier restore that was killed has left does not count.
Status refuse_unless_empty(const std::string& path) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    const std::string name = entry.path().filename().string();
    if (name == "minivault.lock" || name == "restore.partial" || name == "lost+found") continue;
    return fail(Code::kExists, path + ": not empty (" + name + "); restore wants a new or empty directory");
  }
  if (error) return fail(Code::kIo, path + ": " + error.message());
  return {};
}

Result<NewDirectory> NewDirectory::create(const std::string& path) {
  const bool made = ::mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return fail_errno("cannot make " + path, errno);
  NewDirectory directory(path, made);
  if (Status empty = refuse_unless_empty(path); !empty) return tl::unexpected(empty.error());
  Result<UniqueFd> claim = claim_to_write(path);
  if (!claim) return tl::unexpected(claim.error());
  directory.claim_ = std::move(*claim);
  // Whoever made it, perhaps a moment ago: what is restored must not go with its name.
  if (Status named = sync_name_of(path); !named) return tl::unexpected(named.error());
  if (Status empty = refuse_unless_empty(path); !empty) return tl::unexpected(empty.error());
  std::error_code error;
  fs::remove_all(directory.partial(), error);
  if (::mkdir(directory.partial().c_str(), 0700) != 0)
    return fail_errno("cannot make " + directory.partial(), errno);
  return directory;
}

NewDirectory::~NewDirectory() {
  if (!claim_) return;
  std::error_code ignored;
  fs::remove_all(partial(), ignored);
  // In a directory that was there before somebody may be waiting for the lock: its file stays.
  if (!made_) return;
  ::unlink((path_ + "/minivault.lock").c_str());
  ::rmdir(path_.c_str());
}

/// The base first: a base without its log is refused by a start, a log without its base would be given an
/// empty one.
Status NewDirectory::publish() {
  for (const char* name : {"/base.mdb", "/changes.log"}) {
    if (::rename((partial() + name).c_str(), (path_ + name).c_str()) != 0) {
      return fail_errno("cannot rename " + partial() + name, errno);
    }
    if (Status synced = sync_directory(path_); !synced) return synced;
  }
  std::error_code ignored;
  fs::remove_all(partial(), ignored);
  claim_.reset();
  return {};
}

/// Fills a new base, in transactions of a checkpoint's size.
class BaseFiller {
 public:
  explicit BaseFiller(store::Base base) : base_(std::move(base)) {}

  Status add(const archive::Record& record) {
    // What a node remembers of itself and its cluster is not the new node's: it would wait for a majority in
    // which the old one is a member for ever.
    if (record.operation == store::Operation::kNote) return {};
    if (Status begun = begin(); !begun) return begun;
    const store::BaseRecord stored{record.operation, record.flags, record.version, record.value};
    if (Status applied = transaction_->apply(record.key, stored, true); !applied) return applied;
    std::uint64_t& last = last_of_[record.version.origin];
    last = std::max(last, record.version.hlc);
    ++records_;
    bytes_ += record.key.size() + record.value.size();
    if (records_ < kRecordsATransaction && bytes_ < kBytesATransaction) return {};
    return commit();
  }
  /// The last commit gives the base its identity.
  Status finish(const archive::Header& header, std::uint64_t store_id, std::uint64_t node_id) {
    if (Status begun = begin(); !begun) return begun;
    store::BaseMeta& meta = transaction_->meta();
    meta.store_id = store_id;
    meta.node_id = node_id;
    meta.checkpoint = kFirstLsn;
    meta.last_hlc = std::max(meta.last_hlc, header.last_hlc);
    // Not what the header says: that is above all of them, and of what the node wrote meanwhile.
    const Status noted =
        store::note_in_commit(*transaction_, store::was_note(header.node_id), last_of_[header.node_id]);
    if (!noted) return noted;
    meta.ring_bytes = kRingBytes;
    meta.starts = kStarts;
    keys = meta.keys;
    return commit();
  }
  std::uint64_t keys = 0;

 private:
  Status begin() {
    if (transaction_) return {};
    Result<store::Base::Transaction> begun = base_.begin();
    if (!begun) return tl::unexpected(begun.error());
    transaction_.emplace(std::move(*begun));
    return {};
  }
  Status commit() {
    Status committed = transaction_->commit();
    transaction_.reset();
    records_ = bytes_ = 0;
    return committed;
  }

  store::Base base_;
  std::optional<store::Base::Transaction> transaction_;
  std::size_t records_ = 0;
  std::size_t bytes_ = 0;
  std::map<std::uint64_t, std::uint64_t> last_of_;  ///< the largest HLC value that each origin stamped
};

struct Restored {
  archive::Header header;
  std::uint64_t node_id = random_u64();
  std::uint64_t keys = 0;
};

Status fill(const std::string& directory, const Arguments& arguments, Restored& restored) {
  Result<store::Base> base = store::Base::open_writer(directory);
  if (!base) return tl::unexpected(base.error());
  BaseFiller filler(std::move(*base));
  Progress progress("restore", "records", 0);
  std::uint64_t records = 0;
  const auto begin = [&](const archive::Header& header) -> Status {
    restored.header = header;
    progress.set_total(header.records);
    return {};
  };
  const auto visit = [&](const archive::Record& record) {
    progress.update(++records);
    return filler.add(record);
  };
  if (Status read = read_records(arguments.operands[0], arguments, begin, visit); !read) return read;
  const std::uint64_t store_id = random_u64();
  if (Status done = filler.finish(restored.header, store_id, restored.node_id); !done) return done;
  restored.keys = filler.keys;
  return store::Ring::create(directory + "/changes.log", kRingBytes, store_id, kFirstLsn, kStarts);
}

}  // namespace

int run_restore(const Arguments& arguments) {
  const std::string& file = arguments.operands[0];
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0 || S_ISDIR(facts.st_mode)) return not_done(file + ": no such file");
  Result<NewDirectory> directory = NewDirectory::create(arguments.operands[1]);
  if (!directory) return not_done(directory.error().message);
  Restored restored;
  Status done = fill(directory->partial(), arguments, restored);
  if (done) done = directory->publish();
  if (!done) return not_done(done.error().message);
  std::printf("%s: %" PRIu64 " keys, the state of node %016" PRIx64 " at LSN %" PRIu64
              ", as new node %016" PRIx64 "\n",
              arguments.operands[1].c_str(), restored.keys, restored.header.node_id, restored.header.lsn,
              restored.node_id);
  return kDone;
}

}  // namespace minivault::admin
