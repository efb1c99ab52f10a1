// Goal: a batch says what was put into it, in few bytes, and no bytes of a peer make it say anything else or
// crash.
// Method: random batches there and back; every truncation, every flipped byte; damage by its name.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "common/cluster/message.h"
#include "common/cluster/wire.h"
#include "tests/cluster/damage.h"
#include "tests/support/bytes.h"
#include "tests/support/seed.h"

namespace minivault::cluster {
namespace {

constexpr NodeId kOrigin = 0xA1B2C3D4E5F60718;
constexpr std::uint64_t kNow = 0x019A9C3FE8000000;

Record set(std::uint64_t hlc, std::string_view key, std::string_view value, NodeId origin = kOrigin) {
  return {store::Operation::kSet, 0, {hlc, origin}, key, value};
}

std::string batch_of(const std::vector<Record>& records, std::uint64_t hlc = kNow + (1 << 30)) {
  BatchWriter writer(kOrigin);
  for (const Record& record : records) writer.add(record);
  return writer.finish({.epoch = 7, .jump = false, .from = 4096, .to = 8192, .hlc = hlc});
}

std::string why_not(const std::string& bytes) {
  const auto decoded = decode_batch(bytes, kOrigin);
  CPPUNIT_ASSERT(!decoded && decoded.error().code == Code::kCorrupt);
  return decoded.error().message;
}

class BatchCodecTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BatchCodecTest);
  CPPUNIT_TEST(what_went_in_comes_out);
  CPPUNIT_TEST(an_empty_batch_moves_a_position);
  CPPUNIT_TEST(head_and_body_are_the_whole);
  CPPUNIT_TEST(nothing_of_an_earlier_batch_is_left_in_its_memory);
  CPPUNIT_TEST(records_need_no_order);
  CPPUNIT_TEST(a_small_record_costs_six_bytes_more);
  CPPUNIT_TEST(damage_has_a_name);
  CPPUNIT_TEST(a_count_that_cannot_be_allocates_nothing);
  CPPUNIT_TEST(a_message_has_so_many_records_at_most);
  CPPUNIT_TEST(hostile_bytes_are_harmless);
  CPPUNIT_TEST(a_push_takes_any_origin);
  CPPUNIT_TEST_SUITE_END();

