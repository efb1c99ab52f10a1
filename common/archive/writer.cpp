#include "common/archive/writer.h"

#include <new>

#include "common/protocol/compression.h"

namespace minivault::archive {
namespace {

template <std::size_t kSize>
std::string_view view(const std::array<char, kSize>& bytes) {
  return {bytes.data(), bytes.size()};
}

}  // namespace

Status Writer::begin(const Header& header) {
  return sink_(view(encode_header(header, chain_)));
}

Status Writer::add(const Record& record) try {
  append_record(block_, record);
  ++block_records_;
  counts_.add(record);
  if (block_.size() >= kBlockBytes) return close_block();
  return {};
} catch (const std::bad_alloc&) {
  return fail(Code::kUnavailable, "no memory for a block of records");
}

Status Writer::close_block() {
  if (block_records_ == 0) return {};
  const Result<std::string> stored = protocol::compress_frame(block_);
  if (!stored) return tl::unexpected(stored.error());
  const BlockHead head{block_records_, block_.size(), stored->size(), hash_stored(*stored, chain_)};
  if (Status sent = sink_(view(encode_block_head(head, chain_))); !sent) return sent;
  if (Status sent = sink_(*stored); !sent) return sent;
  chain_ = head.hash;
  ++counts_.blocks;
  block_records_ = 0;
  // What one large value took is not kept for the small ones after it.
  if (block_.capacity() > 4 * kBlockBytes) block_ = std::string();
  block_.clear();
  return {};
}

Status Writer::finish() {
  if (Status closed = close_block(); !closed) return closed;
  return sink_(view(encode_trailer(counts_, chain_)));
}

}  // namespace minivault::archive
