// Goal: whatever lies in changes.log, a start finds an end within one ring of the base's checkpoint, only
// whole records before it, and takes what lies beyond for what it is. Method: the input becomes the ring;
// records in it get their LSN and hashes, for no fuzzer guesses these, unless their flags say that they stay
// damaged, or are of another lap.

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "common/core/assert.h"
#include "common/core/unique_fd.h"
#include "common/store/recovery.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/temporary_directory.h"

namespace minivault::fuzz {
namespace {

using namespace store;

constexpr std::uint64_t kRing = 16 << 10;
constexpr Lsn kBegin = 5 * kRing + 4'096;  // not where the ring's file begins
constexpr std::uint8_t kStaysDamaged = 0x40;
constexpr std::uint8_t kOtherLap = 0x20;

struct File {
  test::TemporaryDirectory directory;
  std::string path = directory.path() + "/changes.log";
  Ring ring;
  UniqueFd fd;
  File() {
    MV_ASSERT(Ring::create(path, kRing, 1, kBegin));
    ring = Ring::open(path).value();
    fd.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  }
};

/// The records in `bytes` as a writer would have left them, as far as they fit.
void make_sound(std::string& bytes, std::uint64_t secret) {
  RecordHeader header;
  for (std::uint64_t at = 0; at + sizeof header <= bytes.size();) {
    std::memcpy(&header, bytes.data() + at, sizeof header);
    const std::uint64_t size = record_bytes(header.key_size, header.value_size % (kRing / 4));
    if (at + size > bytes.size()) return;
    header.value_size %= kRing / 4;
    header.lsn = kBegin + at + ((header.flags & kOtherLap) != 0 ? kRing : 0);
    const std::string_view payload(bytes.data() + at + sizeof header, size - sizeof header);
    const std::string_view key = payload.substr(0, header.key_size);
    header.payload_hash = hash_payload(key, payload.substr(key.size(), header.value_size), secret);
    header.header_hash = hash_header(header, secret);
    if ((header.flags & kStaysDamaged) == 0) std::memcpy(bytes.data() + at, &header, sizeof header);
    at += size;
  }
}

}  // namespace

void check(std::string_view input) {
  static const File file;
  std::string bytes(input.substr(0, kRing));
  make_sound(bytes, file.ring.header().secret);
  bytes.resize(kRing);
  // Around the end of the file, as the ring goes.
  const std::uint64_t first = kRing - kBegin % kRing;
  const auto put = [](std::uint64_t offset, std::string_view part) {
    MV_ASSERT(::pwrite(file.fd.get(), part.data(), part.size(),
                       static_cast<off_t>(Ring::kHeaderBytes + offset)) == static_cast<ssize_t>(part.size()));
  };
  put(kBegin % kRing, std::string_view(bytes).substr(0, first));
  put(0, std::string_view(bytes).substr(first));

  const LogExamination found = examine_log(file.ring, kBegin, true);
  MV_ASSERT(found.end >= kBegin && found.end <= kBegin + kRing && found.highest_end >= found.end);
  std::uint64_t records = 0;
  RecordView record;
  for (Lsn at = kBegin; at < found.end; at = record.end(), ++records) {
    MV_ASSERT(file.ring.verify(at, record) && record.header.hlc <= found.largest_hlc);
  }
  MV_ASSERT(records == found.records);
  if (!found.damage_durable_to) return;
  MV_ASSERT(*found.damage_durable_to > found.end && found.highest_end > found.end);
  MV_ASSERT(!describe_damage(found).empty());
}

std::vector<std::string> seeds() {
  const auto record = [](std::string_view key, std::string_view value, std::uint8_t flags) {
    RecordHeader header{};
    header.hlc = 7;
    header.key_size = static_cast<std::uint16_t>(key.size());
    header.value_size = static_cast<std::uint32_t>(value.size());
    header.operation = Operation::kSet;
    header.flags = flags;
    std::string bytes(record_bytes(key.size(), value.size()), '\0');
    std::memcpy(bytes.data(), &header, sizeof header);
    bytes.replace(sizeof header, key.size(), key);
    return bytes.replace(sizeof header + key.size(), value.size(), value);
  };
  const std::string whole = record("key", "value", 0) + record("other", "", kFlagJson);
  return {whole, whole + record("damaged", "x", kStaysDamaged) + record("after it", "y", 0),
          whole + std::string(64, '\0') + record("of another lap", "z", kOtherLap)};
}

}  // namespace minivault::fuzz
