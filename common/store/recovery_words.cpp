// What a start found, in words for people.

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <filesystem>

#include "common/core/key_text.h"
#include "common/store/recovery.h"

namespace minivault::store {
namespace {

/// What a start needs in one place.
struct Room {
  std::string place;
  std::uint64_t bytes;
  [[nodiscard]] std::uint64_t with_some_more() const { return ((bytes >> 20) + 2) << 20; }
  [[nodiscard]] std::string text() const {
    return "about " + std::to_string(with_some_more() >> 20) + " MB of room in " + place;
  }
};

/// Where a new log is made: a link to another disk stays one.
std::string place_of_log(const Config& config) {
  std::error_code none;
  const auto log = std::filesystem::canonical(log_path(config), none);
  return none ? config.data_directory : log.parent_path().string();
}

bool on_one_disk(const Room& a, const Room& b) {
  struct stat first {};
  struct stat second {};
  const bool seen = ::stat(a.place.c_str(), &first) == 0 && ::stat(b.place.c_str(), &second) == 0;
  return !seen || first.st_dev == second.st_dev;
}

bool has_room(const Room& room) {
  struct statvfs free {};
  return ::statvfs(room.place.c_str(), &free) == 0 && free.f_bavail * free.f_frsize >= room.with_some_more();
}

/// Of two disks, the one that is full: both, where that does not show.
std::string wanted(const Room& base, const Room& log) {
  if (log.bytes == 0 || on_one_disk(base, log)) return Room{base.place, base.bytes + log.bytes}.text();
  if (has_room(base) == has_room(log)) return base.text() + " and " + log.text();
  return has_room(base) ? log.text() : base.text();
}

}  // namespace

std::string describe_beyond(const LogExamination& found) {
  if (found.records_beyond == 0) return {};
  std::string text = found.records_beyond == 1
                         ? "1 whole record follows, of key "
                         : std::to_string(found.records_beyond) + " whole records follow, of keys ";
  for (std::size_t i = 0; i < found.keys_beyond.size(); ++i) {
    text += (i == 0 ? "" : ", ") + quoted_key(found.keys_beyond[i]);
  }
  return found.records_beyond > found.keys_beyond.size() ? text + ", ..." : text;
}

std::string describe_damage(const LogExamination& found) {
  std::string text = "LSN " + std::to_string(found.end) + " to " + std::to_string(*found.damage_durable_to);
  if (found.key_at_end) text += ", the first of key " + quoted_key(*found.key_at_end);
  const std::string beyond = describe_beyond(found);
  return beyond.empty() ? text : text + "; " + beyond;
}

std::string describe_salvage(const Scene& scene) {
  if (scene.log.records == 0) return "nothing";
  return std::to_string(scene.log.records) + " records, LSN " + std::to_string(scene.meta.checkpoint) +
         " to " + std::to_string(scene.log.end);
}

std::string describe_loss(const Scene& scene) {
  const LogExamination& log = scene.log;
  const std::string acknowledged =
      "what was acknowledged from LSN " + std::to_string(scene.meta.checkpoint) + " on";
  std::string text = scene.log_problem;
  const auto add = [&text](const std::string& more) { text += (text.empty() ? "" : "; ") + more; };
  if (log.damage_durable_to) add(describe_damage(log));
  if (!scene.ring) {
    add(acknowledged);
  } else if (!scene.evidence.base_reaches_log && log.first_beyond != 0) {
    add(std::to_string(log.records_beyond + log.records_later) + " whole records, LSN " +
        std::to_string(log.first_beyond) + " to " + std::to_string(log.highest_end) +
        ", which do not follow this base (it ends at LSN " + std::to_string(scene.meta.checkpoint) +
        "): one that ends at LSN " + std::to_string(scene.ring->header().first_lsn) +
        " or later would take them in");
  } else if (log.records_later > 0) {
    add(std::to_string(log.records_later) + " whole records of later laps, up to LSN " +
        std::to_string(log.highest_end) + ", do not follow");
  } else if (!scene.evidence.log_reaches_base || !scene.evidence.base_reaches_log ||
             (!scene.evidence.same_age && !scene.evidence.log_is_younger)) {
    add(acknowledged + ", of which this log has nothing");
  }
  return text.empty() ? "nothing that the log tells of" : text;
}

std::string describe_refusal(const Scene& scene, const Verdict& verdict) {
  const std::string text = verdict.reason;
  Evidence accepting = scene.evidence;
  accepting.accept_loss = true;
  const Decision accepted = decide(accepting).decision;
  if (accepted == Decision::kRefuse) {
    const bool why = scene.evidence.base_born && !scene.log_problem.empty();
    return why ? text + " (" + scene.log_problem + ")" : text;
  }
  const std::string rest = accepted == Decision::kNewLog ? "nothing" : describe_salvage(scene);
  return text + " (lost with -accept-loss: " + describe_loss(scene) + "; taken in from the log: " + rest +
         ")";
}

std::string describe_room(const Scene& scene, const Config& config) {
  constexpr std::uint64_t kPagesOfAKey = std::uint64_t{3} * 4096;  // its own and those above, old and new
  constexpr std::uint64_t kKeysAtOnce = 5'000;                     // after that, old pages are used again
  const std::uint64_t log_bytes = scene.log.end - std::min(scene.meta.checkpoint, scene.log.end);
  const Room base{config.data_directory,
                  2 * log_bytes + std::min(scene.log.records, kKeysAtOnce) * kPagesOfAKey};
  const bool makes_log = !scene.ring || scene.ring->size() != config.log_bytes;
  const Room log{place_of_log(config), makes_log ? config.log_bytes : 0};
  return "a start takes " + std::to_string(scene.log.records) + " records of the log into the base" +
         (makes_log ? " and makes a new log" : "") + ": nothing of it is lost; make " + wanted(base, log) +
         " and start again";
}

}  // namespace minivault::store
