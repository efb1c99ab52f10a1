#include "common/store/ring.h"

#define XXH_INLINE_ALL
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <vector>

#include "common/core/fault_point.h"
#include "common/core/file_system.h"
#include "common/core/random.h"

namespace minivault::store {
namespace {

constexpr std::uint64_t kMagic = 0x3130474F4C564D4DULL;  // "MMVLOG01" as bytes
constexpr std::uint32_t kFormat = 1;
constexpr std::uint64_t kLargestRing = 1ULL << 40;  // far above the largest -log
constexpr std::uint64_t kPage = 4096;               // rings are mapped, so they are whole pages

std::uint64_t checksum_of(const RingHeader& header) {
  return XXH3_64bits(&header, offsetof(RingHeader, checksum));
}

Status write_all(int fd, const void* bytes, std::size_t size, std::uint64_t offset, const std::string& path) {
  const char* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t written = ::pwrite(fd, at, size, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == ENOSPC) return fail(Code::kNoSpace, path + ": no space left on the device");
    if (written <= 0) return fail_errno("cannot write " + path, errno);
    at += written;
    offset += static_cast<std::uint64_t>(written);
    size -= static_cast<std::size_t>(written);
  }
  return {};
}

Status store_header(int fd, RingHeader header, const std::string& path) {
  header.checksum = checksum_of(header);
  if (Status written = write_all(fd, &header, sizeof header, 0, path); !written) return written;
  if (::fdatasync(fd) != 0) return fail_errno("cannot sync " + path, errno);
  return {};
}

/// A first stretch of zeros: writing into a page that was written before costs half of writing into a fresh
/// one, and its fdatasync has no metadata to journal.
Status prewrite(int fd, std::uint64_t bytes, const std::string& path) {
  const std::vector<char> zeros(1U << 20);
  for (std::uint64_t done = 0; done < bytes; done += zeros.size()) {
    const std::size_t piece = std::min<std::uint64_t>(zeros.size(), bytes - done);
    if (Status ok = write_all(fd, zeros.data(), piece, Ring::kHeaderBytes + done, path); !ok) return ok;
  }
  if (::fsync(fd) != 0) return fail_errno("cannot sync " + path, errno);
  return {};
}

/// The ring twice in a row, read-only.
Result<Mapping> map_twice(int fd, std::uint64_t ring_bytes, const std::string& path) {
  void* room = ::mmap(nullptr, 2 * ring_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return fail_errno("cannot reserve address space for " + path, errno);
  Mapping mapping(room, 2 * ring_bytes);
  for (int half = 0; half < 2; ++half) {
    void* at = mapping.data() + static_cast<std::uint64_t>(half) * ring_bytes;
    if (::mmap(at, ring_bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd, Ring::kHeaderBytes) == MAP_FAILED) {
      return fail_errno("cannot map " + path, errno);
    }
  }
  ::madvise(room, 2 * ring_bytes, MADV_DONTDUMP);
  return mapping;
}

Result<RingHeader> read_header(int fd, const std::string& path) {
  RingHeader header;
  if (::pread(fd, &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header)) {
    return fail(Code::kCorrupt, path + " is shorter than its header");
  }
  if (header.magic != kMagic) return fail(Code::kCorrupt, path + " is not a minivault log");
  RingHeader of_ours = header;
  of_ours.format = kFormat;
  const bool only_format_differs = header.checksum == checksum_of(of_ours);  // a flipped bit, no other format
  if (header.format != kFormat && !only_format_differs) {
    return fail(Code::kUnavailable, path + " has log format " + std::to_string(header.format) +
                                        ", this build knows " + std::to_string(kFormat));
  }
  if (header.checksum != checksum_of(header)) return fail(Code::kCorrupt, path + ": the header is damaged");
  struct stat info {};
  if (::fstat(fd, &info) != 0) return fail_errno("cannot read the size of " + path, errno);
  const auto file_bytes = static_cast<std::uint64_t>(info.st_size);
  // The checksum has no key: whoever wrote the header may have written any size.
  const bool is_size =
      header.ring_bytes != 0 && header.ring_bytes % kPage == 0 && header.ring_bytes <= kLargestRing;
  if (!is_size) {
    return fail(Code::kCorrupt,
                path + ": the header is damaged: a ring of " + std::to_string(header.ring_bytes) + " bytes");
  }
  const std::uint64_t expected = Ring::kHeaderBytes + header.ring_bytes;
  if (file_bytes != expected) {
    return fail(Code::kCorrupt, path + " has " + std::to_string(file_bytes) + " bytes, its header says " +
                                    std::to_string(expected));
  }
  return header;
}

/// Where the file itself lies: a link to another disk stays one when a new file takes the old one's place.
std::string target_of(const std::string& path) {
  std::error_code none;
  const std::filesystem::path target = std::filesystem::canonical(path, none);
  return none ? path : target.string();
}

std::string unfinished(const std::string& path) {
  return target_of(path) + ".new";
}

/// Opens what is a file: the open of a pipe waits for its other end, for ever. Error: kNotFound, kIo.
Result<UniqueFd> open_file(const std::string& path, int flags) {
  UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!file && errno == ENOENT) {
    if (::lstat(path.c_str(), &info) != 0) return fail(Code::kNotFound, path + " does not exist");
    return fail(Code::kIo, path + " is a link to what is not there: is a disk not mounted?");
  }
  if (!file || ::fstat(file.get(), &info) != 0) return fail_errno("cannot open " + path, errno);
  if (!S_ISREG(info.st_mode)) return fail(Code::kIo, path + " is not a regular file");
  return file;
}

/// Takes `count` bytes off the front of `pieces`.
std::span<iovec> advance(std::span<iovec> pieces, std::size_t count) {
  while (!pieces.empty() && count >= pieces.front().iov_len) {
    count -= pieces.front().iov_len;
    pieces = pieces.subspan(1);
  }
  if (count > 0) {
    pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + count;
    pieces.front().iov_len -= count;
  }
  return pieces;
}

constexpr std::size_t kMostPieces = 1024;  // IOV_MAX on Linux

std::uint64_t total_bytes(std::span<const iovec> pieces) {
  std::uint64_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  return total;
}

/// The leading pieces that fit in `room` bytes, the last one cut to fit.
std::vector<iovec> leading(std::span<const iovec> pieces, std::uint64_t room) {
  std::vector<iovec> out;
  for (const iovec& piece : pieces.first(std::min(pieces.size(), kMostPieces))) {
    if (room == 0) break;
    out.push_back({piece.iov_base, std::min<std::size_t>(piece.iov_len, room)});
    room -= out.back().iov_len;
  }
  return out;
}

}  // namespace

