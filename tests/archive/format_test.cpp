// Goal: an archive that is not exactly what was written is refused, saying why; one that is comes back whole.
// Method: named damage: every cut, every flipped byte, blocks out of place, claims that cannot be.

#include <cppunit/extensions/HelperMacros.h>

#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "common/archive/reader.h"
#include "common/archive/writer.h"
#include "tests/support/bytes.h"
#include "tests/support/seed.h"

namespace minivault::archive {
namespace {

struct Item {
  store::Operation operation = store::Operation::kSet;
  std::uint8_t flags = 0;
  store::Version version;
  std::string key;
  std::string value;
  bool operator==(const Item&) const = default;
};

constexpr Header kHeader{1, 2, 3'000, 4, 5, 6};

class FormatTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(FormatTest);
  CPPUNIT_TEST(test_everything_comes_back);
  CPPUNIT_TEST(test_an_empty_archive);
  CPPUNIT_TEST(test_the_bytes_of_the_readme);
  CPPUNIT_TEST(test_cut_anywhere);
  CPPUNIT_TEST(test_cut_at_every_block_edge);
  CPPUNIT_TEST(test_every_flipped_byte);
  CPPUNIT_TEST(test_blocks_out_of_place);
  CPPUNIT_TEST(test_not_an_archive);
  CPPUNIT_TEST(test_a_newer_version);
  CPPUNIT_TEST(test_more_after_the_end);
  CPPUNIT_TEST(test_claims_cost_nothing);
  CPPUNIT_TEST(test_a_failing_sink_and_source);
  CPPUNIT_TEST_SUITE_END();

  /// The pieces that the writer hands out: header, then head and content of each block, then the end.
  static std::vector<std::string> pieces_of(const std::vector<Item>& items) {
    std::vector<std::string> pieces;
    Writer writer([&pieces](std::string_view bytes) -> Status {
      pieces.emplace_back(bytes);
      return {};
    });
    CPPUNIT_ASSERT(writer.begin(kHeader));
    for (const Item& item : items) {
      CPPUNIT_ASSERT(writer.add({item.operation, item.flags, item.version, item.key, item.value}));
    }
    CPPUNIT_ASSERT(writer.finish());
    return pieces;
  }

  static std::string joined(const std::vector<std::string>& pieces) {
    std::string bytes;
    for (const std::string& piece : pieces) bytes += piece;
    return bytes;
  }

  /// A source that gives at most `at_once` bytes a call.
  static Source source_of(const std::string& bytes, std::size_t at_once = ~std::size_t{0}) {
    return [&bytes, at_once, at = std::size_t{0}](std::span<char> room) mutable -> Result<std::size_t> {
      const std::size_t size = std::min({room.size(), bytes.size() - at, at_once});
      std::memcpy(room.data(), bytes.data() + at, size);
      at += size;
      return size;
    };
  }

  static Result<std::vector<Item>> read(const std::string& bytes, std::size_t at_once = ~std::size_t{0}) {
    Result<Reader> reader = Reader::open(source_of(bytes, at_once));
    if (!reader) return tl::unexpected(reader.error());
    std::vector<Item> items;
    while (true) {
      const Result<std::optional<Record>> record = reader->next();
      if (!record) return tl::unexpected(record.error());
      if (!*record) return items;
      const Record& r = **record;
      items.push_back({r.operation, r.flags, r.version, std::string(r.key), std::string(r.value)});
    }
  }

  static void assert_refused(const std::string& bytes, const std::string& because) {
    const auto items = read(bytes);
    CPPUNIT_ASSERT_MESSAGE(because, !items);
    CPPUNIT_ASSERT(items.error().code == Code::kCorrupt);
    CPPUNIT_ASSERT_MESSAGE(items.error().message, items.error().message.find(because) != std::string::npos);
  }

  static std::vector<Item> small_items(unsigned count) {
    std::vector<Item> items;
    for (unsigned i = 0; i < count; ++i) {
      items.push_back({store::Operation::kSet,
                       static_cast<std::uint8_t>(i % 2),
                       {i + 1, 7},
                       "k" + std::to_string(i),
                       std::string(i % 50, 'v')});
    }
    return items;
  }

  /// Several blocks whose content does not compress.
  static std::vector<Item> large_items() {
    std::mt19937_64 random(1);
    std::vector<Item> items;
    for (unsigned i = 0; i < 8; ++i) {
      items.push_back({store::Operation::kSet,
                       0,
                       {i + 1, 7},
                       "k" + std::to_string(i),
                       test::random_bytes(random, kBlockBytes / 2)});
    }
    return items;
  }

 public:
  void test_everything_comes_back() {
    std::mt19937_64 random(test::seed());
    std::vector<Item> items = small_items(2'000);
    items.push_back({store::Operation::kDelete, 0, {~std::uint64_t{0}, ~std::uint64_t{0}}, "gone", ""});
    items.push_back({store::Operation::kNote, 0, {9, 9}, "note", "fact"});
    items.push_back({store::Operation::kSet, 255, {9, 9}, test::random_bytes(random, 65'535), ""});
    items.push_back(
        {store::Operation::kSet, 0, {9, 9}, std::string(1, '\0'), test::random_bytes(random, 5 << 20)});
    items.push_back({store::Operation::kSet, 0, {9, 9}, "last", std::string(3 << 20, 'z')});
    const std::string bytes = joined(pieces_of(items));
    for (const std::size_t at_once : {std::size_t{1}, std::size_t{1'000}, bytes.size()}) {
      const auto back = read(bytes, at_once);
      CPPUNIT_ASSERT_MESSAGE(back ? "" : back.error().message, back.has_value());
      CPPUNIT_ASSERT(*back == items);
    }
    auto reader = Reader::open(source_of(bytes));
    CPPUNIT_ASSERT(reader->header().lsn == 3'000 && reader->header().node_id == 2 &&
                   reader->header().records == 6);
    while (reader->next().value()) {
    }
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2'003}, reader->counts().keys);
    CPPUNIT_ASSERT(reader->counts().tombstones == 1 && reader->counts().notes == 1);
  }

  void test_an_empty_archive() {
    const std::string bytes = joined(pieces_of({}));
    CPPUNIT_ASSERT_EQUAL(kHeaderBytes + kTrailerBytes, bytes.size());
    CPPUNIT_ASSERT(read(bytes).value().empty());
  }

  void test_the_bytes_of_the_readme() {
    const auto pieces = pieces_of({{store::Operation::kSet, 1, {0x0102030405060708, 7}, "a", "\"b\""}});
    CPPUNIT_ASSERT_EQUAL(std::size_t{4}, pieces.size());
    CPPUNIT_ASSERT_EQUAL(std::string("MVBACKUP"), pieces[0].substr(0, 8));
    CPPUNIT_ASSERT_EQUAL(std::string("01000000000000000100000000000000"),
                         test::to_hex(pieces[0].substr(8, 16)));
    CPPUNIT_ASSERT_EQUAL(std::string("BLOK"), pieces[1].substr(0, 4));
    CPPUNIT_ASSERT_EQUAL(std::string("010000001c00000000000000"), test::to_hex(pieces[1].substr(4, 12)));
    CPPUNIT_ASSERT_EQUAL(std::string("28b52ffd"), test::to_hex(pieces[2].substr(0, 4)));
    CPPUNIT_ASSERT_EQUAL(std::string("END."), pieces[3].substr(0, 4));
    std::string record;
    append_record(record, {store::Operation::kSet, 1, {0x0102030405060708, 7}, "a", "\"b\""});
    CPPUNIT_ASSERT_EQUAL(std::string("08070605040302010700000000000000030000000100010161226222"),
                         test::to_hex(record));
  }

  void test_cut_anywhere() {
    const std::string bytes = joined(pieces_of(small_items(100)));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      assert_refused(bytes.substr(0, size), size < 8 ? "not a minivault backup" : "cut off");
    }
  }

  void test_cut_at_every_block_edge() {
    const auto pieces = pieces_of(large_items());
    CPPUNIT_ASSERT(pieces.size() > 8);
    std::string bytes;
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
      bytes += pieces[i];
      assert_refused(bytes, "cut off after " + std::to_string(i / 2 * 2) + " records (about 6 keys");
    }
  }

  void test_every_flipped_byte() {
    const std::string bytes = joined(pieces_of(small_items(60)));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (const int bit : {1, 128}) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ bit);
        CPPUNIT_ASSERT_MESSAGE("byte " + std::to_string(at), !read(damaged));
      }
    }
    const auto pieces = pieces_of(large_items());
    std::string damaged = joined(pieces);
    damaged[pieces[0].size() + pieces[1].size() + pieces[2].size() + kBlockHeadBytes + 1'000] ^= 1;
    assert_refused(damaged, "damaged after 2 records, in block 2: its checksum does not match");
  }

  void test_blocks_out_of_place() {
    const auto sound = pieces_of(large_items());
    auto swapped = sound;
    std::swap(swapped[1], swapped[3]);
    std::swap(swapped[2], swapped[4]);
    assert_refused(joined(swapped), "not in its place");
    auto doubled = sound;
    doubled.insert(doubled.begin() + 3, sound.begin() + 1, sound.begin() + 3);
    assert_refused(joined(doubled), "not in its place");
    auto missing = sound;
    missing.erase(missing.begin() + 1, missing.begin() + 3);
    assert_refused(joined(missing), "not in its place");
    auto no_last = sound;
    no_last.erase(no_last.end() - 3, no_last.end() - 1);
    assert_refused(joined(no_last), "a part before it is missing");
    auto others_end = sound;
    others_end.back() = pieces_of(small_items(3)).back();
    assert_refused(joined(others_end), "a part before it is missing");
  }

  void test_not_an_archive() {
    assert_refused("", "not a minivault backup");
    assert_refused("{\"key\":\"a dump\"}" + std::string(100, ' '), "not a minivault backup");
    assert_refused(std::string(200, '\0'), "not a minivault backup");
  }

  void test_a_newer_version() {
    std::string bytes = joined(pieces_of({}));
    bytes[8] = 2;  // and whatever its checksum is made of
    assert_refused(bytes, "written by a newer version (format 2, this one reads 1)");
  }

  void test_more_after_the_end() {
    const std::string bytes = joined(pieces_of(small_items(3)));
    assert_refused(bytes + '\0', "more after its end");
    assert_refused(bytes + bytes, "more after its end");
  }

  /// Whoever can write a head with a right hash can claim anything: it must not cost memory.
  void test_claims_cost_nothing() {
    Chain chain = 0;
    const auto header = encode_header(kHeader, chain);
    for (const std::uint64_t claimed : {kLargestBlock + 1, kLargestBlock, std::uint64_t{1} << 32}) {
      const auto head = encode_block_head({1, claimed, claimed, 0}, chain);
      const std::string bytes =
          std::string(header.data(), header.size()) + std::string(head.data(), head.size());
      assert_refused(bytes, claimed > kLargestBlock ? "size cannot be" : "cut off");
    }
  }

  void test_a_failing_sink_and_source() {
    Writer writer([](std::string_view) -> Status { return fail(Code::kNoSpace, "full"); });
    CPPUNIT_ASSERT(writer.begin(kHeader).error().code == Code::kNoSpace);
    const auto reader =
        Reader::open([](std::span<char>) -> Result<std::size_t> { return fail(Code::kIo, "gone"); });
    CPPUNIT_ASSERT(!reader && reader.error().code == Code::kIo);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(FormatTest, "format_test");

}  // namespace
}  // namespace minivault::archive
