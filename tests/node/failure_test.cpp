// Goal: a node that cannot do all its work says so, refuses what it cannot do and goes on with the rest: a
// disk that is full, a disk that fails, no checkpointer. Method: a tmpfs of a few MB in a mount namespace of
// the test's own; a library in front of libc whose syncs fail, and whose writes kill, when told; SIGKILL
// faster than the restarts.

#include <cppunit/extensions/HelperMacros.h>
#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/node.h"

namespace minivault::test {

namespace {

const std::string kOctetBody = "Content-Type: " + std::string(kOctets);

std::string failing_disk() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libfailing_disk.so";
}

std::string key_of(int number) {
  return "key" + std::to_string(number);
}

/// A directory on a small disk of its own, as long as it lives.
class SmallDisk {
 public:
  explicit SmallDisk(const char* size) {
    std::filesystem::create_directory(path());
    mounted_ = ::unshare(CLONE_NEWNS) == 0 &&
               ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("small", path().c_str(), "tmpfs", 0, size) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] std::string path() const { return directory_.file("disk"); }
  void grow(const char* size) const {
    CPPUNIT_ASSERT_EQUAL(0, ::mount("small", path().c_str(), "tmpfs", MS_REMOUNT, size));
  }

 private:
  TemporaryDirectory directory_;
  bool mounted_ = false;
};

}  // namespace

class FailureTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(FailureTest);
  CPPUNIT_TEST(a_full_disk_refuses_writes_until_there_is_room);
  CPPUNIT_TEST(a_full_disk_of_the_log_alone_is_named);
  CPPUNIT_TEST(a_failed_sync_ends_writing_until_a_restart);
  CPPUNIT_TEST(what_a_dead_worker_wrote_is_answered_without_another_write);
  CPPUNIT_TEST(no_directory_is_used_whose_name_cannot_be_synced);
  CPPUNIT_TEST(without_a_checkpointer_it_is_unhealthy);
  CPPUNIT_TEST(a_limit_on_file_sizes_is_named);
  CPPUNIT_TEST(damage_is_refused_until_the_loss_is_accepted);
  CPPUNIT_TEST_SUITE_END();

 public:
  /// Needs the right to mount; says so where there is none.
  void a_full_disk_refuses_writes_until_there_is_room() {
    const SmallDisk disk("size=30m");
    if (!disk.mounted()) {
      std::cerr << "skipped, no right to mount\n";
      return;
    }
    const Node node({.flags = {"-data", disk.path()}});
    RawConnection connection(node.port());
    const std::string value(100'000, 'v');
    int stored = 0;
    // The log still has room for a while, and takes it slowly: so it refuses now and then before it does for
    // good.
    eventually("a binary write is refused", [&] {
      const bool done = connection.exchange(set_frame(key_of(stored), value), 5) == kOk;
      stored += done ? 1 : 0;
      return !done;
    });
    HttpResponse refused;
    eventually("a write over HTTP is refused", [&] {
      refused = http(node.port(), http_upload("PUT", "/" + key_of(stored), value, {kOctetBody}));
      stored += refused.status == 200 ? 1 : 0;
      return refused.status != 200;
    });
    assert_refused(refused, 503);
    CPPUNIT_ASSERT(stored > 10);
    assert_health(node, 200, "degraded");
    for (int i = 0; i < stored; ++i)
      CPPUNIT_ASSERT(connection.exchange(get_frame(key_of(i)), 5 + value.size()) == value_answer(value));

    disk.grow("size=200m");
    eventually("there is room again",
               [&] { return connection.exchange(set_frame("more", value), 5) == kOk; });
    eventually("it is healthy again", [&] { return status_in(look(node)) == "healthy"; });
    CPPUNIT_ASSERT(connection.exchange(get_frame(key_of(stored - 1)), 5 + value.size()) ==
                   value_answer(value));
  }

  /// Where `changes.log` is a link to it. The data directory's own disk has room.
  void a_full_disk_of_the_log_alone_is_named() {
    const SmallDisk disk("size=30m");
    if (!disk.mounted()) {
      std::cerr << "skipped, no right to mount\n";
      return;
    }
    Node node;
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    const std::string log = node.data() + "/changes.log";
    std::filesystem::copy_file(log, disk.path() + "/the.log");
    std::filesystem::remove(log);
    std::filesystem::create_symlink(disk.path() + "/the.log", log);
    node.options().flags = {"-log", "64MB"};
    const Finished refused = run(node.command());
    CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.err, 3, refused.status);
    CPPUNIT_ASSERT_MESSAGE(refused.err, refused.err.find("make about 66 MB of room in " + disk.path() +
                                                         " and start again") != std::string::npos);
    disk.grow("size=200m");
    node.start();
  }

  void a_failed_sync_ends_writing_until_a_restart() {
    const TemporaryDirectory directory;
    const std::string broken = directory.file("broken");
    Node node({.environment = {{"LD_PRELOAD", failing_disk()}, {"FAILING_DISK_FILE", broken}}});
    RawConnection early(node.port());
    CPPUNIT_ASSERT(early.exchange(set_frame("safe", "1") + set_frame("changed", "1"), 10) == kOk + kOk);

    (void)directory.write("broken", "");
    early.send(set_frame("changed", "2"));
    // It may be told neither that its write is safe nor that it is not.
    CPPUNIT_ASSERT_EQUAL(std::string(), early.receive_until_close());
    assert_health(node, 503, "unhealthy");
    RawConnection late(node.port());
    CPPUNIT_ASSERT(late.exchange(set_frame("new", "1") + delete_frame("safe"), 10) == kError + kError);
    CPPUNIT_ASSERT(late.exchange(get_frame("safe"), 6) == value_answer("1"));
    CPPUNIT_ASSERT(late.exchange(get_frame("changed"), 5) == kError);  // nobody sees what may not last
    assert_refused(http(node.port(), http_upload("PUT", "/new", R"({"value":1})")), 503);
    assert_refused(http(node.port(), http_request("GET", "/changed")), 503);

    // The kernel tells a failure once; that later syncs succeed proves nothing.
    std::filesystem::remove(broken);
    CPPUNIT_ASSERT(late.exchange(set_frame("new", "1"), 5) == kError);
    assert_health(node, 503, "unhealthy");
    CPPUNIT_ASSERT(node.stop() != 0);
    node.start();
    assert_health(node, 200, "healthy");
    RawConnection after(node.port());
    CPPUNIT_ASSERT(after.exchange(get_frame("safe"), 6) == value_answer("1"));
    const std::string changed = after.exchange(get_frame("changed"), 6);
    CPPUNIT_ASSERT(changed == value_answer("1") || changed == value_answer("2"));
    CPPUNIT_ASSERT(after.exchange(set_frame("new", "1"), 5) == kOk);
  }

  /// The worker dies with its record in the log, and nobody writes after it.
  void what_a_dead_worker_wrote_is_answered_without_another_write() {
    const TemporaryDirectory directory;
    const std::string fatal = directory.file("fatal");
    const Node node({.environment = {{"LD_PRELOAD", failing_disk()}, {"FATAL_WRITE_FILE", fatal}}});
    RawConnection writer(node.port());
    CPPUNIT_ASSERT(writer.exchange(set_frame("key", "sound write"), 5) == kOk);
    (void)directory.write("fatal", "");
    writer.send(set_frame("key", "fatal write"));
    CPPUNIT_ASSERT_EQUAL(std::string(), writer.receive_until_close());
    CPPUNIT_ASSERT(!std::filesystem::exists(fatal));
    eventually("it is read as it is in the log", [&] {
      RawConnection reader(node.port());
      return reader.exchange(get_frame("key"), 16) == value_answer("fatal write");
    });
  }

  /// Else the power could take all that was put into it, however well that was synced.
  void no_directory_is_used_whose_name_cannot_be_synced() {
    const TemporaryDirectory directory;
    const std::string backup = directory.file("backup");
    {
      const Node node;
      const Finished done = run({minivault_binary(), "backup", node.address(), backup});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(done.err, 0, done.status);
    }
    const Environment broken{{"LD_PRELOAD", failing_disk()},
                             {"FAILING_DISK_FILE", directory.write("broken", "")}};
    const std::string data = directory.file("data");
    for (const bool is_new : {true, false}) {
      if (!is_new) std::filesystem::create_directories(data);
      for (const std::vector<std::string>& command :
           {std::vector<std::string>{minivault_binary(), "restore", backup, data},
            {minivault_binary(), "-config", "", "-bind", "127.0.0.1", "-port", "0", "-data", data}}) {
        const Finished refused = run(command, "", broken);
        CPPUNIT_ASSERT(refused.status != 0);
        CPPUNIT_ASSERT_MESSAGE(refused.err,
                               refused.err.find("cannot sync " + data + "/..: ") != std::string::npos);
        CPPUNIT_ASSERT(!std::filesystem::exists(data + "/base.mdb"));
      }
    }
  }

  void without_a_checkpointer_it_is_unhealthy() {
    const Node node;
    RawConnection reader(node.port());
    CPPUNIT_ASSERT(reader.exchange(set_frame("k", "v"), 5) == kOk);
    // One that dies again and again is started again later and later.
    eventually("it says so", [&] {
      for (const pid_t pid : node.children("checkpointer")) ::kill(pid, SIGKILL);
      return status_in(look(node)) == "unhealthy";
    });
    CPPUNIT_ASSERT(reader.exchange(get_frame("k"), 6) == value_answer("v"));
    eventually("it is well again", [&] { return look(node).status == 200; });
    CPPUNIT_ASSERT(reader.exchange(set_frame("k", "w"), 5) == kOk);
  }

  /// The kernel's answer to a file beyond the limit is a signal that kills whoever does not ignore it.
  void a_limit_on_file_sizes_is_named() {
    const TemporaryDirectory directory;
    const std::string node =
        minivault_binary() + " -port 0 -bind 127.0.0.1 -log 16 -data " + directory.file("data");
    const Finished refused = run({"/bin/sh", "-c", "ulimit -f 2000; exec " + node});
    CPPUNIT_ASSERT(refused.status == 1 || refused.status == 3);
    CPPUNIT_ASSERT_MESSAGE(refused.err, refused.err.find("File too large") != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(refused.err, refused.err.find("changes.log") != std::string::npos);
  }

  void damage_is_refused_until_the_loss_is_accepted() {
    Node node;
    {
      RawConnection connection(node.port());
      for (int i = 0; i < 10; ++i)
        CPPUNIT_ASSERT(connection.exchange(set_frame(key_of(i), "value" + std::to_string(i)), 5) == kOk);
    }
    node.kill();
    flip_a_bit_of(node.data() + "/changes.log", "key5value5");

    std::vector<std::string> command = node.command();
    const Finished refused = run(command);
    CPPUNIT_ASSERT_EQUAL(3, refused.status);
    for (const char* part : {"damaged", "LSN ", "minivault check", "-accept-loss"})
      CPPUNIT_ASSERT_MESSAGE(refused.err, refused.err.find(part) != std::string::npos);
    const Finished checked = run({minivault_binary(), "check", node.data()});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(checked.out, 1, checked.status);
    CPPUNIT_ASSERT(run(command).status == 3);  // refusing and checking changed nothing

    command.emplace_back("-accept-loss");
    {
      ChildProcess accepting(command, {});
      CPPUNIT_ASSERT(
          accepting.line([](const std::string& line) { return line.find(" ready ") != std::string::npos; })
              .has_value());
      accepting.signal(SIGTERM);
      CPPUNIT_ASSERT_EQUAL(0, accepting.wait());
    }
    node.start();  // without the flag again
    RawConnection connection(node.port());
    CPPUNIT_ASSERT(connection.exchange(get_frame("key4"), 11) == value_answer("value4"));
    CPPUNIT_ASSERT(connection.exchange(get_frame("key5"), 5) == kError);
    CPPUNIT_ASSERT(connection.exchange(set_frame("key5", "again"), 5) == kOk);
  }

 private:
  static void flip_a_bit_of(const std::string& path, const std::string& text) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    const std::size_t at = bytes.find(text);
    CPPUNIT_ASSERT(at != std::string::npos);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(bytes[at] ^ 1));
  }

  static HttpResponse look(const Node& node) { return http(node.port(), http_request("GET", "/health")); }

  /// "" where status line and body do not agree.
  static std::string status_in(const HttpResponse& response) {
    const auto health = parse_json(response.body);
    const std::string status = health["status"].GetString();
    return (response.status == 503) == (status == "unhealthy") ? status : "";
  }

  /// Over HTTP at once, and over the binary protocol too.
  static void assert_health(const Node& node, int http_status, const std::string& status) {
    eventually("it is " + status, [&] { return status_in(look(node)) == status; });
    CPPUNIT_ASSERT_EQUAL(http_status, look(node).status);
    RawConnection binary(node.port());
    CPPUNIT_ASSERT(binary.exchange("\x05\x01" + std::string("\0x", 2), 1) == kOk.substr(0, 1));
    const std::string json = binary.receive_through("\"peers\":");
    CPPUNIT_ASSERT_MESSAGE(json, json.find("\"status\":\"" + status + '"') != std::string::npos);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(FailureTest, "failure_test");

}  // namespace minivault::test
