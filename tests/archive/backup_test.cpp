// Goal: a backup taken under load holds exactly the state at its LSN, and all that was acknowledged before it
// began; what is restored is that; nobody waits for a slow taker. Method: real nodes. What the state at an
// LSN was, the log tells: it is replayed from its first record.

#include <memory>
#include <random>
#include <sstream>
#include <thread>

#include "common/archive/reader.h"
#include "common/store/ring.h"
#include "tests/archive/backup_support.h"
#include "tests/support/http.h"
#include "tests/support/seed.h"

namespace minivault::test {
namespace {

namespace fs = std::filesystem;

struct Value {
  std::uint8_t flags = 0;
  store::Version version;
  std::string bytes;
  bool operator==(const Value&) const = default;
};
using Model = std::map<std::string, Value>;

struct Archive {
  archive::Header header;
  Model keys;
  archive::Counts counts;
};

Archive read_archive(const std::string& path) {
  const std::string bytes = content_of(path);
  auto reader = archive::Reader::open(
      [&bytes, at = std::size_t{0}](std::span<char> room) mutable -> Result<std::size_t> {
        const std::size_t size = bytes.copy(room.data(), room.size(), at);
        at += size;
        return size;
      });
  if (!reader) throw std::runtime_error(reader.error().message);
  Archive archive{reader->header(), {}, {}};
  while (true) {
    const auto record = reader->next();
    if (!record) throw std::runtime_error(record.error().message);
    if (!*record) break;
    const archive::Record& r = **record;
    if (r.operation != store::Operation::kSet) continue;
    CPPUNIT_ASSERT(archive.keys.emplace(r.key, Value{r.flags, r.version, std::string(r.value)}).second);
  }
  archive.counts = reader->counts();
  return archive;
}

/// The log of a node that was killed, record by record. REQUIRES: it still has them all. Their versions grow
/// with their LSNs: one node stamped them.
class Replay {
 public:
  explicit Replay(const std::string& data) : ring_(open(data)), at_(ring_.header().first_lsn) {}

  /// The state when every record before `end` had happened, which is not before the last one asked for.
  const Model& state_at(store::Lsn end) {
    store::RecordView record;
    for (; at_ < end && ring_.verify(at_, record); at_ = record.end()) {
      CPPUNIT_ASSERT(record.version() > newest_);
      newest_ = record.version();
      if (record.header.operation == store::Operation::kNote) continue;  // of the node, in a table of its own
      if (record.header.operation == store::Operation::kDelete) {
        model_.erase(std::string(record.key));
      } else {
        model_[std::string(record.key)] = {record.header.flags, record.version(), std::string(record.value)};
      }
    }
    CPPUNIT_ASSERT_EQUAL(end, at_);  // an LSN between two records
    return model_;
  }

 private:
  static store::Ring open(const std::string& data) {
    auto ring = store::Ring::open(data + "/changes.log", store::Ring::Access::kRead);
    if (!ring) throw std::runtime_error(ring.error().message);
    return std::move(*ring);
  }

  store::Ring ring_;
  store::Lsn at_;
  store::Version newest_;
  Model model_;
};

/// Writes without a pause until it is stopped.
class Load {
 public:
  Load(const Node& node, std::uint64_t seed)
      : thread_([this, &node, seed](std::stop_token stop) { run(node, seed, stop); }) {}
  void stop() {
    thread_.request_stop();
    thread_.join();
    if (!error_.empty()) throw std::runtime_error(error_);
  }

 private:
  void run(const Node& node, std::uint64_t seed, const std::stop_token& stop) try {
    client::Connection connection = connect(node);
    std::mt19937_64 random(seed);
    for (unsigned sent = 0; !stop.stop_requested() && sent < kMostWrites; ++sent) {
      const std::string key = "k" + std::to_string(random() % 100'000);
      const Status queued = random() % 10 == 0
                                ? connection.queue_remove(key)
                                : connection.queue_set(key, random_bytes(random, random() % 100));
      if (!queued) throw std::runtime_error(queued.error().message);
      if (connection.outstanding() >= 512 && !connection.receive())
        throw std::runtime_error("a write was refused");
    }
    while (connection.outstanding() > 0) {
      if (!connection.receive()) throw std::runtime_error("a write was refused");
    }
  } catch (const std::exception& error) {
    error_ = error.what();
  }
  /// Two of them stay below one lap of the log. Many keys: a checkpoint of more than 5,000 takes several
  /// commits.
  static constexpr unsigned kMostWrites = 200'000;
  std::string error_;
  std::jthread thread_;
};

class BackupTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BackupTest);
  CPPUNIT_TEST(test_under_load_exactly_the_state_at_its_lsn);
  CPPUNIT_TEST(test_all_kinds_of_keys_and_values_go_round);
  CPPUNIT_TEST(test_what_is_true_of_the_log_alone_stays_there);
  CPPUNIT_TEST(test_who_may_have_a_backup);
  CPPUNIT_TEST(test_one_at_a_time_and_nobody_waits_for_it);
  CPPUNIT_TEST_SUITE_END();

