// Goal: every message says what was put into it, and no bytes of a peer make it crash or say anything else.
// Method: each there and back; every truncation and every flipped byte; damage by its name; refusals.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "common/cluster/message.h"
#include "common/cluster/wire.h"
#include "tests/cluster/damage.h"
#include "tests/support/seed.h"

namespace minivault::cluster {
namespace {

MemberSet two_members() {
  MemberSet set;
  CPPUNIT_ASSERT(set.introduce(5, "a:1"));
  CPPUNIT_ASSERT(set.introduce(3, "b:2"));
  set.forget(9);
  return set;
}

Hello hello() {
  Hello message;
  message.id = 5;
  message.epoch = 77;
  message.previous_epoch = 76;
  message.address = "a:1";
  message.clock_us = 1'700'000'000'000'000;
  message.largest_value = 100 << 20;
  message.members = two_members();
  return message;
}

HelloReply hello_reply() {
  HelloReply message;
  message.id = 3;
  message.epoch = 78;
  message.previous_epoch = 75;
  message.address = "b:2";
  message.clock_us = 12;
  message.largest_value = 13;
  message.position = {77, 4096, 99};
  message.complete = true;
  message.has_agreed = true;
  message.members = two_members();
  return message;
}

PulseReply pulse_reply() {
  PulseReply message;
  message.clock_us = 1;
  message.members_digest = 2;
  message.floor_hlc = 3;
  message.settled = {4, 5};
  message.complete = true;
  message.held = {{5, {77, 4096, 99}}, {3, {78, 300, 100}}};
  message.id = 3;
  message.epoch = 78;
  message.backs = true;
  message.agreed_version = 6;
  return message;
}

ReadReply read_reply() {
  ReadReply message;
  message.state = ReadReply::State::kPresent;
  message.complete = true;
  message.members_digest = 21;
  message.flags = 1;
  message.version = {10, 11};
  message.value = "value";
  return message;
}

class MessageTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(MessageTest);
  CPPUNIT_TEST(hello_there_and_back);
  CPPUNIT_TEST(pulse_there_and_back);
  CPPUNIT_TEST(answers_there_and_back);
  CPPUNIT_TEST(a_refusal_is_an_error_with_its_text);
  CPPUNIT_TEST(another_version_is_told_and_nothing_else);
  CPPUNIT_TEST(the_layout_belongs_to_the_version);
  CPPUNIT_TEST(damage_has_a_name);
  CPPUNIT_TEST(hostile_bytes_are_harmless);
  CPPUNIT_TEST_SUITE_END();

