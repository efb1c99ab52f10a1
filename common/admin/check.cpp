#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <utility>

#include "common/admin/claim.h"
#include "common/admin/commands.h"
#include "common/admin/directory.h"
#include "common/admin/guard.h"
#include "common/admin/progress.h"
#include "common/core/key_text.h"
#include "common/store/base_page_account.h"

namespace minivault::admin {
namespace {

/// Of what there may be very many problems. Each has room of its own: many of one do not hide the other.
enum class Part { kPages, kKeys };

/// Findings go to standard output at once: should the base be damaged so that reading it kills this process,
/// they are there.
class Report {
 public:
  void say(const std::string& about, const std::string& what) const {
    std::printf("%-6s %s\n", about.c_str(), what.c_str());
    std::fflush(stdout);
  }
  void problem(const std::string& what) {
    ++problems_;
    std::printf("problem: %s\n", what.c_str());
    std::fflush(stdout);
  }
  /// False: enough. Damaged pages can lead in a circle.
  [[nodiscard]] bool problem_of(Part part, const std::string& what) {
    std::uint64_t& found = found_[static_cast<std::size_t>(part)];
    if (++found <= kShown) {
      problem(what);
    } else {
      ++problems_;
    }
    return found < kMost;
  }
  /// What may be damage, or what a power cut leaves: nobody can tell.
  void doubt(const std::string& about, const std::string& what) {
    say(about, what);
    in_doubt_ = true;
  }
  [[nodiscard]] int end() const {
    say_hidden(Part::kPages, "pages");
    say_hidden(Part::kKeys, "keys");
    if (problems_ == 0) std::puts(in_doubt_ ? "sound up to the end of the log" : "sound");
    if (problems_ > 0) std::printf("%" PRIu64 " problem%s\n", problems_, problems_ == 1 ? "" : "s");
    return problems_ == 0 ? kDone : kNotDone;
  }

 private:
  void say_hidden(Part part, const char* name) const {
    const std::uint64_t found = found_[static_cast<std::size_t>(part)];
    if (found <= kShown) return;
    std::printf("... and %" PRIu64 " more of its %s%s\n", found - kShown, name,
                found == kMost ? ", at least" : "");
  }

