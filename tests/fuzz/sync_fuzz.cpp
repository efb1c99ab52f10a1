// Goal: whatever a peer sends, a message is decoded to something that means the same when it is written
// again, or refused. Method: the first byte says which message; what was decoded is encoded, decoded and
// encoded once more: both encodings are equal. Notes, which are read from disk, are among them.

#include "common/cluster/message.h"
#include "common/cluster/notes.h"
#include "common/cluster/range.h"
#include "common/core/assert.h"
#include "tests/fuzz/fuzz.h"

namespace minivault::fuzz {
namespace {

using namespace cluster;

constexpr NodeId kOrigin = 7;

template <typename Decode, typename Encode>
void check_pair(std::string_view input, Decode&& decode, Encode&& encode) {
  const auto first = decode(input);
  if (!first) return;
  const std::string written = encode(*first);
  const auto second = decode(written);
  MV_ASSERT(second);
  MV_ASSERT(encode(*second) == written);
}

std::string written(const DecodedBatch& batch) {
  BatchWriter writer(kOrigin);
  for (const Record& record : batch.records) writer.add(record);
  return writer.finish(batch.head);
}
std::string written_push(const std::vector<Record>& records) {
  BatchWriter writer(0);
  for (const Record& record : records) writer.add(record);
  return writer.finish_push();
}
std::string written_fetch(const std::vector<std::string_view>& keys) {
  return encode_fetch({keys.begin(), keys.end()});
}

/// What encode() has no twin for: decoding alone.
void check_replies(std::string_view input) {
  Reply refusal = Reply::kOk;
  (void)decode_hello_reply(input, refusal);
  (void)decode_pulse_reply(input, refusal);
  (void)decode_batch_reply(input, refusal);
  (void)decode_read_reply(input, refusal);
  (void)decode_debt_reply(input, refusal);
  (void)decode_ranges(input);
  (void)decode_items(input);
  (void)decode_bucket_sums(input);
  (void)decode_compare_reply(input);
  (void)decode_position(input);
}

}  // namespace

void check(std::string_view input) {
  const auto encode_any = [](const auto& message) { return encode(message); };
  switch (take_byte(input) % 15) {
    case 0:
      return check_pair(input, decode_hello, encode_any);
    case 1:
      return check_pair(input, decode_pulse, [](const Pulse& pulse) { return encode(pulse); });
    case 2:
      return check_pair(
          input, [](std::string_view bytes) { return decode_batch(bytes, kOrigin); }, written);
    case 3:
      return check_pair(input, decode_push, written_push);
    case 4:
      return check_pair(input, decode_split, encode_any);
    case 5:
      return check_pair(input, decode_sums, encode_any);
    case 6:
      return check_pair(input, decode_span, encode_any);
    case 7:
      return check_pair(input, decode_fetch, written_fetch);
    case 8:
      return (void)decode_records(input);
    case 9:
      return check_replies(input);
    case 10:
      return check_pair(input, MemberSet::decode, [](const MemberSet& set) { return set.encode(); });
    case 11:
      return check_pair(input, EpochList::decode, [](const EpochList& list) { return list.encode(); });
    case 12:
      return check_pair(input, decode_page_request, encode_any);
    case 13:
      return check_pair(input, decode_lookup, encode_any);
    default:
      check_pair(input, decode_settled, encode_settled);
      return check_pair(input, decode_away, encode_away);
  }
}

std::vector<std::string> seeds() {
  MemberSet members;
  (void)members.introduce(1, "a:1");
  (void)members.introduce(2, "b:2");
  (void)members.forget(2);
  EpochList epochs;
  epochs.begin(3, 4'096);
  epochs.begin(4, 8'192);
  Hello hello;
  hello.id = 1;
  hello.address = "a:1";
  hello.members = members;
  Pulse pulse;
  pulse.held.push_back({2, {3, 4'096, 5}});
  BatchWriter batch(kOrigin);
  batch.add({store::Operation::kSet, 1, {9, kOrigin}, "key", "\"v\""});
  batch.add({store::Operation::kDelete, 0, {10, kOrigin}, "other", ""});
  BatchWriter push(0);
  push.add({store::Operation::kSet, 0, {9, 8}, "key", "value"});
  Span span;
  const auto seed = [](char kind, const std::string& bytes) { return kind + bytes; };
  return {seed(0, encode(hello)),
          seed(1, encode(pulse)),
          seed(2, batch.finish({3, false, 4'096, 8'192, 10})),
          seed(3, push.finish_push()),
          seed(4, encode(SplitRequest{span, 100})),
          seed(5, encode(SumsRequest{1, {"a", "b"}, "c"})),
          seed(6, encode(span)),
          seed(7, encode_fetch({"a", "b"})),
          seed(8, encode_records(push.finish_push(), "next")),
          seed(9, encode(BatchReply{4'096, 1, {{0, {9, 8}}}})),
          seed(10, members.encode()),
          seed(11, epochs.encode()),
          seed(12, encode(PageRequest{span, "key", {}})),
          seed(13, encode(LookupRequest{1, {"a", "b"}})),
          seed(14, encode_settled({})),
          seed(14, encode_away({}))};
}

}  // namespace minivault::fuzz
