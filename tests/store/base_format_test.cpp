// Goal: the bytes are those of SCHEMA.md. Method: the dumps are read from that page.

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "common/store/base_format.h"
#include "tests/store/base_support.h"
#include "tests/support/source_directory.h"

namespace minivault::store {
namespace {

using base_support::must;

/// The `hex` blocks of the page, as bytes.
std::vector<std::string> dumps_of_schema() {
  std::ifstream page(test::source_directory() / "common/store/SCHEMA.md");
  std::vector<std::string> dumps;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```")) {
      inside = line == "```hex";
      if (inside) dumps.emplace_back();
      continue;
    }
    std::istringstream words(inside ? line : "");
    for (std::string word; words >> word;) dumps.back() += static_cast<char>(std::stoi(word, nullptr, 16));
  }
  return dumps;
}

class BaseFormatTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BaseFormatTest);
  CPPUNIT_TEST(test_dumps);
  CPPUNIT_TEST(test_round_trip_by_key_length);
  CPPUNIT_TEST(test_hash_depends_on_seed_and_whole_key);
  CPPUNIT_TEST(test_damaged_hashed_keys);
  CPPUNIT_TEST_SUITE_END();

  static constexpr std::uint64_t kSeed = 42;
  static constexpr Version kVersion{0x019a000000000001, 0x0123456789abcdef};

  static std::string encoded(const base::StoredKey& key, const BaseRecord& record) {
    std::string bytes(base::record_bytes(key, record), '\0');
    base::encode_record(key, record, bytes.data());
    return bytes;
  }

 public:
  void test_dumps() {
    const auto dumps = dumps_of_schema();
    CPPUNIT_ASSERT_EQUAL(std::size_t{5}, dumps.size());
    const std::string long_key(500, 'k');
    const base::StoredKey hashed(long_key, kSeed);
    CPPUNIT_ASSERT(dumps[0] == hashed.bytes().substr(base::kKeyPrefix));
    const BaseRecord record{Operation::kSet, kFlagJson, kVersion, "\"hello\""};
    CPPUNIT_ASSERT(dumps[1] == encoded(base::StoredKey("user:1", kSeed), record));
    CPPUNIT_ASSERT(dumps[2] + long_key + "\"hello\"" == encoded(hashed, record));
    const BaseRecord note{Operation::kNote, 0, kVersion, "4096"};
    CPPUNIT_ASSERT(dumps[3] == encoded(base::StoredKey("seen", kSeed), note));

    BaseMeta meta;
    meta.store_id = 0x1111111111111111;
    meta.node_id = kVersion.origin;
    meta.checkpoint = 4'096;
    meta.last_hlc = kVersion.hlc;
    meta.keys = 3;
    meta.tombstones = 1;
    meta.ring_bytes = 256U << 20U;
    meta.starts = 2;
    meta.key_hash_seed = kSeed;
    const auto bytes = base::encode_meta(meta);
    CPPUNIT_ASSERT(dumps[4] == std::string(bytes.begin(), bytes.end()));
  }

  void test_round_trip_by_key_length() {
    for (const std::size_t length : {1, 493, 494, 495, 496, 510, 511, 512, 65'535}) {
      const std::string key(length, 'k');
      const base::StoredKey stored_key(key, kSeed);
      CPPUNIT_ASSERT_EQUAL(length <= 494 ? length : std::size_t{511}, stored_key.bytes().size());
      const std::string bytes = encoded(stored_key, {Operation::kDelete, 0, kVersion, {}});
      const auto decoded = must(base::decode_record(base::Table::kData, stored_key.bytes(), bytes));
      CPPUNIT_ASSERT(decoded.key == key);
      CPPUNIT_ASSERT(decoded.record.operation == Operation::kDelete && decoded.record.value.empty());
      CPPUNIT_ASSERT(decoded.record.version == kVersion);
    }
  }

  void test_hash_depends_on_seed_and_whole_key() {
    const std::string key(1'000, 'k');
    const std::string other = key.substr(1) + 'l';
    const base::StoredKey stored(key, kSeed);
    CPPUNIT_ASSERT(stored.bytes() != base::StoredKey(key, kSeed + 1).bytes());
    CPPUNIT_ASSERT(stored.bytes() != base::StoredKey(other, kSeed).bytes());
    CPPUNIT_ASSERT(stored.bytes() == base::StoredKey(key, kSeed).bytes());
  }

  void test_damaged_hashed_keys() {
    const std::string key(600, 'k');
    const base::StoredKey stored_key(key, kSeed);
    const std::string sound = encoded(stored_key, {Operation::kSet, 0, kVersion, "v"});
    const auto refused = [&](std::string_view stored_under, const std::string& bytes,
                             const std::string& because) {
      const auto decoded = base::decode_record(base::Table::kData, stored_under, bytes);
      CPPUNIT_ASSERT(!decoded && decoded.error().code == Code::kCorrupt);
      CPPUNIT_ASSERT_MESSAGE(decoded.error().message,
                             decoded.error().message.find(because) != std::string::npos);
    };
    refused(stored_key.bytes(), sound.substr(0, 24 + 599), "shorter than the key");
    refused(stored_key.bytes().substr(0, 500), sound, "500 bytes, which no key has");
    std::string damaged = sound;
    damaged[24] = 'x';
    refused(stored_key.bytes(), damaged, "another prefix");
    damaged = sound;
    damaged[18] = damaged[19] = 0;
    refused(stored_key.bytes(), damaged, "too short to be hashed");
    refused("short", sound, "beside a short stored key");
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BaseFormatTest, "base_format_test");

}  // namespace
}  // namespace minivault::store
