#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/archive/format.h"
#include "common/core/unique_fd.h"
#include "common/store/recovery.h"

namespace minivault::admin {

/// A node's data directory, read while no node runs on it: what the node would hold after its next start,
/// without starting it. Writes nothing. One thread; its claim keeps nodes away meanwhile.
class Directory {
 public:
  /// Errors: kBusy, kNotFound, kIo, kUnavailable (no base), kCorrupt.
  [[nodiscard]] static Result<Directory> open(const std::string& path);
  /// For who had claimed it (claim_to_read()) and goes on.
  [[nodiscard]] static Result<Directory> open(const std::string& path, UniqueFd claim);

  [[nodiscard]] const store::Scene& scene() const { return scene_; }
  [[nodiscard]] const store::Verdict& verdict() const { return verdict_; }
  [[nodiscard]] const store::Base& base() const { return base_; }

  /// As a backup has it. REQUIRES: holds_all().
  [[nodiscard]] archive::Header header() const;

  /// Whether a start would find all that was acknowledged. Errors: kCorrupt, saying what is wrong;
  /// kUnavailable (a start would be a birth: there is nothing).
  [[nodiscard]] Status holds_all() const;

  /// Every record: the base's, with what the log has beyond it, in the base's order; then the notes. The
  /// views are good as long as this object. Ends with the visit's error. REQUIRES: holds_all().
  using Visit = std::function<Status(const archive::Record&)>;
  [[nodiscard]] Status visit(const Visit& visit) const;

 private:
  /// The newest record of one key in the log beyond the checkpoint.
  struct Newer {
    std::string hashed;  ///< the stored key where it is not the key
    std::string_view key;
    store::Lsn lsn;
    bool is_note;
    [[nodiscard]] std::string_view stored_key() const { return hashed.empty() ? key : hashed; }
  };

  Directory(UniqueFd claim, store::Base base, store::Scene scene);
  void read_log();
  [[nodiscard]] archive::Record record_of(const Newer& newer) const;
  [[nodiscard]] Status visit_table(const store::Base::Snapshot& snapshot, bool notes,
                                   const Visit& visit) const;

  UniqueFd claim_;
  store::Base base_;
  store::Scene scene_;
  store::Verdict verdict_;
  std::vector<Newer> newer_;  ///< data by stored key, then notes by stored key
};

}  // namespace minivault::admin
