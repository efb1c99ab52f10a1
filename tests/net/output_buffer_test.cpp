// Goal: bytes leave in order, never before their hold is released, whether copied or borrowed; memory goes
// back. Method: single cases by hand, then a seeded model of the stream with random holds, sends and keeps.

#include "common/net/output_buffer.h"

#include <cppunit/extensions/HelperMacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/seed.h"

namespace minivault::net {

class OutputBufferTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(OutputBufferTest);
  CPPUNIT_TEST(small_answers_need_no_memory);
  CPPUNIT_TEST(what_is_held_stays);
  CPPUNIT_TEST(a_lower_mark_behind_a_higher_changes_nothing);
  CPPUNIT_TEST(holds_at_one_place_become_the_highest);
  CPPUNIT_TEST(what_is_before_a_hold_leaves);
  CPPUNIT_TEST(nothing_passes_the_gate);
  CPPUNIT_TEST(what_the_gate_keeps_can_be_changed);
  CPPUNIT_TEST(large_bytes_are_lent_and_small_ones_copied);
  CPPUNIT_TEST(keeping_copies_what_has_not_left);
  CPPUNIT_TEST(frozen_bytes_leave_in_their_turn_and_are_not_copied);
  CPPUNIT_TEST(a_part_of_frozen_bytes_leaves_when_nothing_holds_it);
  CPPUNIT_TEST(keeping_copies_round_what_is_frozen);
  CPPUNIT_TEST(gathers_as_far_as_the_pieces_suffice);
  CPPUNIT_TEST(settles_back_into_itself);
  CPPUNIT_TEST(agrees_with_a_model);
  CPPUNIT_TEST_SUITE_END();