  static void mark_as_returned(const std::string& data, std::string_view key) {
    const auto ring = store::Ring::open(data + "/changes.log", store::Ring::Access::kRead);
    CPPUNIT_ASSERT(ring.has_value());
    store::RecordView record;
    store::Lsn at = ring->header().first_lsn;
    while (ring->verify(at, record) && record.key != key) at = record.end();
    CPPUNIT_ASSERT(record.key == key);
    store::RecordHeader header = record.header;
    header.flags |= store::kFlagReturned;
    header.header_hash = store::hash_header(header, ring->header().secret);
    std::fstream file(data + "/changes.log", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(store::Ring::kHeaderBytes + at % ring->size()));
    file.write(reinterpret_cast<const char*>(&header), sizeof header);
    CPPUNIT_ASSERT(file.good());
  }

  /// The lines without their versions.
  static std::string plain(const std::string& dump) {
    std::istringstream lines(dump);
    std::string text;
    for (std::string line; std::getline(lines, line);)
      text += line.substr(0, line.rfind(",\"version\":")) + "\n";
    return text;
  }

 public:
  void test_under_load_exactly_the_state_at_its_lsn() {
    const std::uint64_t seeded = seed();
    Node node({.flags = {"-log", "192"}});
    Load one(node, seeded);
    Load two(node, seeded + 1);
    client::Connection connection = connect(node);
    std::vector<std::string> files;
    for (int i = 0; i < 6; ++i) {
      set(connection, "marker", std::to_string(i));
      files.push_back(node.directory().file("backup" + std::to_string(i)));
      must_do({"backup", node.address(), files.back()});
    }
    one.stop();
    two.stop();
    node.kill();
    Replay replay(node.data());
    std::uint64_t lsn = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
      const Archive archive = read_archive(files[i]);
      CPPUNIT_ASSERT(archive.header.lsn > lsn);
      lsn = archive.header.lsn;
      CPPUNIT_ASSERT(archive.keys == replay.state_at(lsn));
      CPPUNIT_ASSERT_EQUAL(std::to_string(i), archive.keys.at("marker").bytes);
      CPPUNIT_ASSERT_EQUAL(archive.keys.size(), static_cast<std::size_t>(archive.counts.keys));
    }
    // Offline, of the crashed node: everything to the end of its log.
    const std::string offline = node.directory().file("offline");
    must_do({"backup", node.data(), offline});
    const Archive all = read_archive(offline);
    CPPUNIT_ASSERT(all.header.lsn >= lsn && all.keys == replay.state_at(all.header.lsn));

    const std::string restored = node.directory().file("restored");
    must_do({"restore", files.back(), restored});
    CPPUNIT_ASSERT_EQUAL(0, command({"check", restored}).status);
    CPPUNIT_ASSERT(dump_of(restored) == dump_of(files.back()));
    fs::remove_all(node.data());
    fs::rename(restored, node.data());
    node.start();
    CPPUNIT_ASSERT(dump_of(node.address()) == dump_of(files.back()));
    client::Connection again = connect(node);
    CPPUNIT_ASSERT_EQUAL(std::string("5"), again.get("marker").value());
    set(again, "marker", "newer");  // the clock goes on above every restored version
    CPPUNIT_ASSERT_EQUAL(std::string("newer"), again.get("marker").value());
  }

