// Goal: an administrator is told who keeps old pages of the base alive, and for how long. Method: snapshots
// held over commits, looked at with a clock of the test's own.

#include "common/store/reader_watch.h"

#include <cppunit/extensions/HelperMacros.h>

#include <optional>

#include <memory>

#include "tests/store/base_support.h"

namespace minivault::store {

using namespace base_support;

class ReaderWatchTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ReaderWatchTest);
  CPPUNIT_TEST(nobody_looks);
  CPPUNIT_TEST(the_oldest_is_told_with_its_age);
  CPPUNIT_TEST(looks_twice_a_second);
  CPPUNIT_TEST_SUITE_END();

 public:
  void nobody_looks() {
    const TemporaryDirectory directory;
    Base base = must(Base::open_writer(directory.path(), kMapBytes));
    fill(base, 1);
    const Base::Readers readers = base.readers();
    CPPUNIT_ASSERT_EQUAL(0U, readers.looking);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, readers.oldest_commit);
    CPPUNIT_ASSERT(readers.newest_commit > 0);
  }

  void the_oldest_is_told_with_its_age() {
    const TemporaryDirectory directory;
    Base base = must(Base::open_writer(directory.path(), kMapBytes));
    fill(base, 1);
    ReaderWatch watch;
    watch.look(*totals_, base, 1'000);
    assert_told(0, 0, 0);
    std::optional<Base::Snapshot> snapshot = must(base.snapshot());
    watch.look(*totals_, base, 2'000);
    assert_told(1, 0, 2'000);
    fill(base, 1, 2);
    fill(base, 1, 3);
    watch.look(*totals_, base, 9'000);
    assert_told(1, 2, 2'000);
    must(snapshot->renew());
    watch.look(*totals_, base, 12'000);
    assert_told(1, 0, 12'000);
    snapshot->reset();
    watch.look(*totals_, base, 13'000);
    assert_told(0, 0, 0);
  }

  void looks_twice_a_second() {
    const TemporaryDirectory directory;
    Base base = must(Base::open_writer(directory.path(), kMapBytes));
    fill(base, 1);
    ReaderWatch watch;
    watch.look(*totals_, base, 1'000);
    const Base::Snapshot snapshot = must(base.snapshot());
    watch.look(*totals_, base, 1'499);
    assert_told(0, 0, 0);
    watch.look(*totals_, base, 1'500);
    assert_told(1, 0, 1'500);
  }

 private:
  void assert_told(std::uint64_t looking, std::uint64_t lag, std::uint64_t since_ms) const {
    CPPUNIT_ASSERT_EQUAL(looking, totals_->base_readers.load());
    CPPUNIT_ASSERT_EQUAL(lag, totals_->oldest_reader_lag.load());
    CPPUNIT_ASSERT_EQUAL(since_ms, totals_->oldest_reader_since_ms.load());
  }

  std::unique_ptr<shared::Totals> totals_ = std::make_unique<shared::Totals>();
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ReaderWatchTest, "reader_watch_test");

}  // namespace minivault::store
