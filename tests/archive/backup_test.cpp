// Goal: a backup taken under load holds exactly the state at its LSN, and all that was acknowledged before it
// began; what is restored is that; a damaged file restores nothing; nobody waits for a slow taker. Method:
// real nodes. What the state at an LSN was, the log tells: it is replayed from its first record.

#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>
#include <memory>
#include <random>
#include <sstream>
#include <thread>

#include "common/archive/reader.h"
#include "common/store/ring.h"
#include "tests/archive/support.h"
#include "tests/client/fake_server.h"
#include "tests/support/bytes.h"
#include "tests/support/http.h"
#include "tests/support/seed.h"
#include "tests/support/wait.h"

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
  CPPUNIT_TEST(test_damaged_files_restore_nothing);
  CPPUNIT_TEST(test_where_a_restore_may_go);
  CPPUNIT_TEST(test_who_may_have_a_backup);
  CPPUNIT_TEST(test_one_at_a_time_and_nobody_waits_for_it);
  CPPUNIT_TEST(test_a_backup_that_is_cut_off_leaves_no_file);
  CPPUNIT_TEST(test_a_connection_cut_anywhere_leaves_no_file);
  CPPUNIT_TEST(test_answers_of_somebody_else);
  CPPUNIT_TEST(test_interrupted_half_way);
  CPPUNIT_TEST(test_two_do_not_write_one_file);
  CPPUNIT_TEST(test_a_disk_without_room);
  CPPUNIT_TEST(test_load_refuses_what_is_wrong);
  CPPUNIT_TEST_SUITE_END();

  static std::string dump_of(const std::string& from) { return must_do({"dump", from}).out; }

  /// The lines without their versions.
  static std::string plain(const std::string& dump) {
    std::istringstream lines(dump);
    std::string text;
    for (std::string line; std::getline(lines, line);)
      text += line.substr(0, line.rfind(",\"version\":")) + "\n";
    return text;
  }

  static void fill(const Node& node, unsigned megabytes) {
    std::mt19937_64 random(1);
    client::Connection connection = connect(node);
    for (unsigned i = 0; i < megabytes; ++i)
      set(connection, "mb" + std::to_string(i), random_bytes(random, 1 << 20));
  }

  enum class Ending { kInOrder, kCut };

  /// The address of a server that answers every request with `body` in chunks.
  client::Address served(const std::string& body, Ending ending, bool reset) {
    servers_.push_back(std::make_unique<FakeServer>([=](RawConnection& connection, unsigned) {
      (void)connection.receive_through("\r\n\r\n");
      connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
      for (std::size_t at = 0; at < body.size(); at += 50'000) {
        const std::string piece = body.substr(at, 50'000);
        std::ostringstream size;
        size << std::hex << piece.size();
        connection.send(size.str() + "\r\n" + piece + "\r\n");
      }
      if (ending == Ending::kInOrder) {
        connection.send("0\r\n\r\n");
      } else if (reset) {
        connection.reset();
      }
    }));
    return servers_.back()->address();
  }

  /// Feeds half of `input` to the command through a pipe, and sends it the signal when it has taken that and
  /// made `partial`.
  static void interrupt_half_way(std::vector<std::string> words, const std::string& input,
                                 const std::string& partial, int number) {
    const std::string pipe = words[1];
    ::unlink(pipe.c_str());
    CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(pipe.c_str(), 0600));
    words.insert(words.begin(), minivault_binary());
    ChildProcess process(words, {});
    const UniqueFd into(::open(pipe.c_str(), O_WRONLY | O_CLOEXEC));  // waits until it reads
    const std::size_t half = input.size() / 2;
    CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(half), ::write(into.get(), input.data(), half));
    CPPUNIT_ASSERT(fs::exists(partial));
    process.signal(number);
    CPPUNIT_ASSERT_EQUAL(128 + number, process.wait());
    // What it forked dies with it.
    eventually("nobody reads the pipe", [&] {
      const UniqueFd again(::open(pipe.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
      return !again;
    });
  }

  std::vector<std::unique_ptr<FakeServer>> servers_;

 public:
  void tearDown() override { servers_.clear(); }

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

  void test_damaged_files_restore_nothing() {
    Node node;
    fill(node, 2);
    const std::string file = node.directory().file("b");
    must_do({"backup", node.address(), file});
    const std::string sound = content_of(file);
    const std::string target = node.directory().file("new");
    const auto refused = [&](const std::string& content, const std::string& because) {
      replace_content(file, content);
      assert_fails(command({"restore", file, target}), 1, because);
      CPPUNIT_ASSERT(!fs::exists(target));
    };
    std::string flipped = sound;
    flipped[flipped.size() / 2] ^= 1;
    refused(flipped, file + ": damaged after ");
    refused(sound.substr(0, sound.size() - 1), file + ": cut off after ");
    refused(sound.substr(0, sound.size() - 1), "(about 2 keys in all)");
    refused(sound.substr(0, sound.size() / 2), "cut off");
    refused(sound + "x", "more after its end");
    refused("", "not a minivault backup");
    fs::create_directory(target);
    replace_content(file, flipped);
    assert_fails(command({"restore", file, target}), 1, "damaged");
    CPPUNIT_ASSERT(!fs::exists(target + "/base.mdb") && !fs::exists(target + "/restore.partial"));
    replace_content(file, sound);
    must_do({"restore", file, target});
  }

  void test_where_a_restore_may_go() {
    Node node;
    const std::string file = node.directory().file("b");
    must_do({"backup", node.address(), file});
    assert_fails(command({"restore", file, node.data()}), 1, "not empty");
    assert_fails(command({"restore", node.directory().file("none"), node.directory().file("new")}), 1,
                 "no such file");
    assert_fails(command({"restore", file, node.directory().file("no/such/parent")}), 1, "cannot make");
    // What a killed restore left is not in the way of the next.
    const std::string target = node.directory().file("new");
    fs::create_directories(target + "/restore.partial");
    replace_content(target + "/restore.partial/base.mdb", "half");
    must_do({"restore", file, target});
    CPPUNIT_ASSERT(!fs::exists(target + "/restore.partial"));
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

  void test_a_backup_that_is_cut_off_leaves_no_file() {
    const Node node({.flags = {"-log", "64"}});
    fill(node, 24);
    RawConnection taker(node.port());
    taker.send(http_request("GET", "/_/backup"));
    (void)taker.receive_through("\r\n\r\n");
    for (const pid_t worker : node.children("worker")) ::kill(worker, SIGKILL);
    CPPUNIT_ASSERT(!taker.receive_until_close().ends_with("0\r\n\r\n"));

    // The same for the command: a server that ends in the middle of the body.
    const std::string file = node.directory().file("b");
    replace_content(file, "of yesterday");
    eventually("workers are back", [&] { return node.children("worker").size() == 2; });
    eventually("a backup can be had", [&] {
      return command({"backup", node.address(), file + "2"}).status == 0;
    });
    const std::string sound = content_of(file + "2");
    replace_content(file + "3", sound.substr(0, sound.size() / 2));
    assert_fails(command({"backup", file + "3", file}), 1, "cut off");
    CPPUNIT_ASSERT_EQUAL(std::string("of yesterday"), content_of(file));
    CPPUNIT_ASSERT(!fs::exists(file + ".partial"));
  }

  void test_a_connection_cut_anywhere_leaves_no_file() {
    Node node;
    fill(node, 1);
    const std::string sound_file = node.directory().file("sound");
    must_do({"backup", node.address(), sound_file});
    const std::string sound = content_of(sound_file);
    const std::string file = node.directory().file("b");
    replace_content(file, "of yesterday");
    for (const std::size_t sent : {std::size_t{0}, std::size_t{10}, sound.size() / 2, sound.size() - 1}) {
      for (const bool reset : {false, true}) {
        assert_fails(command({"backup", served(sound.substr(0, sent), Ending::kCut, reset).text(), file}), 1,
                     "127.0.0.1:");
        assert_fails(command({"backup", served(sound.substr(0, sent), Ending::kInOrder, reset).text(), file}),
                     1, sent == 0 ? "not a minivault backup" : "cut off");
      }
    }
    // All records came, but not the word that it was all.
    assert_fails(command({"backup", served(sound, Ending::kCut, false).text(), file}), 1, "127.0.0.1:");
    CPPUNIT_ASSERT_EQUAL(std::string("of yesterday"), content_of(file));
    CPPUNIT_ASSERT(!fs::exists(file + ".partial"));
    must_do({"backup", served(sound, Ending::kInOrder, false).text(), file});
    CPPUNIT_ASSERT(content_of(file) != "of yesterday");
  }

  void test_answers_of_somebody_else() {
    const TemporaryDirectory directory;
    const std::string file = directory.file("b");
    const auto refused = [&](const std::string& answer, const std::string& because) {
      FakeServer server([&](RawConnection& connection, unsigned) {
        (void)connection.receive_through("\r\n\r\n");
        connection.send(answer);
      });
      assert_fails(command({"backup", server.address().text(), file}), 1, because);
      CPPUNIT_ASSERT(!fs::exists(file) && !fs::exists(file + ".partial"));
    };
    refused("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", "404");
    refused("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", "not a minivault backup");
    refused("220 smtp.example.org ESMTP\r\n\r\n", "not HTTP");
    refused("", "closed");
    assert_fails(command({"backup", "127.0.0.1:1", file}), 1, "127.0.0.1:1: Connection refused");
  }

  /// As by Ctrl-C: nothing that looks whole is left, a node does not take the rest for its data, and the
  /// next one succeeds.
  void test_interrupted_half_way() {
    Node node;
    fill(node, 2);
    const std::string sound_file = node.directory().file("sound");
    must_do({"backup", node.address(), sound_file});
    const std::string sound = content_of(sound_file);
    const std::string file = node.directory().file("b");
    replace_content(file, "of yesterday");
    for (const int number : {SIGINT, SIGTERM, SIGKILL}) {
      const std::string target = node.directory().file("restored" + std::to_string(number));
      interrupt_half_way({"backup", node.directory().file("pipe"), file}, sound, file + ".partial", number);
      CPPUNIT_ASSERT_EQUAL(std::string("of yesterday"), content_of(file));
      interrupt_half_way({"restore", node.directory().file("pipe"), target}, sound,
                         target + "/restore.partial", number);
      const auto left = files_in(target);
      assert_fails(command({"-data", target, "-port", "0", "-bind", "127.0.0.1"}), 3,
                   "a restore was cut short");
      for (const auto& [name, content] : left) {
        if (!name.ends_with("minivault.lock")) CPPUNIT_ASSERT(files_in(target).at(name) == content);
      }
      CPPUNIT_ASSERT(!fs::exists(target + "/base.mdb") && !fs::exists(target + "/changes.log"));
      must_do({"restore", sound_file, target});
      CPPUNIT_ASSERT(dump_of(target) == dump_of(sound_file));
    }
    must_do({"backup", node.address(), file});
  }

  void test_two_do_not_write_one_file() {
    Node node;
    fill(node, 2);
    const std::string sound_file = node.directory().file("sound");
    must_do({"backup", node.address(), sound_file});
    const std::string sound = content_of(sound_file);
    const std::string pipe = node.directory().file("pipe");
    const std::string file = node.directory().file("b");
    CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(pipe.c_str(), 0600));
    ChildProcess first({minivault_binary(), "backup", pipe, file}, {});
    UniqueFd into(::open(pipe.c_str(), O_WRONLY | O_CLOEXEC));  // waits until it reads
    const std::size_t half = sound.size() / 2;
    CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(half), ::write(into.get(), sound.data(), half));
    eventually("the first writes", [&] { return fs::exists(file + ".partial"); });
    assert_fails(command({"backup", node.address(), file}), 1, "somebody else writes it");
    CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(sound.size() - half),
                         ::write(into.get(), sound.data() + half, sound.size() - half));
    into.reset();
    CPPUNIT_ASSERT_EQUAL(0, first.wait());
    CPPUNIT_ASSERT(dump_of(file) == dump_of(sound_file));
    CPPUNIT_ASSERT(!fs::exists(file + ".partial"));
    must_do({"backup", node.address(), file});  // over the older one
  }

  /// A limit on the size of files fails as a full disk does, in the middle.
  void test_a_disk_without_room() {
    Node node;
    fill(node, 2);
    const std::string file = node.directory().file("b");
    const std::string small = node.directory().file("small");
    must_do({"backup", node.address(), file});
    const auto limited = [](std::vector<std::string> words) {
      std::string line = "ulimit -f 1024; trap '' XFSZ; exec \"$@\"";
      words.insert(words.begin(), {"/bin/bash", "-c", line, "bash", minivault_binary()});
      return run(words);
    };
    assert_fails(limited({"backup", node.address(), small}), 1, "small.partial: File too large");
    CPPUNIT_ASSERT(!fs::exists(small) && !fs::exists(small + ".partial"));
    const std::string target = node.directory().file("restored");
    assert_fails(limited({"restore", file, target}), 1, "base.mdb");
    CPPUNIT_ASSERT(!fs::exists(target));
    must_do({"restore", file, target});
    assert_fails(run({"/bin/bash", "-c", "exec \"$@\" >/dev/full", "bash", minivault_binary(), "dump", file}),
                 1, "standard output cannot be written");
  }

  void test_load_refuses_what_is_wrong() {
    const Node node({.flags = {"-auth", "secret", "-authmode", "writes"}});
    const std::string line = "{\"key\":\"k\",\"value\":\"v\"}\n";
    assert_fails(command({"load", node.address()}, line), 1, "key \"k\": ");
    assert_fails(command({"load", node.address(), "-auth", "secret"}, line + "\n" + "{}\n"), 1,
                 "line 3: no \"key\"");
    CPPUNIT_ASSERT_EQUAL(std::string("v"), connect(node).get("k").value());
    const std::string bad_json = "{\"key\":\"k\",\"value\":\"[1\",\"json\":true}\n";
    assert_fails(command({"load", node.address(), "-auth", "secret"}, bad_json), 1,
                 "key \"k\": invalid json");
    const std::string large = "{\"key\":\"k\",\"value\":\"" + std::string(5 << 20, 'v') + "\"}\n";
    assert_fails(command({"load", node.address(), "-auth", "secret"}, large), 1, "too large");
    assert_fails(command({"load", node.data()}, line), 1, "for a directory there is restore");
    CPPUNIT_ASSERT_EQUAL(std::string("v"), connect(node).get("k").value());
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(BackupTest, "backup_test");

}  // namespace
}  // namespace minivault::test
