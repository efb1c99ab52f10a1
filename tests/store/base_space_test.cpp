// Goal: no room, in the map, on the disk or in the address space, is an error that leaves the base as it was
// and usable; a disk that fails is another error, and final. Method: small maps; a small tmpfs in a mount
// namespace of a child's own; limits set in a child; faulty_disk.h.

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "tests/store/base_support.h"
#include "tests/store/faulty_disk.h"

namespace minivault::store {
namespace {

using namespace base_support;
using Channel = Child::Channel;

constexpr int kSkipped = 77;

class BaseSpaceTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BaseSpaceTest);
  CPPUNIT_TEST(test_full_map);
  CPPUNIT_TEST(test_full_disk);
  CPPUNIT_TEST(test_largest_map);
  CPPUNIT_TEST(test_limited_address_space);
  CPPUNIT_TEST(test_no_address_space);
  CPPUNIT_TEST(test_failed_sync_is_final);
  CPPUNIT_TEST_SUITE_END();

  /// Writes keys of `value_bytes` until there is no room; what was committed before must stay as it was.
  static void fill_until_refused(Base& base, std::size_t value_bytes) {
    const BaseMeta before = must(must(base.snapshot()).meta());
    const std::string value(value_bytes, 'x');
    Status written;
    {
      auto transaction = must(base.begin());
      for (int i = 0; i < 10'000 && written; ++i) {
        written = transaction.apply("more " + std::to_string(i), set(2, value), true);
      }
      if (written) {
        written = transaction.commit();
      } else {
        CPPUNIT_ASSERT(!transaction.commit());
      }
    }
    CPPUNIT_ASSERT(!written);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(written.error().message, Code::kNoSpace, written.error().code);
    const auto snapshot = must(base.snapshot());
    CPPUNIT_ASSERT_EQUAL(before.keys, must(snapshot.meta()).keys);
    CPPUNIT_ASSERT_EQUAL(before.last_hlc, must(snapshot.meta()).last_hlc);
    CPPUNIT_ASSERT(!must(snapshot.get("more 0")).has_value());
  }

  static std::uint64_t address_space_in_use() {
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }

  static void limit_address_space(std::uint64_t more_bytes) {
    const std::uint64_t bytes = address_space_in_use() + more_bytes;
    const rlimit limit{bytes, bytes};
    CPPUNIT_ASSERT_EQUAL(0, ::setrlimit(RLIMIT_AS, &limit));
  }

  static void mount_small_disk(const std::string& where) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("small", where.c_str(), "tmpfs", 0, "size=4m") != 0) {
      ::_exit(kSkipped);
    }
  }

 public:
  void test_full_map() {
    const TemporaryDirectory directory;
    constexpr std::uint64_t kSmallMap = 1 << 20;
    {
      auto base = must(Base::open_writer(directory.path(), kSmallMap));
      CPPUNIT_ASSERT_EQUAL(kSmallMap, base.map_bytes());
      fill(base, 500);
      fill_until_refused(base, 100);
      fill_until_refused(base, 10'000);
      fill_until_refused(base, 2'000'000);
      fill(base, 510, 2);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{510}, must(must(base.snapshot()).meta()).keys);
    }
    auto base = must(Base::open_writer(directory.path(), 64 * kSmallMap));
    fill(base, 20'000, 3);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{20'000}, must(must(base.snapshot()).meta()).keys);
  }

  /// Needs the right to mount; says so where there is none.
  void test_full_disk() {
    const TemporaryDirectory directory;
    Child child([&](const Channel&) {
      mount_small_disk(directory.path());
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      fill(base, 500);
      fill_until_refused(base, 1'000);
      fill_until_refused(base, 10'000'000);  // one write(2) of which the disk takes a part
      { std::ofstream(directory.file("hog")) << std::string(10'000'000, 'x'); }
      fill_until_refused(base, 10'000'000);
      std::filesystem::remove(directory.file("hog"));
      fill(base, 600, 2);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{600}, must(must(base.snapshot()).meta()).keys);
    });
    const int status = child.wait();
    if (status == kSkipped) std::cerr << "test_full_disk: skipped, no right to mount\n";
    CPPUNIT_ASSERT(status == 0 || status == kSkipped);
  }

  void test_largest_map() {
    const TemporaryDirectory directory;
    auto base = must(Base::open_writer(directory.path()));
    CPPUNIT_ASSERT(base.map_bytes() >= kMapBytes);
    std::cerr << "map of " << base.map_bytes() << " bytes\n";
    fill(base, 10);
    CPPUNIT_ASSERT(base.used_bytes() >= 5 * 4'096 && base.used_bytes() < 20 * 4'096);
  }

  void test_limited_address_space() {
    const TemporaryDirectory directory;
    Child child([&](const Channel& channel) {
      limit_address_space(std::uint64_t{20} << 30U);
      const auto base = must(Base::open_writer(directory.path()));
      channel.send(base.map_bytes());
    });
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{16} << 30U, child.channel().receive());
    CPPUNIT_ASSERT_EQUAL(0, child.wait());
  }

  void test_no_address_space() {
    const TemporaryDirectory directory;
    Child child([&](const Channel&) {
      limit_address_space(std::uint64_t{500} << 20U);
      for (const std::uint64_t map_bytes : {std::uint64_t{0}, kMapBytes}) {
        const auto base = Base::open_writer(directory.path(), map_bytes);
        CPPUNIT_ASSERT(!base && base.error().code == Code::kUnavailable);
        CPPUNIT_ASSERT(base.error().message.find("address space") != std::string::npos);
      }
      CPPUNIT_ASSERT(!std::filesystem::exists(base_file(directory)));
    });
    CPPUNIT_ASSERT_EQUAL(0, child.wait());
  }

  void test_failed_sync_is_final() {
    const TemporaryDirectory directory;
    {
      auto base = must(Base::open_writer(directory.path(), kMapBytes));
      fill(base, 10);
      auto transaction = must(base.begin());
      must(transaction.apply("key 1", tombstone(2), false));
      test::disk_faults().sync_error = EIO;
      const Status committed = transaction.commit();
      test::disk_faults().sync_error = 0;
      CPPUNIT_ASSERT(!committed && committed.error().code == Code::kIo);
      const auto again = base.begin();
      CPPUNIT_ASSERT(!again && again.error().code == Code::kIo);
      CPPUNIT_ASSERT(must(must(base.snapshot()).get("key 1")).has_value());
    }
    auto base = must(Base::open_writer(directory.path(), kMapBytes));
    fill(base, 20, 3);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{20}, must(must(base.snapshot()).meta()).keys);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BaseSpaceTest, "base_space_test");

}  // namespace
}  // namespace minivault::store
