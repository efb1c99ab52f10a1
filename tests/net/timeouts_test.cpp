// Goal: time-outs expire in time and in order, restart, stop, and forget what died; lists stay whole
// meanwhile.

#include "common/net/timeouts.h"

#include <cppunit/extensions/HelperMacros.h>

#include <memory>
#include <string>

#include "common/net/list.h"

namespace minivault::net {
namespace {

struct OtherTag;

struct Element : TimeoutHook, ListHook<OtherTag> {
  explicit Element(char element_name) : name(element_name) {}
  char name;
};

}  // namespace

class TimeoutsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(TimeoutsTest);
  CPPUNIT_TEST(expires_in_time_and_in_order);
  CPPUNIT_TEST(starting_again_begins_anew);
  CPPUNIT_TEST(stopped_and_dead_elements_do_not_expire);
  CPPUNIT_TEST(an_element_is_in_one_list_of_a_kind);
  CPPUNIT_TEST(elements_may_leave_while_they_are_visited);
  CPPUNIT_TEST_SUITE_END();

 public:
  void expires_in_time_and_in_order() {
    timeouts_.start(a_, 0);
    timeouts_.start(b_, 5);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, timeouts_.next_deadline_ms().value());
    CPPUNIT_ASSERT(timeouts_.expired(99) == nullptr);
    CPPUNIT_ASSERT(timeouts_.expired(104) == &a_);
    CPPUNIT_ASSERT(timeouts_.expired(104) == nullptr);
    CPPUNIT_ASSERT(timeouts_.expired(105) == &b_);
    CPPUNIT_ASSERT(!timeouts_.next_deadline_ms().has_value());
  }

  void starting_again_begins_anew() {
    timeouts_.start(a_, 0);
    timeouts_.start(b_, 1);
    timeouts_.start(a_, 50);
    CPPUNIT_ASSERT(timeouts_.expired(149) == &b_);
    CPPUNIT_ASSERT(timeouts_.expired(149) == nullptr);
    CPPUNIT_ASSERT(timeouts_.expired(150) == &a_);
  }

  void stopped_and_dead_elements_do_not_expire() {
    auto mortal = std::make_unique<Element>('m');
    timeouts_.start(a_, 0);
    timeouts_.start(*mortal, 0);
    timeouts_.stop(a_);
    CPPUNIT_ASSERT(!timeouts_.running(a_));
    CPPUNIT_ASSERT(timeouts_.running(*mortal));
    mortal.reset();
    CPPUNIT_ASSERT(timeouts_.expired(1'000) == nullptr);
  }

  void an_element_is_in_one_list_of_a_kind() {
    List<Element, OtherTag> first;
    List<Element, OtherTag> second;
    first.push_back(a_);
    timeouts_.start(a_, 0);
    second.push_back(a_);
    CPPUNIT_ASSERT(first.empty());
    CPPUNIT_ASSERT(second.pop_front() == &a_);
    CPPUNIT_ASSERT(second.pop_front() == nullptr);
    CPPUNIT_ASSERT(timeouts_.running(a_));
  }

  void elements_may_leave_while_they_are_visited() {
    List<Element, OtherTag> list;
    for (Element* element : {&a_, &b_, &c_}) list.push_back(*element);
    std::string seen;
    list.for_each([&](Element& element) {
      seen += element.name;
      if (element.name == 'b') List<Element, OtherTag>::remove(element);
    });
    CPPUNIT_ASSERT_EQUAL(std::string("abc"), seen);
    CPPUNIT_ASSERT(!(List<Element, OtherTag>::contains(b_)));
    CPPUNIT_ASSERT(list.pop_front() == &a_);
    CPPUNIT_ASSERT(list.pop_front() == &c_);
    CPPUNIT_ASSERT(list.empty());
  }

 private:
  Timeouts<Element> timeouts_{100};
  Element a_{'a'};
  Element b_{'b'};
  Element c_{'c'};
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(TimeoutsTest, "timeouts_test");

}  // namespace minivault::net
