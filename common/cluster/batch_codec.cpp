// The records of a batch or a push. Each is
//
//   head       operation (1 set, 2 delete; never a note), and the bits below
//   [origin]   8 bytes, unless it is that of the record before
//   [hlc]      difference to the record before, zigzag, unless it is 1
//   key size, key, and with a set: value size, value
//
// A value is told by its size and nothing else: the receiver's log makes its own checksum, and the one of the
// frame or of TCP is not what damage is found by, a fingerprint is (range.h).

#include <string>
#include <utility>

#include "common/cluster/message.h"
#include "common/cluster/wire.h"
#include "common/store/record.h"

namespace minivault::cluster {
namespace {

using store::Operation;

constexpr std::uint8_t kOperationBits = 0x03;
constexpr std::uint8_t kJson = 0x04;
constexpr std::uint8_t kOtherOrigin = 0x08;
constexpr std::uint8_t kNextHlc = 0x10;
constexpr std::uint8_t kKnownBits = 0x1F;

constexpr std::uint64_t zigzag(std::uint64_t difference) {
  return (difference << 1U) ^ (0 - (difference >> 63U));
}
constexpr std::uint64_t unzigzag(std::uint64_t value) {
  return (value >> 1U) ^ (0 - (value & 1U));
}

tl::unexpected<Error> damaged(std::string_view message, std::string_view how) {
  return fail(Code::kCorrupt, std::string(message) + ": " + std::string(how));
}

tl::unexpected<Error> bad_record(std::string_view message, std::size_t index, std::string_view how) {
  return fail(Code::kCorrupt,
              std::string(message) + ": record " + std::to_string(index) + ": " + std::string(how));
}

/// Takes one record; the reason why it cannot be one, or nullptr.
const char* take_record(wire::Reader& reader, store::Version& previous, Record& record) {
  const auto head = reader.fixed<std::uint8_t>();
  if (!reader.good()) return "cut off";
  const auto operation = static_cast<Operation>(head & kOperationBits);
  if (operation != Operation::kSet && operation != Operation::kDelete) return "neither a set nor a delete";
  if ((head & ~kKnownBits) != 0) return "unknown flags";
  record.operation = operation;
  record.flags = (head & kJson) != 0 ? store::kFlagJson : 0;
  record.version.origin = (head & kOtherOrigin) != 0 ? reader.fixed<std::uint64_t>() : previous.origin;
  const std::uint64_t step = (head & kNextHlc) != 0 ? 1 : unzigzag(reader.number());
  record.version.hlc = previous.hlc + step;
  record.key = reader.text();
  record.value = operation == Operation::kSet ? reader.text() : std::string_view();
  if (!reader.good()) return "cut off";
  if (record.key.empty() || record.key.size() > store::kLargestKey) return "a key of no or too many bytes";
  if (record.version.hlc == 0 || record.version.origin == 0) return "no version";
  previous = record.version;
  return nullptr;
}

Result<std::vector<Record>> take_records(wire::Reader& reader, NodeId origin, std::string_view message,
                                         std::uint64_t most, std::vector<Record> records) {
  const std::uint64_t count = reader.count(kLeastRecordBytes);
  if (!reader.good()) return damaged(message, "cut off before its records");
  if (count > most) return damaged(message, "more records than fit into one message");
  records.resize(count);  // take_record() sets every field
  store::Version previous{0, origin};
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (const char* wrong = take_record(reader, previous, records[i])) return bad_record(message, i, wrong);
  }
  if (!reader.done()) return damaged(message, "bytes after its last record");
  return records;
}

}  // namespace

void BatchWriter::add(const Record& record) {
  const std::uint64_t step = record.version.hlc - previous_.hlc;
  auto head = static_cast<std::uint8_t>(record.operation);
  if ((record.flags & store::kFlagJson) != 0) head |= kJson;
  if (record.version.origin != previous_.origin) head |= kOtherOrigin;
  if (step == 1) head |= kNextHlc;
  wire::put_fixed(bytes_, head);
  if ((head & kOtherOrigin) != 0) wire::put_fixed(bytes_, record.version.origin);
  if (step != 1) wire::put(bytes_, zigzag(step));
  wire::put_text(bytes_, record.key);
  if (record.operation == Operation::kSet) wire::put_text(bytes_, record.value);
  previous_ = record.version;
  ++records_;
}

std::string BatchWriter::finish(const BatchHead& head) const {
  return this->head(head) + bytes_;
}

std::string BatchWriter::head(const BatchHead& head) const {
  std::string out;
  wire::put_fixed(out, head.epoch);
  wire::put_fixed(out, static_cast<std::uint8_t>(head.jump));
  wire::put(out, head.from);
  wire::put(out, head.to - head.from);
  wire::put_fixed(out, head.hlc);
  wire::put(out, records_);
  return out;
}

std::string BatchWriter::finish_push() const {
  constexpr std::size_t kHeadBytes = 16;
  std::string out;
  out.reserve(kHeadBytes + bytes_.size());
  wire::put(out, records_);
  out += bytes_;
  return out;
}

void BatchWriter::clear(NodeId origin) {
  previous_ = {0, origin};
  records_ = 0;
  bytes_.clear();
}

Result<DecodedBatch> decode_batch(std::string_view bytes, NodeId origin, std::vector<Record> memory) {
  wire::Reader reader(bytes);
  DecodedBatch batch;
  BatchHead& head = batch.head;
  head.epoch = reader.fixed<std::uint64_t>();
  const auto jump = reader.fixed<std::uint8_t>();
  head.jump = jump == 1;
  head.from = reader.number();
  const std::uint64_t length = reader.number();
  head.to = head.from + length;
  head.hlc = reader.fixed<std::uint64_t>();
  if (!reader.good()) return damaged("batch", "cut off in its head");
  if (head.epoch == 0) return damaged("batch", "no epoch");
  if (jump > 1) return damaged("batch", "jump is neither yes nor no");
  if (head.to < head.from) return damaged("batch", "it ends before it begins");
  Result<std::vector<Record>> records =
      take_records(reader, origin, "batch", most_records(bytes.size()), std::move(memory));
  if (!records) return tl::unexpected(records.error());
  for (std::size_t i = 0; i < records->size(); ++i) {
    const store::Version& version = (*records)[i].version;
    if (version.origin != origin) return bad_record("batch", i, "of another origin");
    if (head.hlc != 0 && version.hlc > head.hlc)
      return bad_record("batch", i, "stamped above what the batch covers");
  }
  batch.records = std::move(*records);
  return batch;
}

Result<std::vector<Record>> decode_push(std::string_view bytes) {
  wire::Reader reader(bytes);
  return take_records(reader, 0, "push", most_records(bytes.size()), {});
}

}  // namespace minivault::cluster