 public:
  void small_answers_need_no_memory() {
    append(std::string(OutputBuffer::kInsideBytes, 'a'));
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, pool_.kept());
    CPPUNIT_ASSERT_EQUAL(std::string(OutputBuffer::kInsideBytes, 'a'), sendable());
    append("b");
    CPPUNIT_ASSERT_EQUAL(std::string(OutputBuffer::kInsideBytes, 'a') + "b", sendable());
  }

  void what_is_held_stays() {
    output_.hold(10);
    append("answer");
    CPPUNIT_ASSERT_EQUAL(std::string(), sendable());
    CPPUNIT_ASSERT_EQUAL(std::size_t{6}, output_.backlog());
    output_.release(9);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, output_.next_mark());
    CPPUNIT_ASSERT_EQUAL(std::string(), sendable());
    output_.release(10);
    CPPUNIT_ASSERT(!output_.held());
    CPPUNIT_ASSERT_EQUAL(std::string("answer"), sendable());
  }

  void a_lower_mark_behind_a_higher_changes_nothing() {
    output_.hold(10);
    append("first");
    output_.hold(5);
    append("second");
    output_.release(5);
    CPPUNIT_ASSERT_EQUAL(std::string(), sendable());
    output_.release(10);
    CPPUNIT_ASSERT_EQUAL(std::string("firstsecond"), sendable());
  }

  void holds_at_one_place_become_the_highest() {
    output_.hold(5);
    output_.hold(10);
    append("answer");
    output_.release(5);
    CPPUNIT_ASSERT_EQUAL(std::string(), sendable());
    output_.release(10);
    CPPUNIT_ASSERT_EQUAL(std::string("answer"), sendable());
  }

  void what_is_before_a_hold_leaves() {
    append("now");
    output_.hold(5);
    append("later");
    output_.hold(10);
    append("last");
    CPPUNIT_ASSERT_EQUAL(std::string("now"), sendable());
    output_.sent(2);
    CPPUNIT_ASSERT_EQUAL(std::string("w"), sendable());
    output_.release(5);
    CPPUNIT_ASSERT_EQUAL(std::string("wlater"), sendable());
    output_.release(10);
    CPPUNIT_ASSERT_EQUAL(std::string("wlaterlast"), sendable());
  }

  void nothing_passes_the_gate() {
    append("now");
    output_.set_gate(output_.end_place());
    append("later");
    CPPUNIT_ASSERT_EQUAL(std::string("now"), sendable());
    output_.hold(5);
    append("last");
    output_.release(5);
    CPPUNIT_ASSERT_EQUAL(std::string("now"), sendable());
    output_.sent(3);
    CPPUNIT_ASSERT_EQUAL(std::string(), sendable());
    output_.set_gate(8);
    CPPUNIT_ASSERT_EQUAL(std::string("later"), sendable());
    output_.sent(2);
    CPPUNIT_ASSERT_EQUAL(std::string("ter"), sendable());
    output_.set_gate(OutputBuffer::kOpen);
    CPPUNIT_ASSERT_EQUAL(std::string("terlast"), sendable());
  }

  void what_the_gate_keeps_can_be_changed() {
    const std::string large(OutputBuffer::kBorrowFrom, 'L');
    append("gone");
    CPPUNIT_ASSERT_EQUAL(std::string("gone"), sendable());
    output_.sent(4);
    output_.set_gate(output_.end_place());
    append("ab");
    CPPUNIT_ASSERT(output_.append_borrowed(large));
    append("cd");
    CPPUNIT_ASSERT(output_.append_borrowed(large));
    append("ef");
    const std::uint64_t second = 4 + 2 + large.size();
    const std::uint64_t third = second + 2 + large.size();
    output_.replace(4, 'A');
    output_.replace(second, 'C');
    output_.replace(second + 1, 'D');
    output_.replace(third + 1, 'F');
    CPPUNIT_ASSERT(output_.keep());
    output_.replace(third, 'E');
    output_.set_gate(OutputBuffer::kOpen);
    CPPUNIT_ASSERT("Ab" + large + "CD" + large + "EF" == sendable());
  }

  void large_bytes_are_lent_and_small_ones_copied() {
    std::string large(OutputBuffer::kBorrowFrom, 'l');
    std::string small(OutputBuffer::kBorrowFrom - 1, 's');
    CPPUNIT_ASSERT(output_.append_borrowed(large) && output_.append_borrowed(small));
    std::fill(large.begin(), large.end(), 'L');
    std::fill(small.begin(), small.end(), 'S');
    CPPUNIT_ASSERT(sendable() == large + std::string(small.size(), 's'));
  }

  void keeping_copies_what_has_not_left() {
    std::string large(100'000, 'l');
    append("head");
    CPPUNIT_ASSERT(output_.append_borrowed(large));
    append("tail");
    output_.sent(4 + 60'000);
    CPPUNIT_ASSERT(output_.keep());
    std::fill(large.begin(), large.end(), 'L');
    CPPUNIT_ASSERT(sendable() == std::string(40'000, 'l') + "tail");
    CPPUNIT_ASSERT_EQUAL(std::size_t{40'004}, output_.backlog());
  }

  void frozen_bytes_leave_in_their_turn_and_are_not_copied() {
    append("head");
    const auto frozen = freeze("0123456789");
    output_.append_frozen(frozen, 2, 7);
    append("tail");
    CPPUNIT_ASSERT_EQUAL(std::size_t{15}, output_.sendable());
    CPPUNIT_ASSERT_EQUAL(std::string("head"), sendable());
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, output_.frozen_in_front().size);
    output_.sent(4);
    CPPUNIT_ASSERT_EQUAL(std::string(), sendable());
    CPPUNIT_ASSERT_EQUAL(std::string("2345678"), front());
    output_.sent(3);
    CPPUNIT_ASSERT(output_.keep());
    output_.settle();
    CPPUNIT_ASSERT_EQUAL(frozen->fd(), output_.frozen_in_front().fd);
    CPPUNIT_ASSERT_EQUAL(std::string("5678"), front());
    CPPUNIT_ASSERT(frozen.use_count() > 1);
    output_.sent(4);
    CPPUNIT_ASSERT_EQUAL(1L, frozen.use_count());
    CPPUNIT_ASSERT_EQUAL(std::string("tail"), sendable());
  }

  void a_part_of_frozen_bytes_leaves_when_nothing_holds_it() {
    output_.set_gate(3);
    output_.append_frozen(freeze("abcdef"), 0, 6);
    CPPUNIT_ASSERT_EQUAL(std::string("abc"), front());
    output_.sent(3);
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, output_.frozen_in_front().size);
    output_.set_gate(OutputBuffer::kOpen);
    CPPUNIT_ASSERT_EQUAL(std::string("def"), front());
  }

  void keeping_copies_round_what_is_frozen() {
    std::string first(40'000, 'f');
    std::string second(50'000, 's');
    append("1");
    CPPUNIT_ASSERT(output_.append_borrowed(first));
    append("2");
    output_.append_frozen(freeze("frozen"), 0, 6);
    append("3");
    CPPUNIT_ASSERT(output_.append_borrowed(second));
    append("4");
    output_.sent(11);
    CPPUNIT_ASSERT(output_.keep());
    const std::string before = std::string(39'990, 'f') + "2";
    const std::string after = "3" + second + "4";
    std::fill(first.begin(), first.end(), 'F');
    std::fill(second.begin(), second.end(), 'S');
    CPPUNIT_ASSERT(sendable() == before);
    output_.sent(before.size());
    CPPUNIT_ASSERT_EQUAL(std::string("frozen"), front());
    output_.sent(6);
    CPPUNIT_ASSERT(sendable() == after);
    CPPUNIT_ASSERT_EQUAL(after.size(), output_.backlog());
  }

  void gathers_as_far_as_the_pieces_suffice() {
    const std::string large(OutputBuffer::kBorrowFrom, 'l');
    for (int i = 0; i < 4; ++i) {
      append("head");
      CPPUNIT_ASSERT(output_.append_borrowed(large));
    }
    std::array<iovec, 5> few;
    CPPUNIT_ASSERT_EQUAL(std::size_t{4}, output_.gather(few).size());
    std::array<iovec, 20> many;
    CPPUNIT_ASSERT_EQUAL(std::size_t{8}, output_.gather(many).size());
  }

  void settles_back_into_itself() {
    append(std::string(1'000, 'a') + "end");
    output_.sent(1'000);
    output_.settle();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, pool_.kept());
    CPPUNIT_ASSERT_EQUAL(std::string("end"), sendable());
    output_.sent(3);
    output_.settle();
    CPPUNIT_ASSERT(output_.empty());
  }

  void agrees_with_a_model() {
    std::mt19937_64 random(test::seed());
    std::string stream;                                       // all that was ever appended
    std::deque<std::pair<std::size_t, std::uint64_t>> holds;  // place in it, mark
    std::size_t left = 0;
    std::uint64_t mark = 0;
    std::uint64_t reached = 0;
    std::deque<std::string> lent;
    for (int step = 0; step < 20'000; ++step) {
      switch (random() % 6) {
        case 0: {
          const std::string bytes(random() % 300, static_cast<char>('a' + random() % 26));
          append(bytes);
          stream += bytes;
          break;
        }
        case 1: {
          if (stream.size() - left > 1'000'000) break;
          lent.emplace_back(random() % 40'000, static_cast<char>('A' + random() % 26));
          CPPUNIT_ASSERT(output_.append_borrowed(lent.back()));
          stream += lent.back();
          break;
        }
        case 2:
          mark = std::max(mark, reached) + random() % 10;
          if (mark <= reached) break;
          holds.emplace_back(stream.size(), mark);
          output_.hold(mark);
          break;
        case 3:
          reached += random() % 10;
          output_.release(reached);
          while (!holds.empty() && holds.front().second <= reached) holds.pop_front();
          break;
        case 4: {
          const std::size_t bytes = output_.sendable() == 0 ? 0 : random() % (output_.sendable() + 1);
          output_.sent(bytes);
          left += bytes;
          break;
        }
        default:
          CPPUNIT_ASSERT(output_.keep());
          lent.clear();
          output_.settle();
      }
      const std::size_t until = holds.empty() ? stream.size() : holds.front().first;
      CPPUNIT_ASSERT_EQUAL(until - left, output_.sendable());
      CPPUNIT_ASSERT_EQUAL(stream.size() - left, output_.backlog());
      if (step % 16 == 0) CPPUNIT_ASSERT(sendable() == stream.substr(left, until - left));
      if (left > 10'000'000) break;
    }
  }

 private:
  static std::shared_ptr<const FrozenBytes> freeze(const std::string& bytes) {
    auto frozen = FrozenBytes::copy_of(bytes);
    CPPUNIT_ASSERT(frozen != nullptr);
    return frozen;
  }
  /// The frozen bytes that may leave next.
  [[nodiscard]] std::string front() const {
    const OutputBuffer::Frozen frozen = output_.frozen_in_front();
    std::string bytes(frozen.size, '?');
    const ssize_t got = ::pread(frozen.fd, bytes.data(), bytes.size(), static_cast<off_t>(frozen.offset));
    CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(bytes.size()), got);
    return bytes;
  }

  void append(const std::string& bytes) { CPPUNIT_ASSERT(output_.append(bytes)); }

  [[nodiscard]] std::string sendable() const {
    std::array<iovec, 256> pieces;
    std::string bytes;
    for (const iovec& piece : output_.gather(pieces)) {
      bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    }
    return bytes;
  }

  BlockPool pool_;
  OutputBuffer output_{pool_};
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(OutputBufferTest, "output_buffer_test");

}  // namespace minivault::net
