#include "common/archive/reader.h"

#include <algorithm>
#include <new>

#include "common/protocol/compression.h"

namespace minivault::archive {
namespace {

/// A claimed length is believed this far before its bytes have come.
constexpr std::uint64_t kBelieved = 1 << 20;

}  // namespace

Result<Reader> Reader::open(Source source) {
  Reader reader(std::move(source));
  std::string bytes;
  // An empty or very short file is no archive, whatever it was to become.
  if (Status whole = reader.read(bytes, kHeaderBytes); !whole && whole.error().code != Code::kCorrupt) {
    return tl::unexpected(whole.error());
  }
  const Result<Header> header = decode_header(bytes, reader.chain_);
  if (!header) return tl::unexpected(header.error());
  reader.header_ = *header;
  return reader;
}

Result<std::optional<Record>> Reader::next() {
  if (left_.empty()) {
    const Result<bool> more = read_block();
    if (!more) return tl::unexpected(more.error());
    if (!*more) return std::nullopt;
  }
  Result<Record> record = take_record(left_);
  if (!record) return damaged(record.error().message);
  if (block_records_-- == 0 || left_.empty() != (block_records_ == 0))
    return damaged("its number of records is wrong");
  counts_.add(*record);
  if (left_.empty()) ++counts_.blocks;
  return *record;
}

/// False: there is no more, and all was right.
Result<bool> Reader::read_block() {
  std::string head;
  if (Status got = read(head, kMarkBytes); !got) return tl::unexpected(got.error());
  const Mark mark = read_mark(head);
  if (mark == Mark::kNeither) return damaged("it does not begin as a block does");
  const std::size_t size = mark == Mark::kBlock ? kBlockHeadBytes : kTrailerBytes;
  if (Status got = read(head, size - kMarkBytes); !got) return tl::unexpected(got.error());
  if (mark == Mark::kTrailer) return check_end(head).map([] { return false; });
  const Result<BlockHead> block = decode_block_head(head, chain_);
  if (!block) return damaged(block.error().message);
  if (Status got = read_content(*block); !got) return tl::unexpected(got.error());
  chain_ = block->hash;
  block_records_ = block->records;
  return true;
}

Status Reader::read_content(const BlockHead& head) {
  std::string stored;
  if (Status got = read(stored, head.stored_bytes); !got) return got;
  if (hash_stored(stored, chain_) != head.hash) return damaged("its checksum does not match");
  Result<std::string> raw = protocol::decompress_frame(stored, head.raw_bytes);
  if (!raw) return damaged(raw.error().message);
  if (raw->size() != head.raw_bytes || raw->empty()) return damaged("its size is not what its head says");
  block_ = std::move(*raw);
  left_ = block_;
  return {};
}

Status Reader::check_end(std::string_view trailer) {
  const Result<Counts> counts = decode_trailer(trailer, chain_);
  if (!counts) return fail(Code::kCorrupt, counts.error().message);
  if (*counts != counts_) return fail(Code::kCorrupt, "its end tells other numbers than its records");
  char more = 0;
  const Result<std::size_t> got = source_({&more, 1});
  if (!got) return tl::unexpected(got.error());
  if (*got != 0) return fail(Code::kCorrupt, "there is more after its end");
  return {};
}

/// Appends exactly `bytes` bytes.
Status Reader::read(std::string& to, std::uint64_t bytes) try {
  std::size_t filled = to.size();
  const std::uint64_t end = filled + bytes;
  while (filled < end) {
    if (filled == to.size()) {
      const std::uint64_t room = std::max<std::uint64_t>(kBelieved, filled);
      to.resize(static_cast<std::size_t>(std::min(end, filled + room)));
    }
    const Result<std::size_t> got = source_(std::span(to).subspan(filled));
    if (!got) return tl::unexpected(got.error());
    filled += *got;
    if (*got != 0) continue;
    to.resize(filled);
    return fail(Code::kCorrupt, "cut off after " + std::to_string(counts_.records()) + " records (about " +
                                    std::to_string(header_.records) + " keys in all)");
  }
  return {};
} catch (const std::bad_alloc&) {
  return fail(Code::kUnavailable, "no memory for a block of " + std::to_string(bytes) + " bytes");
}

tl::unexpected<Error> Reader::damaged(const std::string& what) const {
  return fail(Code::kCorrupt, "damaged after " + std::to_string(counts_.records()) + " records, in block " +
                                  std::to_string(counts_.blocks + 1) + ": " + what);
}

}  // namespace minivault::archive
