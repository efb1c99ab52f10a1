// Goal: a backup is of one whole checkpoint, never of the middle of one, and holds all that was there when it
// was asked for; whoever dies or stalls frees the place for the next. Method: the process that sends it, over
// a socket pair, against a base whose commits the test makes itself.

#include "worker/backup.h"

#include <cppunit/extensions/HelperMacros.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <optional>
#include <vector>

#include "common/archive/reader.h"
#include "common/protocol/http_chunks.h"
#include "common/store/base.h"
#include "tests/support/processes.h"
#include "tests/support/raw_connection.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/wait.h"

namespace minivault::worker {
namespace {

using test::RawConnection;

class BackupTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BackupTest);
  CPPUNIT_TEST(test_waits_for_the_end_of_a_checkpoint);
  CPPUNIT_TEST(test_waits_for_what_was_there_before);
  CPPUNIT_TEST(test_a_failed_node_says_so);
  CPPUNIT_TEST(test_one_at_a_time);
  CPPUNIT_TEST_SUITE_END();

  static constexpr std::uint64_t kMapBytes = std::uint64_t{1} << 30U;

  test::TemporaryDirectory directory_;
  std::optional<shared::Region> region_;
  std::optional<store::Base> base_;
  Config config_;

  void commit(std::string_view key, shared::Lsn checkpoint, bool mid_checkpoint) {
    auto transaction = base_->begin().value();
    store::BaseRecord record;
    record.version = {1, 1};
    record.value = "value";
    CPPUNIT_ASSERT(transaction.apply(key, record, true));
    transaction.meta().store_id = 1;
    transaction.meta().checkpoint = checkpoint;
    transaction.meta().mid_checkpoint = mid_checkpoint;
    CPPUNIT_ASSERT(transaction.commit());
  }

  RawConnection start() {
    std::array<int, 2> ends{};
    CPPUNIT_ASSERT_EQUAL(0,
                         ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()));
    UniqueFd mine(ends[0]);
    const UniqueFd its(ends[1]);
    const Status started = send_backup(config_, *region_, its.get());
    if (!started) throw std::runtime_error(started.error().message);
    return RawConnection(std::move(mine));
  }

  struct Received {
    shared::Lsn lsn = 0;
    std::vector<std::string> keys;
  };
  static Received receive(RawConnection& connection) {
    CPPUNIT_ASSERT(connection.receive_through("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    const std::string chunks = connection.receive_until_close();
    protocol::ChunkDecoder decoder({std::uint64_t{1} << 30U, 1'000});
    std::string bytes;
    CPPUNIT_ASSERT(decoder.decode(chunks, bytes).kind == protocol::ChunkDecoder::Step::Kind::kDone);
    auto reader =
        archive::Reader::open([&, at = std::size_t{0}](std::span<char> room) mutable -> Result<std::size_t> {
          const std::size_t size = bytes.copy(room.data(), room.size(), at);
          at += size;
          return size;
        });
    Received received{reader.value().header().lsn, {}};
    while (const auto record = reader->next().value()) received.keys.emplace_back(record->key);
    return received;
  }

 public:
  void setUp() override {
    (void)directory_.write("minivault.lock", "");
    config_.data_directory = directory_.path();
    region_.emplace(std::move(*shared::Region::create(4'096)));
    region_->state().limits.base_map_bytes.store(kMapBytes);
    base_.emplace(std::move(*store::Base::open_writer(directory_.path(), kMapBytes)));
    commit("first", 100, false);
    region_->state().marks.tail.store(100);
  }

  void test_waits_for_the_end_of_a_checkpoint() {
    commit("in the middle", 100, true);
    RawConnection connection = start();
    CPPUNIT_ASSERT(connection.silent_for(test::milliseconds(200)));
    commit("its end", 200, false);
    const Received received = receive(connection);
    CPPUNIT_ASSERT_EQUAL(shared::Lsn{200}, received.lsn);
    CPPUNIT_ASSERT(received.keys == std::vector<std::string>({"first", "in the middle", "its end"}));
  }

  void test_waits_for_what_was_there_before() {
    region_->state().marks.tail.store(150);
    RawConnection connection = start();
    test::eventually("it asks for a checkpoint",
                     [&] { return region_->state().checkpoint_wanted.load() == 150; });
    CPPUNIT_ASSERT(connection.silent_for(test::milliseconds(200)));
    commit("second", 149, false);
    CPPUNIT_ASSERT(connection.silent_for(test::milliseconds(50)));
    commit("third", 150, false);
    CPPUNIT_ASSERT_EQUAL(shared::Lsn{150}, receive(connection).lsn);
  }

  void test_a_failed_node_says_so() {
    region_->state().marks.tail.store(150);
    region_->state().failure.store(shared::Failure::kLogSync);
    RawConnection connection = start();
    CPPUNIT_ASSERT(connection.receive_until_close().starts_with("HTTP/1.1 503 "));
  }

  void test_one_at_a_time() {
    region_->state().marks.tail.store(10'000);  // never reached: it waits
    RawConnection waiting = start();
    CPPUNIT_ASSERT_THROW(start(), std::runtime_error);
    std::vector<test::Process> children;
    test::eventually("the process says what it is", [&] {
      children = test::descendants_of(::getpid());
      std::erase_if(children, [](const test::Process& process) { return process.name != "backup"; });
      return !children.empty();
    });
    for (const test::Process& process : children) ::kill(process.pid, SIGKILL);
    CPPUNIT_ASSERT_EQUAL(std::string(), waiting.receive_until_close());
    region_->state().marks.tail.store(100);
    std::optional<RawConnection> next;
    test::eventually("the place is free", [&] {
      try {
        next.emplace(start());
      } catch (const std::runtime_error&) {
      }
      return next.has_value();
    });
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, receive(*next).keys.size());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BackupTest, "backup_test");

}  // namespace
}  // namespace minivault::worker
