#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/cluster/range.h"
#include "common/core/error.h"

namespace minivault::cluster {

/// One of two nodes whose contents are compared: whatever can answer these. Records' views are good until the
/// next call.
class Side {
 public:
  Side() = default;
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;
  virtual ~Side() = default;

  [[nodiscard]] virtual Result<RangesPage> split(const SplitRequest& request) = 0;
  [[nodiscard]] virtual Result<RangesPage> sums(const SumsRequest& request) = 0;
  [[nodiscard]] virtual Result<std::vector<Fingerprint>> bucket_sums(const Span& span) = 0;
  [[nodiscard]] virtual Result<ItemsPage> items(const Span& span) = 0;
  [[nodiscard]] virtual Result<ItemsPage> crowd(const PageRequest& request) = 0;
  [[nodiscard]] virtual Result<ItemsPage> lookup(const LookupRequest& request) = 0;
  [[nodiscard]] virtual Result<RecordsPage> records(const PageRequest& request) = 0;
  [[nodiscard]] virtual Result<RecordsPage> fetch(const std::vector<std::string>& keys) = 0;
  /// The next call is records(request): whoever is far away may be asked already.
  virtual void look_ahead(const PageRequest& /*request*/) {}
  /// Takes what is newer only, and of one version with two values the one with the larger checksum.
  [[nodiscard]] virtual Status push(const std::vector<Record>& records) = 0;
  using Ghosts = std::vector<std::pair<std::string, store::Version>>;
  /// Of the values that were pushed since the last call: those that it said it had deleted long ago.
  [[nodiscard]] virtual Ghosts take_refused() { return {}; }
  /// Every record that was pushed is there on disk, or something newer, when this returns.
  [[nodiscard]] virtual Status settle() { return {}; }
};

struct Reconciliation {
  /// Tombstones up to this are not compared: who has purged them and who has not is no difference.
  std::uint64_t cut_off_hlc = 0;
  /// Records up to this that only the first side holds, or only the second, are ghosts: what a member brings
  /// back that was away while everybody forgot a delete. They are deleted where they are, not spread. It is
  /// the stable floor of the side that lacks them, if that is complete; 0: none is a ghost.
  std::uint64_t ghosts_of_first_up_to = 0;
  std::uint64_t ghosts_of_second_up_to = 0;

  struct Figures {
    std::uint64_t keys = 0;  ///< that are done with: equal, or moved. In the end all that either side held
    std::uint64_t ranges_compared = 0;
    std::uint64_t ranges_different = 0;
    std::uint64_t to_first = 0;  ///< records
    std::uint64_t to_second = 0;
    std::uint64_t ghosts = 0;
    std::uint64_t contradictions = 0;  ///< one version, two values: sent both ways, and judged there
  };
  Figures figures;

  /// Called now and then, with the key that has been reached; false: stop.
  std::function<bool(const Figures&, std::string_view reached)> progress;
};

/// Makes both sides hold the newer record of every key that either held when this began. Compares
/// fingerprints of ranges, splits where they differ, and moves only what differs, both ways. What is written
/// meanwhile is somebody else's affair (the streams'). Doing it again, or only half of it, does no harm.
/// Bounded memory, however long the keys are and however many begin alike. `first` is where the most keys
/// are, or may be: ranges are cut there. Errors: a side's; kTimedOut: stopped by `progress`.
[[nodiscard]] Status reconcile(Side& first, Side& second, std::uint64_t most_keys, Reconciliation& task);

}  // namespace minivault::cluster
