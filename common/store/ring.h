#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "common/core/error.h"
#include "common/core/mapping.h"
#include "common/core/unique_fd.h"
#include "common/store/record.h"

namespace minivault::store {

/// The first page of changes.log. Written only by the checkpointer, always followed by fdatasync.
struct RingHeader {
  std::uint64_t magic = 0;
  std::uint32_t format = 0;
  std::uint32_t clean = 0;  ///< 1: stopped in order, everything below `boundary` is in the base
  std::uint64_t ring_bytes = 0;
  std::uint64_t store_id = 0;  ///< the same in the base: a log and a base that belong together
  std::uint64_t secret = 0;    ///< seeds the hashes; born with the ring
  Lsn first_lsn = 0;           ///< where this ring began
  std::uint64_t starts = 0;    ///< grows by 2 with each start on it, as in the base; 0: never started
  Lsn boundary = 0;            ///< clean: where the records end. Else: where those of this start begin
  std::uint64_t checksum = 0;  ///< XXH3-64 of the fields before
};
static_assert(sizeof(RingHeader) == 72, "the header is a file format");

/// In the header's page, in a sector of its own: written every few seconds, by another thread.
struct RingCeiling {
  static constexpr std::uint64_t kOffset = 512;
  std::uint64_t hlc = 0;
  std::uint64_t checksum = 0;  ///< XXH3-64 of `hlc`, seeded by the ring's secret; 0 while none was stored
};
static_assert(sizeof(RingCeiling) == 16, "the header is a file format");

/// changes.log: one page of header and a preallocated ring of records; file offset = page + LSN mod ring
/// size.
///
/// Every process maps the ring read-only, twice in a row, so a record that wraps reads as one piece. Bytes go
/// in by pwritev alone: a store through a mapping would dirty whole large folios, raise SIGBUS on errors, and
/// let a stray pointer in a process that faces the network damage the log (ENGINE.md rule 1). Each process
/// opens its own; who may write where is the append lock's business, not this class's.
class Ring {
 public:
  static constexpr std::uint64_t kHeaderBytes = 4096;
  static constexpr std::uint64_t kPrewrittenAtBirth = 64ULL << 20;

  /// Makes a new ring in place of whatever `path` names, or where it points to if it is a link: written and
  /// synced under another name first, renamed last. `ring_bytes`: a multiple of 4096. Errors: kNoSpace, kIo.
  [[nodiscard]] static Status create(const std::string& path, std::uint64_t ring_bytes,
                                     std::uint64_t store_id, Lsn first_lsn, std::uint64_t starts = 0);
  /// Takes away what a create() left that was cut short: as large as the ring, and of no use to anybody.
  static void remove_unfinished(const std::string& path);
  enum class Access { kReadWrite, kRead };
  /// Errors: kNotFound, kUnavailable (unknown format), kCorrupt (header damaged, file shorter than it says),
  /// kIo (also what is no file, and a link to nothing).
  [[nodiscard]] static Result<Ring> open(const std::string& path, Access access = Access::kReadWrite);

  [[nodiscard]] const RingHeader& header() const { return header_; }
  [[nodiscard]] std::uint64_t size() const { return header_.ring_bytes; }
  /// No record is larger than this, header and padding counted (ENGINE.md rule 4).
  [[nodiscard]] std::uint64_t largest_record() const { return size() / 4; }

  /// size() readable bytes from `lsn` on.
  [[nodiscard]] const std::byte* at(Lsn lsn) const { return view_.data() + offset_of(lsn); }
  /// Fetches the cache lines of the first `bytes` from `lsn` on ahead of a look at them.
  void prefetch(Lsn lsn, std::size_t bytes) const {
    const std::byte* first = at(lsn);
    for (std::size_t i = 0; i < bytes; i += shared::kCacheLine) __builtin_prefetch(first + i);
    __builtin_prefetch(first + bytes - 1);
  }
  [[nodiscard]] bool view(Lsn lsn, RecordView& out) const {
    return view_record(at(lsn), lsn, largest_record(), out);
  }
  [[nodiscard]] bool verify(Lsn lsn, RecordView& out) const {
    return verify_record(at(lsn), lsn, largest_record(), header_.secret, out);
  }

  /// Writes `pieces` at `lsn`, around the end of the ring if need be; the pieces are used up.
  /// REQUIRES: the append lock. Errors: kIo; some of the bytes may then be in the file.
  [[nodiscard]] Status write(Lsn lsn, std::span<iovec> pieces);
  /// Errors: kIo, after which the pages' state is unknown and no sync may be believed (ENGINE.md rule 6).
  [[nodiscard]] Status sync();
  /// Starts write-back of [from, to) without waiting for it.
  void start_writeback(Lsn from, Lsn to) const;
  /// Asks for [from, from + bytes) to be read ahead: a write into an absent page reads it first.
  void read_ahead(Lsn from, std::uint64_t bytes) const;

  /// Stores and syncs the header. Checkpointer only.
  [[nodiscard]] Status write_header(RingHeader header);

  /// What the file says of HLC values that may have been stamped; 0: nothing yet. Errors: kCorrupt, kIo.
  [[nodiscard]] Result<std::uint64_t> read_hlc_ceiling() const;
  /// Good once sync() or write_header() followed. Checkpointer only. Errors: kIo.
  [[nodiscard]] Status write_hlc_ceiling(std::uint64_t hlc);

 private:
  /// lsn % size(), by multiplying with the inverse: a division of 64 bits takes as long as a cache miss. The
  /// estimated quotient is at most one too small.
  [[nodiscard]] std::uint64_t offset_of(Lsn lsn) const {
    const auto quotient = static_cast<std::uint64_t>((static_cast<Wide>(lsn) * inverse_) >> 64U);
    const std::uint64_t rest = lsn - quotient * size();
    return rest < size() ? rest : rest - size();
  }
  __extension__ using Wide = unsigned __int128;

  UniqueFd file_;
  std::string path_;
  RingHeader header_;
  std::uint64_t inverse_ = 0;  ///< of the ring's size: 2^64 / size
  Mapping view_;
};

/// The largest value that a key of `key_size` bytes can have here: `max_value_bytes`, or less in a small
/// ring.
[[nodiscard]] inline std::uint64_t largest_value_in(const Ring& ring, std::size_t key_size,
                                                    std::uint64_t max_value_bytes) {
  const std::uint64_t room = ring.largest_record() - sizeof(RecordHeader) - key_size;
  constexpr std::uint64_t kMostInHeader = std::numeric_limits<std::uint32_t>::max();
  return std::min({max_value_bytes, room & ~(kRecordAlignment - 1), kMostInHeader});
}

}  // namespace minivault::store