  void test_all_kinds_of_keys_and_values_go_round() {
    std::mt19937_64 random(seed());
    Node node;
    client::Connection connection = connect(node);
    set(connection, "plain", "text");
    set(connection, "empty", "");
    set(connection, std::string("\0\xFF\n\"", 4), std::string("\xFF\0", 2));
    set(connection, "_/backup", "a key like any other");
    set(connection, "large", random_bytes(random, 3 << 20));
    for (unsigned i = 0; i < 20; ++i)
      set(connection, std::string(495, 'p') + std::to_string(random()), "long");
    set(connection, random_bytes(random, 65'535), "longest");
    const std::string odd = "{ \"a\" : [1,  2.50, \"\\u00e9\"] }";
    for (const std::string& json : {odd, std::string("\"text\""), std::string("null")}) {
      CPPUNIT_ASSERT_EQUAL(200, http(node.port(), http_upload("PUT", "/json" + std::to_string(json.size()),
                                                              "{\"value\": " + json + "}"))
                                    .status);
    }
    const std::string dump = dump_of(node.address());
    CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{29}, std::count(dump.begin(), dump.end(), '\n'));
    CPPUNIT_ASSERT(dump.find("{\"key\":\"json4\",\"value\":\"null\",\"json\":true") != std::string::npos);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    CPPUNIT_ASSERT(dump == dump_of(node.data()));

    const std::string file = node.directory().file("b");
    const std::string restored = node.directory().file("restored");
    must_do({"backup", node.data(), file});
    must_do({"restore", file, restored});
    CPPUNIT_ASSERT(dump == dump_of(restored) && dump == dump_of(file));

    Node other;
    must_do({"load", other.address()}, dump);
    CPPUNIT_ASSERT(plain(dump) == plain(dump_of(other.address())));
    const auto got = http(other.port(), http_request("GET", "/json" + std::to_string(odd.size())));
    CPPUNIT_ASSERT_EQUAL("{\"success\":true,\"data\":" + odd + "}", got.body);
  }

  /// As after others brought back what this node had forgotten, and a crash right after it.
  void test_what_is_true_of_the_log_alone_stays_there() {
    Node node;
    client::Connection connection = connect(node);
    set(connection, "k", "v");
    node.kill();
    mark_as_returned(node.data(), "k");
    const std::string file = node.directory().file("b");
    must_do({"backup", node.data(), file});
    const Archive archive = read_archive(file);
    CPPUNIT_ASSERT(Replay(node.data()).state_at(archive.header.lsn).contains("k"));
    const Value value = archive.keys.at("k");
    CPPUNIT_ASSERT_EQUAL(std::string("v"), value.bytes);
    CPPUNIT_ASSERT_EQUAL(0U, unsigned{value.flags});
    CPPUNIT_ASSERT(archive.header.last_hlc >=
                   value.version.hlc);  // the clock of what is restored begins above
  }

  void test_who_may_have_a_backup() {
    const Node node({.flags = {"-auth", "secret"}});  // authmode none: everything else is open
    const std::string file = node.directory().file("b");
    const auto refused = http(node.port(), http_request("GET", "/_/backup"));
    CPPUNIT_ASSERT_EQUAL(401, refused.status);
    assert_fails(command({"backup", node.address(), file}), 1, "unauthorized");
    assert_fails(command({"backup", node.address(), file, "-auth", "wrong"}), 1, "unauthorized");
    CPPUNIT_ASSERT(!fs::exists(file));
    must_do({"backup", node.address(), file, "-auth", "secret"});
    must_do({"backup", "http://" + node.address() + "/", file, "-auth-file",
             node.directory().write("key", "secret\n")});
    CPPUNIT_ASSERT_EQUAL(
        405, http(node.port(), http_request("DELETE", "/_/backup", {"Authorization: Bearer secret"})).status);
  }

  void test_one_at_a_time_and_nobody_waits_for_it() {
    const Node node({.flags = {"-log", "64"}});
    fill(node, 24);
    const std::string file = node.directory().file("b");
    {
      RawConnection idle(node.port());
      idle.send(http_request("GET", "/_/backup"));
      CPPUNIT_ASSERT(idle.receive_through("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
      const auto second = http(node.port(), http_request("GET", "/_/backup"));
      CPPUNIT_ASSERT_EQUAL(503, second.status);
      CPPUNIT_ASSERT(second.body.find("a backup of this node is under way") != std::string::npos);
      // Both workers serve; the one that took the request too.
      for (int i = 0; i < 20; ++i) {
        client::Connection connection = connect(node);
        set(connection, "meanwhile", std::to_string(i));
        CPPUNIT_ASSERT_EQUAL(std::to_string(i), connection.get("meanwhile").value());
      }
    }
    // Its end frees the place, and the state is from after the writes above.
    eventually("the first backup's process has gone", [&] {
      return command({"backup", node.address(), file}).status == 0;
    });
    CPPUNIT_ASSERT_EQUAL(std::string("19"), read_archive(file).keys.at("meanwhile").bytes);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BackupTest, "backup_test");

}  // namespace
}  // namespace minivault::test