Status Ring::create(const std::string& path, std::uint64_t ring_bytes, std::uint64_t store_id, Lsn first_lsn,
                    std::uint64_t starts) {
  const std::string fresh = unfinished(path);
  const UniqueFd fd(::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("cannot create " + fresh, errno);
  const int full = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(kHeaderBytes + ring_bytes));
  if (full != 0) {
    ::unlink(fresh.c_str());
    const std::string what = "cannot reserve " + std::to_string(ring_bytes >> 20) + " MB for " + path;
    if (full == ENOSPC) return fail(Code::kNoSpace, what + ": no space left on the device");
    return fail_errno(what, full);
  }
  if (Status ok = prewrite(fd.get(), std::min(ring_bytes, kPrewrittenAtBirth), fresh); !ok) return ok;

  RingHeader header;
  header.magic = kMagic;
  header.format = kFormat;
  header.clean = 1;
  header.ring_bytes = ring_bytes;
  header.store_id = store_id;
  header.secret = random_u64();
  header.first_lsn = first_lsn;
  header.starts = starts;
  header.boundary = first_lsn;
  if (Status ok = store_header(fd.get(), header, fresh); !ok) return ok;
  MV_FAULT_POINT("ring.before_rename");
  const std::string target = target_of(path);
  if (::rename(fresh.c_str(), target.c_str()) != 0) return fail_errno("cannot rename " + fresh, errno);
  return sync_directory(std::filesystem::path(target).parent_path());
}

void Ring::remove_unfinished(const std::string& path) {
  ::unlink(unfinished(path).c_str());
}