 public:
  void what_went_in_comes_out() {
    std::mt19937_64 random(test::seed());
    for (int round = 0; round < 50; ++round) {
      std::vector<std::string> texts;
      std::vector<Record> records;
      std::uint64_t hlc = kNow;
      const std::size_t count = random() % 60;
      for (std::size_t i = 0; i < 2 * count; ++i) texts.push_back(test::random_bytes(random, random() % 300));
      for (std::size_t i = 0; i < count; ++i) {
        hlc += 1 + (random() % 3 == 0 ? random() % (1 << 24) : 0);
        texts[2 * i] += 'k';
        const bool erase = random() % 4 == 0;
        records.push_back({erase ? store::Operation::kDelete : store::Operation::kSet,
                           static_cast<std::uint8_t>(random() % 2),
                           {hlc, kOrigin},
                           texts[2 * i],
                           erase ? std::string_view() : std::string_view(texts[2 * i + 1])});
      }
      const std::string bytes = batch_of(records, hlc);
      const auto decoded = decode_batch(bytes, kOrigin);
      CPPUNIT_ASSERT_MESSAGE(decoded ? "" : decoded.error().message, decoded);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{7}, decoded->head.epoch);
      CPPUNIT_ASSERT(decoded->head.from == 4096 && decoded->head.to == 8192 && decoded->head.hlc == hlc);
      CPPUNIT_ASSERT_EQUAL(records.size(), decoded->records.size());
      for (std::size_t i = 0; i < count; ++i) {
        const Record& in = records[i];
        const Record& out = decoded->records[i];
        CPPUNIT_ASSERT(in.operation == out.operation && in.flags == out.flags && in.version == out.version);
        CPPUNIT_ASSERT(in.key == out.key && in.value == out.value);
      }
    }
  }

  void an_empty_batch_moves_a_position() {
    const std::string bytes =
        BatchWriter(kOrigin).finish({.epoch = 9, .jump = true, .from = 64, .to = 64, .hlc = 5});
    const auto decoded = decode_batch(bytes, kOrigin);
    CPPUNIT_ASSERT(decoded && decoded->records.empty());
    CPPUNIT_ASSERT(decoded->head.jump && decoded->head.from == 64 && decoded->head.to == 64);
  }

  void head_and_body_are_the_whole() {
    BatchWriter writer(kOrigin);
    const BatchHead head{.epoch = 7, .jump = false, .from = 4096, .to = 8192, .hlc = kNow + 9};
    for (std::uint64_t i = 0; i < 300; ++i) writer.add(set(kNow + i % 9 + i * 10, "key", "value"));
    CPPUNIT_ASSERT(writer.head(head) + std::string(writer.body()) == writer.finish(head));
  }

  void nothing_of_an_earlier_batch_is_left_in_its_memory() {
    Record json = set(kNow, "first", "a value");
    json.flags = store::kFlagJson;
    const std::string earlier = batch_of({json, set(kNow + 1, "second", "another"), set(kNow + 2, "c", "d")});
    auto decoded = decode_batch(earlier, kOrigin);
    CPPUNIT_ASSERT(decoded && decoded->records.size() == 3);
    const Record* const memory = decoded->records.data();
    const std::string later = batch_of({{store::Operation::kDelete, 0, {kNow + 3, kOrigin}, "k", {}}});
    decoded = decode_batch(later, kOrigin, std::move(decoded->records));
    CPPUNIT_ASSERT(decoded && decoded->records.size() == 1 && decoded->records.data() == memory);
    const Record& only = decoded->records.front();
    CPPUNIT_ASSERT(only.operation == store::Operation::kDelete && only.flags == 0);
    CPPUNIT_ASSERT(only.key == "k" && only.value.empty() && only.version.hlc == kNow + 3);
  }

  // What an origin had forgotten came back to its log by repair, key by key.
  void records_need_no_order() {
    BatchWriter writer(kOrigin);
    for (const std::uint64_t hlc : {kNow + 2, kNow, kNow + 1, kNow + 1}) {
      writer.add(set(hlc, "k" + std::to_string(writer.records()), "v"));
    }
    const std::string bytes = writer.finish({.epoch = 1, .from = 8, .to = 16, .hlc = kNow + 2});
    const Result<DecodedBatch> batch = decode_batch(bytes, kOrigin);
    CPPUNIT_ASSERT_MESSAGE(batch ? "" : batch.error().message, batch.has_value());
    CPPUNIT_ASSERT_EQUAL(kNow, batch->records[1].version.hlc);
    CPPUNIT_ASSERT_EQUAL(kNow + 1, batch->records[3].version.hlc);
  }

  void a_small_record_costs_six_bytes_more() {
    BatchWriter writer(kOrigin);
    std::mt19937_64 random(1);
    const std::string value(90, 'v');
    std::uint64_t hlc = kNow;
    for (int i = 0; i < 2'000; ++i) {
      hlc += i % 10 == 0 ? 1 << 16 : 1;  // ten writes a ms
      writer.add(set(hlc, "key:" + std::to_string(100'000 + i), value));
    }
    const double each = static_cast<double>(writer.bytes()) / 2'000 - 100;
    CPPUNIT_ASSERT_MESSAGE(std::to_string(each), each < 6.0);
  }

  void damage_has_a_name() {
    const std::string good = batch_of({set(kNow, "k", "v")});
    CPPUNIT_ASSERT_EQUAL(std::string("batch: cut off in its head"), why_not(good.substr(0, 12)));
    CPPUNIT_ASSERT_EQUAL(std::string("batch: record 0: cut off"), why_not(good.substr(0, good.size() - 1)));
    CPPUNIT_ASSERT_EQUAL(std::string("batch: bytes after its last record"), why_not(good + 'x'));
    CPPUNIT_ASSERT_EQUAL(std::string("batch: no epoch"), why_not(std::string(8, '\0') + good.substr(8)));
    CPPUNIT_ASSERT_EQUAL(std::string("batch: record 0: stamped above what the batch covers"),
                         why_not(batch_of({set(kNow, "k", "v")}, kNow - 1)));
    const std::string vouches_for_none = batch_of({set(kNow, "k", "v")}, 0);
    CPPUNIT_ASSERT(decode_batch(vouches_for_none, kOrigin));
    CPPUNIT_ASSERT_EQUAL(std::string("batch: record 0: of another origin"),
                         why_not(batch_of({set(kNow, "k", "v", kOrigin + 1)})));
    CPPUNIT_ASSERT_EQUAL(std::string("batch: record 0: a key of no or too many bytes"),
                         why_not(batch_of({set(kNow, "", "v")})));
    CPPUNIT_ASSERT_EQUAL(std::string("batch: record 0: a key of no or too many bytes"),
                         why_not(batch_of({set(kNow, std::string(65'536, 'k'), "v")})));
    CPPUNIT_ASSERT_EQUAL(std::string("batch: record 0: neither a set nor a delete"),
                         why_not(batch_of({{store::Operation::kNote, 0, {kNow, kOrigin}, "members", ""}})));
    std::string wraps;
    wire::put_fixed(wraps, std::uint64_t{7});
    wire::put_fixed(wraps, std::uint8_t{0});
    wire::put(wraps, ~std::uint64_t{0} - 4);
    wire::put(wraps, 100);
    wire::put_fixed(wraps, std::uint64_t{1});
    wire::put(wraps, 0);
    CPPUNIT_ASSERT_EQUAL(std::string("batch: it ends before it begins"), why_not(wraps));
  }

  void a_count_that_cannot_be_allocates_nothing() {
    std::string bytes;
    wire::put_fixed(bytes, std::uint64_t{7});
    wire::put_fixed(bytes, std::uint8_t{0});
    wire::put(bytes, 1);
    wire::put(bytes, 1);
    wire::put_fixed(bytes, std::uint64_t{1});
    wire::put(bytes, std::uint64_t{1} << 60);
    CPPUNIT_ASSERT_EQUAL(std::string("batch: cut off before its records"), why_not(bytes));
    std::string push;
    wire::put(push, std::uint64_t{1} << 60);
    CPPUNIT_ASSERT(!decode_push(push));
  }

  // As many as the largest page of a repair can have, whatever it is that fits into a message.
  void a_message_has_so_many_records_at_most() {
    const auto push_of = [](std::size_t count, std::size_t value_bytes) {
      const std::string value(value_bytes, 'x');
      BatchWriter writer(0);
      writer.add(set(kNow, "k", value));
      for (std::size_t i = 1; i < count; ++i) {
        writer.add({store::Operation::kDelete, 0, {kNow + i, kOrigin}, "k", {}});
      }
      return writer.finish_push();
    };
    const auto most = decode_push(push_of(kMostRecords, 0));
    CPPUNIT_ASSERT(most && most->size() == kMostRecords);
    const auto more = decode_push(push_of(kMostRecords + 1, 0));
    CPPUNIT_ASSERT(!more);
    CPPUNIT_ASSERT_EQUAL(std::string("push: more records than fit into one message"), more.error().message);
    CPPUNIT_ASSERT(decode_push(push_of(2, kMostBytesOfMany - 100)));
    CPPUNIT_ASSERT(decode_push(push_of(1, kMostBytesOfMany + 100)));
    CPPUNIT_ASSERT(!decode_push(push_of(2, kMostBytesOfMany + 100)));
    BatchWriter batch(kOrigin);
    for (std::size_t i = 0; i <= kMostRecords; ++i) {
      batch.add({store::Operation::kDelete, 0, {kNow + i, kOrigin}, "k", {}});
    }
    CPPUNIT_ASSERT_EQUAL(std::string("batch: more records than fit into one message"),
                         why_not(batch.finish({.epoch = 7, .jump = false, .from = 1, .to = 2, .hlc = 0})));
  }

  void hostile_bytes_are_harmless() {
    std::mt19937_64 random(test::seed());
    const std::string bytes = batch_of(
        {set(kNow, "a", "1"), set(kNow + 1, "bc", std::string(200, 'x')), set(kNow + (1 << 20), "d", "")});
    const auto decode = [](std::string_view view) { return decode_batch(view, kOrigin).has_value(); };
    test::assert_no_truncation_passes(bytes, decode);
    test::decode_every_flip(bytes, decode);
    test::decode_noise(bytes, random, decode);
  }

  void a_push_takes_any_origin() {
    BatchWriter writer(0);
    const std::vector<Record> records = {set(kNow, "a", "1", 5),
                                         set(kNow - 9, "b", "2", 9),
                                         {store::Operation::kDelete, 0, {kNow, 9}, "c", ""}};
    for (const Record& record : records) writer.add(record);
    const std::string bytes = writer.finish_push();
    const auto decoded = decode_push(bytes);
    CPPUNIT_ASSERT(decoded && decoded->size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      CPPUNIT_ASSERT((*decoded)[i].version == records[i].version && (*decoded)[i].key == records[i].key);
    }
    const auto decode = [](std::string_view view) { return decode_push(view).has_value(); };
    test::assert_no_truncation_passes(bytes, decode);
    test::decode_every_flip(bytes, decode);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BatchCodecTest, "batch_codec_test");

}  // namespace
}  // namespace minivault::cluster