  static constexpr std::uint64_t kShown = 100;
  static constexpr std::uint64_t kMost = 1'000;
  std::array<std::uint64_t, 2> found_{};  ///< by part
  std::uint64_t problems_ = 0;
  bool in_doubt_ = false;
};

std::string number(std::uint64_t value) {
  std::string text = std::to_string(value);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string megabytes(std::uint64_t bytes) {
  return number((bytes + (1U << 19)) >> 20) + " MB";
}

std::string hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, value);
  return text;
}

void check_log(const Directory& directory, Report& report) {
  const store::Scene& scene = directory.scene();
  if (!scene.ring) {
    if (store::is_birth(directory.verdict())) return report.say("log", "none yet");
    return report.problem(scene.log_problem);
  }
  const store::RingHeader& header = scene.ring->header();
  report.say("log", megabytes(header.ring_bytes) + ", store " + hex(header.store_id) + ", began at LSN " +
                        std::to_string(header.first_lsn) +
                        (header.clean != 0 ? ", stopped in order" : ", not stopped in order"));
  if (!scene.evidence.same_store) return;
  report.say("", number(scene.log.records) + " records beyond the base, LSN " +
                     std::to_string(scene.meta.checkpoint) + " to " + std::to_string(scene.log.end));
  if (const std::string beyond = store::describe_beyond(scene.log);
      !beyond.empty() && !scene.evidence.acknowledged_damaged) {
    report.doubt(
        "", "behind that end " + beyond + ": not known to have been synced, lost with the power, or damaged");
  }
}

/// Before LMDB looks at any page, for a damaged one may lead it to where nothing is. What keeps the file from
/// being opened at all is told by who opens it.
void check_pages(const std::string& file, Report& report) {
  Progress progress("check", "pages", 0);
  const auto problem = [&](const std::string& what) {
    return report.problem_of(Part::kPages, "base.mdb: " + what);
  };
  const auto seen = [&](std::uint64_t pages, std::uint64_t of) {
    progress.set_total(of);
    progress.update(pages);
  };
  const auto drawn = store::base::account_for_pages(file, {problem, seen});
  if (!drawn) return;
  report.say("pages", (drawn->is_whole ? "" : "at least ") + number(drawn->used) + " in use, " +
                          number(drawn->free) + " free, of " + number(drawn->page_size) + " bytes each");
}

/// What the whole of the base holds, to be compared with what it says of itself.
struct Count {
  std::uint64_t keys = 0;
  std::uint64_t tombstones = 0;
  std::uint64_t notes = 0;
  std::uint64_t last_hlc = 0;
};

Status count_records(const store::Base& base, const store::BaseMeta& meta, Count& count, Report& report) {
  const Result<store::Base::Snapshot> snapshot = base.snapshot();
  if (!snapshot) return tl::unexpected(snapshot.error());
  Progress progress("check", "records", meta.keys + meta.tombstones);
  const auto see = [&](std::string_view key, const store::BaseRecord& record) {
    note_place("base.mdb", key);
    const bool is_set = record.operation == store::Operation::kSet;
    const bool is_note = record.operation == store::Operation::kNote;
    ++(is_set ? count.keys : is_note ? count.notes : count.tombstones);
    count.last_hlc = std::max(count.last_hlc, record.version.hlc);
    progress.update(count.keys + count.tombstones);
    return true;
  };
  const auto damaged = [&](std::string_view stored_key, const Error& error) {
    if (stored_key.empty()) return true;  // their number is compared below
    return report.problem_of(Part::kKeys, "key " + quoted_key(stored_key) + ": " + error.message);
  };
  note_place("base.mdb");
  if (Status scanned = snapshot->scan("", see, damaged); !scanned) return scanned;
  return snapshot->scan_notes(see, damaged);
}

void check_base(const store::Base& base, const store::BaseMeta& meta, Report& report) {
  report.say("base", "store " + hex(meta.store_id) + ", node " + hex(meta.node_id) + ", as of LSN " +
                         std::to_string(meta.checkpoint) +
                         (meta.mid_checkpoint ? ", in the middle of a checkpoint" : "") + ", " +
                         megabytes(base.used_bytes()) + " in use");
  Count count;
  if (Status counted = count_records(base, meta, count, report); !counted) {
    return report.problem(counted.error().message);
  }
  report.say("", number(count.keys) + " keys, " + number(count.tombstones) + " tombstones, " +
                     number(count.notes) + " notes");
  if (count.keys != meta.keys || count.tombstones != meta.tombstones) {
    report.problem("base.mdb: says that it holds " + number(meta.keys) + " keys and " +
                   number(meta.tombstones) + " tombstones");
  }
  if (count.last_hlc > meta.last_hlc)
    report.problem("base.mdb: holds versions newer than the newest it knows of");
}

void check_start(const Directory& directory, Report& report) {
  if (store::is_birth(directory.verdict())) {
    return report.say("start",
                      std::string("the birth of an empty node (") + directory.verdict().reason + ")");
  }
  if (Status whole = directory.holds_all(); !whole) {
    report.say("start", "refused");
    return report.problem(whole.error().message);
  }
  const std::uint64_t records = directory.scene().log.records;
  report.say("start", records == 0
                          ? std::string("nothing to recover (") + directory.verdict().reason + ")"
                          : "replays " + number(records) + " records (" + directory.verdict().reason + ")");
}

}  // namespace

int run_check(const Arguments& arguments) {
  const std::string& path = arguments.operands[0];
  note_place(path);
  // Before anything of it is trusted: is it there, and nobody's?
  Result<UniqueFd> claim = claim_to_read(path);
  if (!claim) {
    not_done(claim.error().message);
    return kWrongUsage;
  }
  // Held until the end: a node that ran meanwhile would write while its pages are read.
  Report report;
  check_pages(path + "/base.mdb", report);
  const Result<Directory> directory = Directory::open(path, std::move(*claim));
  if (!directory) {
    report.problem(directory.error().message);
    return report.end();
  }
  check_log(*directory, report);
  check_base(directory->base(), directory->scene().meta, report);
  check_start(*directory, report);
  return report.end();
}

}  // namespace minivault::admin