Result<Ring> Ring::open(const std::string& path, Access access) {
  Ring ring;
  ring.path_ = path;
  Result<UniqueFd> file = open_file(path, access == Access::kRead ? O_RDONLY : O_RDWR);
  if (!file) return tl::unexpected(file.error());
  ring.file_ = std::move(*file);
  Result<RingHeader> header = read_header(ring.file_.get(), path);
  if (!header) return tl::unexpected(header.error());
  ring.header_ = *header;
  ring.inverse_ = std::numeric_limits<std::uint64_t>::max() / header->ring_bytes;
  Result<Mapping> view = map_twice(ring.file_.get(), header->ring_bytes, path);
  if (!view) return tl::unexpected(view.error());
  ring.view_ = std::move(*view);
  return ring;
}

Status Ring::write(Lsn lsn, std::span<iovec> pieces) {
  std::vector<iovec> cut;  // stays empty but for a write around the end of the ring
  while (!pieces.empty()) {
    const std::uint64_t offset = offset_of(lsn);
    std::span<const iovec> now = pieces;
    if (now.size() > kMostPieces || total_bytes(now) > size() - offset) {
      cut = leading(pieces, size() - offset);
      now = cut;
    }
    if (MV_FAULT_FAILS("ring.write")) return fail_errno("cannot write " + path_, EIO);
    const ssize_t written = ::pwritev(file_.get(), now.data(), static_cast<int>(now.size()),
                                      static_cast<off_t>(kHeaderBytes + offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail_errno("cannot write " + path_, errno);
    lsn += static_cast<std::uint64_t>(written);
    pieces = advance(pieces, static_cast<std::size_t>(written));
  }
  return {};
}

Status Ring::sync() {
  if (MV_FAULT_FAILS("ring.sync")) return fail_errno("cannot sync " + path_, EIO);
  if (::fdatasync(file_.get()) != 0) return fail_errno("cannot sync " + path_, errno);
  return {};
}

void Ring::start_writeback(Lsn from, Lsn to) const {
  while (from < to) {
    const std::uint64_t offset = offset_of(from);
    const std::uint64_t piece = std::min(to - from, size() - offset);
    ::sync_file_range(file_.get(), static_cast<off_t>(kHeaderBytes + offset), static_cast<off_t>(piece),
                      SYNC_FILE_RANGE_WRITE);
    from += piece;
  }
}

void Ring::read_ahead(Lsn from, std::uint64_t bytes) const {
  const std::uint64_t offset = offset_of(from);
  const std::uint64_t piece = std::min(bytes, size() - offset);
  ::posix_fadvise(file_.get(), static_cast<off_t>(kHeaderBytes + offset), static_cast<off_t>(piece),
                  POSIX_FADV_WILLNEED);
  if (piece < bytes) {
    ::posix_fadvise(file_.get(), static_cast<off_t>(kHeaderBytes), static_cast<off_t>(bytes - piece),
                    POSIX_FADV_WILLNEED);
  }
}

Status Ring::write_header(RingHeader header) {
  if (Status ok = store_header(file_.get(), header, path_); !ok) return ok;
  header.checksum = checksum_of(header);
  header_ = header;
  return {};
}

Result<std::uint64_t> Ring::read_hlc_ceiling() const {
  RingCeiling ceiling;
  if (::pread(file_.get(), &ceiling, sizeof ceiling, RingCeiling::kOffset) !=
      static_cast<ssize_t>(sizeof ceiling)) {
    return fail_errno("cannot read " + path_, errno);
  }
  const bool none = ceiling.hlc == 0 && ceiling.checksum == 0;
  if (!none && ceiling.checksum != XXH3_64bits_withSeed(&ceiling.hlc, sizeof ceiling.hlc, header_.secret)) {
    return fail(Code::kCorrupt, path_ + ": the clock in the header is damaged");
  }
  return ceiling.hlc;
}

Status Ring::write_hlc_ceiling(std::uint64_t hlc) {
  const RingCeiling ceiling{hlc, XXH3_64bits_withSeed(&hlc, sizeof hlc, header_.secret)};
  return write_all(file_.get(), &ceiling, sizeof ceiling, RingCeiling::kOffset, path_);
}

}  // namespace minivault::store