 public:
  void hello_there_and_back() {
    const auto out = decode_hello(encode(hello()));
    CPPUNIT_ASSERT(out && out->id == 5 && out->epoch == 77 && out->address == "a:1" && !out->dial_back);
    CPPUNIT_ASSERT(out->clock_us == 1'700'000'000'000'000 && out->largest_value == 100 << 20);
    CPPUNIT_ASSERT(out->members == two_members() && out->previous_epoch == 76);

    Reply refusal = Reply::kBusy;
    const auto reply = decode_hello_reply(encode(hello_reply()), refusal);
    CPPUNIT_ASSERT(refusal == Reply::kOk);
    CPPUNIT_ASSERT(reply && reply->id == 3 && reply->epoch == 78 && reply->address == "b:2");
    CPPUNIT_ASSERT(reply->previous_epoch == 75 && reply->clock_us == 12 && reply->largest_value == 13 &&
                   reply->complete && reply->has_agreed);
    CPPUNIT_ASSERT((reply->position == Position{77, 4096, 99}) && reply->members == two_members());
  }

  void pulse_there_and_back() {
    const Pulse& in = pulse_reply();
    const auto out = decode_pulse(encode(in));
    CPPUNIT_ASSERT(out && out->clock_us == 1 && out->members_digest == 2 && out->floor_hlc == 3);
    CPPUNIT_ASSERT((out->settled == SettledWord{4, 5}));
    CPPUNIT_ASSERT(out->complete && out->held.size() == 2);
    CPPUNIT_ASSERT(out->held[1].origin == 3 && (out->held[1].position == Position{78, 300, 100}));

    Reply refusal = Reply::kBusy;
    const auto reply = decode_pulse_reply(encode(pulse_reply()), refusal);
    CPPUNIT_ASSERT(reply && reply->id == 3 && reply->epoch == 78 && reply->held.size() == 2);
    CPPUNIT_ASSERT(reply->backs && !reply->agreed && reply->agreed_version == 6);
  }

  void answers_there_and_back() {
    Reply refusal = Reply::kBusy;
    const BatchReply batch{8192, 55, {{3, {10, 11}}, {4, {12, 13}}}};
    const auto batch_out = decode_batch_reply(encode(batch), refusal);
    CPPUNIT_ASSERT(batch_out && batch_out->to == 8192 && batch_out->members_digest == 55);
    CPPUNIT_ASSERT(batch_out->conflicts.size() == 2 && batch_out->conflicts[1].index == 4);
    CPPUNIT_ASSERT((batch_out->conflicts[1].held == store::Version{12, 13}));

    const std::string bytes = encode(read_reply());
    const auto read_out = decode_read_reply(bytes, refusal);
    CPPUNIT_ASSERT(read_out && read_out->state == ReadReply::State::kPresent && read_out->complete);
    CPPUNIT_ASSERT(read_out->flags == 1 && read_out->value == "value" && read_out->members_digest == 21);
    CPPUNIT_ASSERT((read_out->version == store::Version{10, 11}));

    for (const bool owed : {false, true}) {
      const std::string debt = encode_debt_reply(owed);
      CPPUNIT_ASSERT_EQUAL(owed, decode_debt_reply(debt, refusal).value());
      CPPUNIT_ASSERT(!decode_debt_reply(debt + '\0', refusal) &&
                     !decode_debt_reply(debt.substr(0, 1), refusal));
    }
    CPPUNIT_ASSERT(!decode_debt_reply(std::string("\0\2", 2), refusal));
  }

  void a_refusal_is_an_error_with_its_text() {
    Reply refusal = Reply::kOk;
    const auto out = decode_batch_reply(encode_refusal(Reply::kGap, "from 9"), refusal);
    CPPUNIT_ASSERT(!out && out.error().code == Code::kUnavailable && refusal == Reply::kGap);
    CPPUNIT_ASSERT_EQUAL(std::string("from 9"), out.error().message);
    CPPUNIT_ASSERT(!decode_hello_reply("", refusal));
    const auto unknown = decode_hello_reply("\x63", refusal);
    CPPUNIT_ASSERT(!unknown && unknown.error().code == Code::kCorrupt);
  }

  void another_version_is_told_and_nothing_else() {
    std::string bytes = encode(hello());
    bytes[0] = 9;
    const auto out = decode_hello(bytes);
    CPPUNIT_ASSERT(out && out->version == 9 && out->id == 0);
    CPPUNIT_ASSERT(decode_hello(bytes.substr(0, 4)));  // whatever that version has behind it
  }

  // Raise kProtocolVersion whenever this fails, and write down the new number. A field that means something
  // else than before, in the same place, nobody but you will notice.
  void the_layout_belongs_to_the_version() {
    const std::size_t no_members = MemberSet().encode().size();
    Hello called = hello();
    HelloReply answered = hello_reply();
    called.members = answered.members = MemberSet();
    CPPUNIT_ASSERT_EQUAL(std::uint32_t{6}, kProtocolVersion);
    CPPUNIT_ASSERT_EQUAL(std::size_t{46}, encode(called).size() - no_members);
    CPPUNIT_ASSERT_EQUAL(std::size_t{59}, encode(answered).size() - no_members);
    CPPUNIT_ASSERT_EQUAL(std::size_t{94}, encode(static_cast<Pulse>(pulse_reply())).size());
    CPPUNIT_ASSERT_EQUAL(std::size_t{121}, encode(pulse_reply()).size());
    CPPUNIT_ASSERT_EQUAL(std::size_t{29}, encode(BatchReply{4096, 2, {{1, {3, 4}}}}).size());
    CPPUNIT_ASSERT_EQUAL(std::size_t{34}, encode(read_reply()).size());
  }

  void damage_has_a_name() {
    Hello nobody = hello();
    nobody.id = 0;
    CPPUNIT_ASSERT_EQUAL(std::string("hello: no node id or no epoch"),
                         decode_hello(encode(nobody)).error().message);
    nobody.dial_back = true;
    CPPUNIT_ASSERT(decode_hello(encode(nobody)));
    Hello long_winded = hello();
    long_winded.address = std::string(301, 'a');
    CPPUNIT_ASSERT_EQUAL(std::string("hello: the address is too long"),
                         decode_hello(encode(long_winded)).error().message);
    Pulse many;
    many.held.resize(MemberSet::kMost + MemberSet::kMostForgotten + 1);
    CPPUNIT_ASSERT_EQUAL(std::string("pulse: positions of too many origins"),
                         decode_pulse(encode(many)).error().message);
    Reply refusal = Reply::kOk;
    const BatchReply unordered{1, 2, {{4, {1, 1}}, {4, {1, 1}}}};
    CPPUNIT_ASSERT_EQUAL(std::string("answer to batch: conflicts out of order"),
                         decode_batch_reply(encode(unordered), refusal).error().message);
    std::string endless;  // an answer that claims 2^60 conflicts
    wire::put_fixed(endless, std::uint8_t{0});
    wire::put(endless, 1);
    wire::put_fixed(endless, std::uint64_t{2});
    wire::put(endless, std::uint64_t{1} << 60);
    CPPUNIT_ASSERT(!decode_batch_reply(endless, refusal));
  }

  void hostile_bytes_are_harmless() {
    std::mt19937_64 random(test::seed());
    Reply refusal = Reply::kOk;
    const auto attack = [&](const std::string& bytes, auto decode, bool any_prefix_is_refused = true) {
      if (any_prefix_is_refused) test::assert_no_truncation_passes(bytes, decode);
      test::decode_every_flip(bytes, decode);
      test::decode_noise(bytes, random, decode);
    };
    attack(encode(hello()), [](std::string_view b) { return decode_hello(b).has_value(); });
    attack(encode(hello_reply()),
           [&](std::string_view b) { return decode_hello_reply(b, refusal).has_value(); });
    attack(encode(static_cast<const Pulse&>(pulse_reply())),
           [](std::string_view b) { return decode_pulse(b).has_value(); });
    attack(encode(pulse_reply()),
           [&](std::string_view b) { return decode_pulse_reply(b, refusal).has_value(); });
    attack(encode(BatchReply{8192, 55, {{3, {10, 11}}, {4, {12, 13}}}}),
           [&](std::string_view b) { return decode_batch_reply(b, refusal).has_value(); });
    attack(encode(read_reply()),
           [&](std::string_view b) { return decode_read_reply(b, refusal).has_value(); });
    attack(encode_debt_reply(true),
           [&](std::string_view b) { return decode_debt_reply(b, refusal).has_value(); });
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(MessageTest, "message_test");

}  // namespace
}  // namespace minivault::cluster
