// Goal: the ring holds what was written to it, around its end and after reopening, and a file that is not a
// sound ring is refused with what is wrong. Method: real files of a few pages; damage by hand; a limit on the
// size of files.

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

#include "common/store/ring.h"
#include "tests/store/base_support.h"
#include "tests/store/recovery_support.h"
#include "tests/support/bytes.h"
#include "tests/support/log_header.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

using recovery_support::flip_bit;
using recovery_support::overwrite;
using recovery_support::read_bytes;
using store::Ring;
using store::RingHeader;

constexpr std::uint64_t kBytes = 16'384;
constexpr store::Lsn kFirst = 4'096;

std::string_view at(const Ring& ring, store::Lsn lsn, std::size_t size) {
  return {reinterpret_cast<const char*>(ring.at(lsn)), size};
}

}  // namespace

class RingTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RingTest);
  CPPUNIT_TEST(born_and_reopened);
  CPPUNIT_TEST(writes_around_the_end);
  CPPUNIT_TEST(positions_of_large_lsns);
  CPPUNIT_TEST(more_pieces_than_one_write_takes);
  CPPUNIT_TEST(nobody_stores_through_the_mapping);
  CPPUNIT_TEST(headers_that_are_refused);
  CPPUNIT_TEST(another_format_is_no_damage);
  CPPUNIT_TEST(what_is_no_file);
  CPPUNIT_TEST(a_link_stays_one);
  CPPUNIT_TEST(sizes_that_are_refused);
  CPPUNIT_TEST(sizes_that_no_ring_has);
  CPPUNIT_TEST(header_is_rewritten);
  CPPUNIT_TEST(no_room_for_it);
  CPPUNIT_TEST_SUITE_END();

  TemporaryDirectory directory_;
  std::string path_ = directory_.file("changes.log");

  Ring made(std::uint64_t bytes = kBytes) {
    CPPUNIT_ASSERT(Ring::create(path_, bytes, 77, kFirst).has_value());
    return open();
  }
  Ring open() {
    Result<Ring> ring = Ring::open(path_);
    CPPUNIT_ASSERT_MESSAGE(ring ? "" : ring.error().message, ring.has_value());
    return std::move(*ring);
  }
  void refused(const std::string& saying, Code code = Code::kCorrupt,
               Ring::Access access = Ring::Access::kReadWrite) {
    const Result<Ring> ring = Ring::open(path_, access);
    CPPUNIT_ASSERT_MESSAGE(saying, !ring.has_value());
    CPPUNIT_ASSERT_MESSAGE(ring.error().message, ring.error().message.find(saying) != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(ring.error().message, ring.error().message.find(path_) != std::string::npos);
    CPPUNIT_ASSERT_EQUAL(code, ring.error().code);
  }
  static void write(Ring& ring, store::Lsn lsn, std::string bytes) {
    iovec piece{bytes.data(), bytes.size()};
    CPPUNIT_ASSERT(ring.write(lsn, {&piece, 1}).has_value());
  }

 public:
  void born_and_reopened() {
    refused("does not exist", Code::kNotFound);
    const std::uint64_t secret = made().header().secret;
    const Ring ring = open();
    CPPUNIT_ASSERT(ring.header().secret == secret && secret != 0);
    CPPUNIT_ASSERT_EQUAL(kBytes, ring.size());
    CPPUNIT_ASSERT_EQUAL(kBytes / 4, ring.largest_record());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{77}, ring.header().store_id);
    CPPUNIT_ASSERT(ring.header().first_lsn == kFirst && ring.header().boundary == kFirst);
    CPPUNIT_ASSERT(ring.header().clean == 1 && ring.header().starts == 0);
    CPPUNIT_ASSERT(at(ring, 0, kBytes) == std::string(kBytes, '\0'));
    CPPUNIT_ASSERT_EQUAL(kBytes + Ring::kHeaderBytes, std::uint64_t{std::filesystem::file_size(path_)});
    CPPUNIT_ASSERT(!std::filesystem::exists(path_ + ".new"));
    CPPUNIT_ASSERT(made().header().secret != secret);  // another birth replaces it
  }

  void writes_around_the_end() {
    std::mt19937_64 random(seed());
    Ring ring = made();
    std::string image(kBytes, '\0');
    store::Lsn lsn = kFirst;
    for (int i = 0; i < 500; ++i) {
      const std::string bytes = random_bytes(random, 1 + random() % (kBytes / 2));
      write(ring, lsn, bytes);
      CPPUNIT_ASSERT(at(ring, lsn, bytes.size()) == bytes);  // in one piece, wherever it wraps
      for (std::size_t k = 0; k < bytes.size(); ++k) image[(lsn + k) % kBytes] = bytes[k];
      lsn += bytes.size();
    }
    CPPUNIT_ASSERT(at(ring, 0, kBytes) == image);
    CPPUNIT_ASSERT(at(open(), lsn, kBytes) == image.substr(lsn % kBytes) + image.substr(0, lsn % kBytes));
    CPPUNIT_ASSERT(read_bytes(path_, Ring::kHeaderBytes, kBytes) == image);
    CPPUNIT_ASSERT(ring.sync().has_value());
  }

  /// Where an LSN lies is its rest by the ring's size, which is found without dividing.
  void positions_of_large_lsns() {
    std::mt19937_64 random(seed());
    for (const std::uint64_t pages : {4U, 5U, 7U, 255U, 1'000U}) {
      const Ring ring = made(pages * 4'096);
      for (int i = 0; i < 20'000; ++i) {
        const std::uint64_t lap = ring.size() * (random() >> (random() % 64) >> 22);
        for (const store::Lsn lsn : {random(), random() >> (random() % 64), lap, lap - 1}) {
          const auto at = static_cast<std::uint64_t>(ring.at(lsn) - ring.at(0));
          CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(lsn), lsn % ring.size(), at);
        }
      }
    }
  }

  void more_pieces_than_one_write_takes() {
    Ring ring = made(65'536);
    std::string bytes = [] {
      std::mt19937_64 random(1);
      return random_bytes(random, 9'000);
    }();
    std::vector<iovec> pieces;
    for (std::size_t k = 0; k < bytes.size(); k += 3) pieces.push_back({bytes.data() + k, 3});
    const store::Lsn lsn = 65'536 - 4'000;  // around the end as well
    CPPUNIT_ASSERT(ring.write(lsn, pieces).has_value());
    CPPUNIT_ASSERT(at(ring, lsn, bytes.size()) == bytes);
  }

  /// A stray pointer kills its process, and nothing else happens.
  void nobody_stores_through_the_mapping() {
    const Ring ring = made();
    for (const std::uint64_t where : {std::uint64_t{0}, kBytes, 2 * kBytes - 8}) {
      store::base_support::Child child([&](const auto&) {
        *reinterpret_cast<volatile char*>(const_cast<std::byte*>(ring.at(0) + where)) = 'x';
      });
      CPPUNIT_ASSERT(child.wait() != 0);
    }
    CPPUNIT_ASSERT(at(ring, 0, kBytes) == std::string(kBytes, '\0'));
  }

  void headers_that_are_refused() {
    (void)made();
    const std::string sound = read_bytes(path_, 0, sizeof(RingHeader));
    for (std::size_t byte = 0; byte < sizeof(RingHeader); ++byte) {
      flip_bit(path_, static_cast<off_t>(byte));
      const std::string saying = byte < 8 ? "is not a minivault log" : "header is damaged";
      refused(saying);
      overwrite(path_, 0, sound);
    }
    CPPUNIT_ASSERT_EQUAL(kBytes, open().size());
    std::filesystem::resize_file(path_, 20);
    refused("shorter than its header");
  }

  /// A flipped bit is: the checksum holds for our format's number.
  void another_format_is_no_damage() {
    (void)made();
    overwrite(path_, 8, std::string("\2\0\0\0", 4));
    refused("header is damaged");
    overwrite(path_, 64, std::string(8, 'x'));  // that of another format, wherever it has it
    refused("has log format 2, this build knows 1", Code::kUnavailable);
  }

  /// The open of a pipe that nobody writes into does not return.
  void what_is_no_file() {
    for (const auto access : {Ring::Access::kRead, Ring::Access::kReadWrite}) {
      CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(path_.c_str(), 0600));
      refused("is not a regular file", Code::kIo, access);
      CPPUNIT_ASSERT(std::filesystem::remove(path_));
    }
    refused("does not exist", Code::kNotFound);
    std::filesystem::create_symlink(directory_.file("nowhere"), path_);
    refused("is a link to what is not there", Code::kIo);
  }

  /// A log that was put on another disk stays there when its size changes.
  void a_link_stays_one() {
    const std::string elsewhere = directory_.file("elsewhere");
    std::filesystem::create_directory(elsewhere);
    const std::uint64_t secret = made().header().secret;
    std::filesystem::rename(path_, elsewhere + "/the.log");
    std::filesystem::create_symlink("elsewhere/the.log", path_);
    CPPUNIT_ASSERT_EQUAL(secret, open().header().secret);
    CPPUNIT_ASSERT_EQUAL(2 * kBytes, made(2 * kBytes).size());
    CPPUNIT_ASSERT(std::filesystem::is_symlink(path_));
    CPPUNIT_ASSERT_EQUAL(4'096 + 2 * kBytes, std::filesystem::file_size(elsewhere + "/the.log"));
    std::ofstream(elsewhere + "/the.log.new") << "cut short";
    Ring::remove_unfinished(path_);
    CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{1},
                         std::distance(std::filesystem::directory_iterator(elsewhere), {}));
  }

  void sizes_that_are_refused() {
    (void)made();
    for (const std::uint64_t bytes : {std::uint64_t{sizeof(RingHeader)}, std::uint64_t{4'096}, kBytes,
                                      kBytes + 4'095, kBytes + 4'097, kBytes + 8'192}) {
      std::filesystem::resize_file(path_, bytes);
      refused("has " + std::to_string(bytes) + " bytes, its header says " + std::to_string(kBytes + 4'096));
    }
  }

  /// With a right checksum, which anybody can compute, in a file that is as long as that says: also where the
  /// sum of ring and header wraps around.
  void sizes_that_no_ring_has() {
    (void)made();
    constexpr std::uint64_t kTooLarge = (1ULL << 40U) + 4'096;
    for (const std::uint64_t ring :
         {kBytes - 1, kBytes + 72, std::uint64_t{4'095}, std::uint64_t{8}, std::uint64_t{0}, kTooLarge,
          ~std::uint64_t{0} - 4'095, ~std::uint64_t{0} - 4'095 + 2'000, std::uint64_t{1} << 63U}) {
      put_ring_bytes(path_, ring);
      const std::uint64_t as_it_says = ring + 4'096;
      const bool fits = as_it_says >= sizeof(RingHeader) && as_it_says < 1ULL << 40U;
      std::filesystem::resize_file(path_, fits ? as_it_says : kBytes);
      refused("the header is damaged: a ring of " + std::to_string(ring) + " bytes");
      refused("the header is damaged", Code::kCorrupt, Ring::Access::kRead);
    }
    put_ring_bytes(path_, kTooLarge - 4'096);
    refused(" bytes, its header says 1099511631872");
  }

  void header_is_rewritten() {
    Ring ring = made();
    RingHeader header = ring.header();
    header.clean = 0;
    header.starts = 6;
    header.boundary = 12'345;
    CPPUNIT_ASSERT(ring.write_header(header).has_value());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, ring.header().starts);
    const RingHeader read = open().header();
    CPPUNIT_ASSERT(read.clean == 0 && read.starts == 6 && read.boundary == 12'345 &&
                   read.secret == header.secret);
  }

  /// What is there stays there.
  void no_room_for_it() {
    const std::uint64_t secret = made().header().secret;
    store::base_support::Child child([&](const auto&) {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{kBytes, kBytes};
      CPPUNIT_ASSERT_EQUAL(0, ::setrlimit(RLIMIT_FSIZE, &limit));
      const Status born = Ring::create(path_, 2 * kBytes, 78, kFirst);
      CPPUNIT_ASSERT(!born.has_value());
      CPPUNIT_ASSERT_MESSAGE(born.error().message,
                             born.error().message.find("cannot reserve") != std::string::npos);
    });
    CPPUNIT_ASSERT_EQUAL(0, child.wait());
    CPPUNIT_ASSERT(open().header().secret == secret);
    CPPUNIT_ASSERT(!std::filesystem::exists(path_ + ".new"));
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RingTest, "ring_test");

}  // namespace minivault::test
