// Goal: a record is what FORMAT.md says, byte for byte, and nothing else is ever taken for one.
// Method: the document's hex dump is parsed and compared; every bit of a record is flipped; stale and forged
// records.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <xxhash.h>

#include <fstream>
#include <sstream>

#include "common/store/large_hash.h"
#include "common/store/record.h"
#include "tests/support/bytes.h"
#include "tests/support/source_directory.h"

namespace minivault::test {
namespace {

using store::RecordHeader;
using store::RecordView;

constexpr std::uint64_t kSecret = 0x0123456789ABCDEF;
constexpr std::uint64_t kLargest = 1 << 20;

/// The record that FORMAT.md shows.
constexpr store::Lsn kLsn = 0x11000;
constexpr std::string_view kKey = "greeting";
constexpr std::string_view kValue = "\"hello\"";

std::string record(store::Lsn lsn, std::string_view key, std::string_view value,
                   std::uint64_t secret = kSecret) {
  RecordHeader header{};
  header.lsn = lsn;
  header.hlc = 0x019A9C3FE8000002;
  header.origin = 0xA1B2C3D4E5F60718;
  header.payload_hash = store::hash_payload(key, value, secret);
  header.durable_lag = 3;
  header.value_size = static_cast<std::uint32_t>(value.size());
  header.key_size = static_cast<std::uint16_t>(key.size());
  header.operation = store::Operation::kSet;
  header.flags = store::kFlagJson;
  header.header_hash = store::hash_header(header, secret);
  std::string bytes(store::record_bytes(key.size(), value.size()), '\0');
  std::memcpy(bytes.data(), &header, sizeof header);
  key.copy(bytes.data() + sizeof header, key.size());
  value.copy(bytes.data() + sizeof header + key.size(), value.size());
  return bytes;
}

bool valid(const std::string& bytes, store::Lsn lsn, std::uint64_t largest = kLargest) {
  // Room behind, as in the ring: a damaged size must not lead beyond it.
  std::string room = bytes;
  room.resize(std::max<std::size_t>(bytes.size(), 0) + kLargest);
  RecordView view;
  return store::verify_record(reinterpret_cast<const std::byte*>(room.data()), lsn, largest, kSecret, view);
}

/// The bytes of the block ```record in FORMAT.md: offset, up to 16 bytes in hex, then whatever explains them.
std::string documented() {
  std::ifstream file(source_directory() / "common/store/FORMAT.md");
  std::string hex;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```")) {
      inside = line == "```record";
    } else if (inside) {
      hex += line.substr(6, 47);
    }
  }
  return from_hex(hex);
}

std::string dump(const std::string& bytes) {
  std::ostringstream out;
  for (std::size_t at = 0; at < bytes.size(); at += 16) {
    char offset[24];
    std::snprintf(offset, sizeof offset, "%04zx  ", at);
    out << '\n' << offset;
    for (const char c : bytes.substr(at, 16)) out << to_hex({&c, 1}) << ' ';
  }
  return out.str();
}

}  // namespace

class RecordTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RecordTest);
  CPPUNIT_TEST(document_shows_the_bytes);
  CPPUNIT_TEST(fields_where_the_document_says);
  CPPUNIT_TEST(every_flipped_bit_is_refused);
  CPPUNIT_TEST(only_at_its_own_lsn);
  CPPUNIT_TEST(values_cannot_pose_as_records);
  CPPUNIT_TEST(large_values_hash_alike);
  CPPUNIT_TEST(key_and_value_are_told_apart);
  CPPUNIT_TEST(sizes_at_the_edges);
  CPPUNIT_TEST(what_no_writer_writes);
  CPPUNIT_TEST(durable_is_capped);
  CPPUNIT_TEST_SUITE_END();

 public:
  void document_shows_the_bytes() {
    const std::string bytes = record(kLsn, kKey, kValue);
    CPPUNIT_ASSERT_MESSAGE(dump(bytes), documented() == bytes);
    CPPUNIT_ASSERT(valid(documented(), kLsn));
  }

  void fields_where_the_document_says() {
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, offsetof(RecordHeader, lsn));
    CPPUNIT_ASSERT_EQUAL(std::size_t{8}, offsetof(RecordHeader, hlc));
    CPPUNIT_ASSERT_EQUAL(std::size_t{16}, offsetof(RecordHeader, origin));
    CPPUNIT_ASSERT_EQUAL(std::size_t{24}, offsetof(RecordHeader, payload_hash));
    CPPUNIT_ASSERT_EQUAL(std::size_t{32}, offsetof(RecordHeader, header_hash));
    CPPUNIT_ASSERT_EQUAL(std::size_t{36}, offsetof(RecordHeader, durable_lag));
    CPPUNIT_ASSERT_EQUAL(std::size_t{40}, offsetof(RecordHeader, value_size));
    CPPUNIT_ASSERT_EQUAL(std::size_t{44}, offsetof(RecordHeader, key_size));
    CPPUNIT_ASSERT_EQUAL(std::size_t{46}, offsetof(RecordHeader, operation));
    CPPUNIT_ASSERT_EQUAL(std::size_t{47}, offsetof(RecordHeader, flags));
  }

  /// The padding behind the value is the one thing that no hash covers: it says nothing.
  void every_flipped_bit_is_refused() {
    const std::string whole = record(kLsn, kKey, kValue);
    const std::size_t covered = sizeof(RecordHeader) + kKey.size() + kValue.size();
    CPPUNIT_ASSERT(valid(whole, kLsn));
    for (std::size_t at = 0; at < covered; ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ (1U << bit));
        CPPUNIT_ASSERT_MESSAGE("byte " + std::to_string(at), !valid(damaged, kLsn));
      }
    }
    for (std::size_t cut = 0; cut < covered; ++cut) {
      std::string torn = whole;
      std::fill(torn.begin() + static_cast<std::ptrdiff_t>(cut), torn.end(), '\0');
      CPPUNIT_ASSERT_MESSAGE("torn at " + std::to_string(cut), !valid(torn, kLsn));
    }
  }

  void only_at_its_own_lsn() {
    const std::string bytes = record(kLsn, kKey, kValue);
    RecordView view;
    for (const store::Lsn other : {kLsn + 8, kLsn - 8, kLsn + (16U << 20), store::Lsn{0}, shared::kNoLsn}) {
      CPPUNIT_ASSERT(!valid(bytes, other));
      CPPUNIT_ASSERT(
          !store::view_record(reinterpret_cast<const std::byte*>(bytes.data()), other, kLargest, view));
    }
  }

  /// A client who knows the LSN its value will have, and everything but the secret.
  void values_cannot_pose_as_records() {
    const store::Lsn inner = kLsn + sizeof(RecordHeader) + kKey.size();
    for (const std::uint64_t guess : {std::uint64_t{0}, kSecret + 1, ~kSecret}) {
      const std::string forged = record(inner, "admin", "all of it", guess);
      const std::string outer = record(kLsn, kKey, forged);
      CPPUNIT_ASSERT(valid(outer, kLsn));
      CPPUNIT_ASSERT(!valid(outer.substr(sizeof(RecordHeader) + kKey.size()), inner));
    }
    CPPUNIT_ASSERT(valid(record(inner, "admin", "all of it"), inner));
  }

  /// Whatever vectors the processor has: files are read by other machines.
  void large_values_hash_alike() {
    std::string value;
    for (std::size_t i = 0; i < (1U << 20) + 1; ++i) value += static_cast<char>(i * i / 7);
    for (const std::size_t size : {store::kLargeHash - 1, store::kLargeHash, store::kLargeHash + 1,
                                   std::size_t{10'000}, std::size_t{1} << 20, value.size()}) {
      const std::uint64_t key_hash = XXH3_64bits_withSeed("key", 3, kSecret);
      const std::string_view part = std::string_view(value).substr(0, size);
      CPPUNIT_ASSERT_EQUAL(static_cast<std::uint64_t>(XXH3_64bits_withSeed(part.data(), size, key_hash)),
                           store::hash_payload("key", part, kSecret));
    }
  }

  void key_and_value_are_told_apart() {
    CPPUNIT_ASSERT(store::hash_payload("ab", "c", kSecret) != store::hash_payload("a", "bc", kSecret));
    CPPUNIT_ASSERT(store::hash_payload("a", "", kSecret) != store::hash_payload("", "a", kSecret));
  }

  void sizes_at_the_edges() {
    for (const std::size_t key : {std::size_t{1}, std::size_t{7}, std::size_t{8}, store::kLargestKey}) {
      for (const std::size_t value : {std::size_t{0}, std::size_t{1}, std::size_t{8}, std::size_t{100'000}}) {
        const std::string bytes = record(kLsn, std::string(key, 'k'), std::string(value, 'v'));
        CPPUNIT_ASSERT(bytes.size() % store::kRecordAlignment == 0);
        CPPUNIT_ASSERT(bytes.size() - (sizeof(RecordHeader) + key + value) < store::kRecordAlignment);
        CPPUNIT_ASSERT(valid(bytes, kLsn));
        CPPUNIT_ASSERT(valid(bytes, kLsn, bytes.size()));
        CPPUNIT_ASSERT(!valid(bytes, kLsn, bytes.size() - 1));
      }
    }
  }

  /// Sealed with the right secret, yet not something to replay.
  void what_no_writer_writes() {
    std::string bytes = record(kLsn, "", "value");
    CPPUNIT_ASSERT(!valid(bytes, kLsn));
    for (const unsigned operation : {0U, 4U, 255U}) {
      bytes = record(kLsn, kKey, kValue);
      RecordHeader header;
      std::memcpy(&header, bytes.data(), sizeof header);
      header.operation = static_cast<store::Operation>(operation);
      header.header_hash = store::hash_header(header, kSecret);
      std::memcpy(bytes.data(), &header, sizeof header);
      CPPUNIT_ASSERT(!valid(bytes, kLsn));
    }
  }

  void durable_is_capped() {
    RecordHeader header{};
    header.lsn = 1'000;
    header.durable_lag = 5;
    CPPUNIT_ASSERT_EQUAL(store::Lsn{960}, header.durable());
    header.durable_lag = 1'000;
    CPPUNIT_ASSERT_EQUAL(store::Lsn{0}, header.durable());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RecordTest, "record_test");

}  // namespace minivault::test
