// Goal: `minivault check` finds each named damage, says where, calls sound what is sound, and changes
// nothing. Method: a real node's directory after an orderly stop and after SIGKILL, then bytes flipped in its
// files.

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <array>
#include <cstring>
#include <random>

#include "common/admin/claim.h"
#include "common/store/ring.h"
#include "tests/archive/support.h"
#include "tests/support/base_pages.h"
#include "tests/support/http.h"
#include "tests/support/log_header.h"
#include "tests/support/seed.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

namespace fs = std::filesystem;

class CheckTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CheckTest);
  CPPUNIT_TEST(test_sound);
  CPPUNIT_TEST(test_in_use);
  CPPUNIT_TEST(test_usage);
  CPPUNIT_TEST(test_crashed_and_damaged_log);
  CPPUNIT_TEST(test_damage_that_no_later_record_speaks_for);
  CPPUNIT_TEST(test_flipped_value_in_the_base);
  CPPUNIT_TEST(test_records_hidden_by_a_damaged_page);
  CPPUNIT_TEST(test_a_page_in_use_on_the_free_list);
  CPPUNIT_TEST(test_a_page_that_leads_nowhere);
  CPPUNIT_TEST(test_no_node_starts_while_pages_are_looked_at);
  CPPUNIT_TEST(test_many_damaged_pages_hide_no_key);
  CPPUNIT_TEST(test_a_short_base_with_a_damaged_free_list);
  CPPUNIT_TEST(test_flipped_anything_in_the_base);
  CPPUNIT_TEST(test_files_that_do_not_belong_together);
  CPPUNIT_TEST(test_what_is_no_file);
  CPPUNIT_TEST(test_a_log_of_a_size_that_none_has);
  CPPUNIT_TEST(test_births_are_no_refusals);
  CPPUNIT_TEST_SUITE_END();

  static Finished check(const std::string& directory) {
    const auto before = files_in(directory);
    Finished done = command({"check", directory});
    CPPUNIT_ASSERT_MESSAGE("check changed something", before == files_in(directory));
    return done;
  }

  static void fill(const Node& node, unsigned keys) {
    client::Connection connection = connect(node);
    for (unsigned i = 0; i < keys; ++i) {
      CPPUNIT_ASSERT(connection.queue_set("key " + std::to_string(i), "value of " + std::to_string(i)));
    }
    while (connection.outstanding() > 0) CPPUNIT_ASSERT(connection.receive());
  }

 public:
  void test_sound() {
    Node node;
    fill(node, 1'000);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    const Finished done = check(node.data());
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.out, 0, done.status);
    CPPUNIT_ASSERT(done.out.find("1,000 keys") != std::string::npos);
    CPPUNIT_ASSERT(done.out.find("nothing to recover (stopped in order)") != std::string::npos);
    CPPUNIT_ASSERT(done.out.ends_with("sound\n"));
    fs::remove(node.data() + "/base.mdb-lock");  // LMDB's own; must not be made anew
    CPPUNIT_ASSERT_EQUAL(0, check(node.data()).status);
  }

  void test_in_use() {
    const Node node;
    assert_fails(command({"check", node.data()}), 2, "in use by a node (pid ");
    assert_fails(command({"dump", node.data()}), 1, "in use by a node (pid ");
    assert_fails(command({"backup", node.data(), node.directory().file("b")}), 1, "in use by a node (pid ");
    CPPUNIT_ASSERT(!fs::exists(node.directory().file("b")) &&
                   !fs::exists(node.directory().file("b.partial")));
  }

  void test_usage() {
    const TemporaryDirectory directory;
    assert_fails(command({"check"}), 2, "usage: minivault check DATA");
    assert_fails(command({"check", "a", "b"}), 2, "want 1 argument, not 2");
    assert_fails(command({"check", "-bogus", "a"}), 2, "unknown flag -bogus");
    assert_fails(command({"check", directory.file("none")}), 2, "no such directory");
    assert_fails(command({"check", directory.path()}), 1, "there is no base yet");
    CPPUNIT_ASSERT(fs::is_empty(directory.path()));
    for (const char* word : {"check", "dump", "load", "backup", "restore"}) {
      const Finished help = must_do({word, "-help"});
      CPPUNIT_ASSERT(help.out.starts_with(std::string("usage: minivault ") + word));
    }
  }

  /// Records that the base does not have yet: what a crash leaves when it comes between two checkpoints.
  void test_crashed_and_damaged_log() {
    Node node;
    std::vector<store::Lsn> records;
    std::string log;
    for (int attempt = 0; records.size() < 20; ++attempt) {
      CPPUNIT_ASSERT(attempt < 20);
      {
        client::Connection connection = connect(node);
        for (unsigned i = 0; i < 50; ++i) set(connection, "k" + std::to_string(i), std::string(100, 'v'));
      }
      node.kill();
      const Finished done = check(node.data());
      CPPUNIT_ASSERT_EQUAL_MESSAGE(done.out, 0, done.status);
      records = records_beyond_the_base(node, done.out);
      if (records.size() < 20) node.start();
    }
    const std::string path = node.data() + "/changes.log";
    const std::string sound = content_of(path);
    const auto ring_bytes = sound.size() - store::Ring::kHeaderBytes;
    const auto flip = [&](store::Lsn lsn) {
      std::string damaged = sound;
      damaged[store::Ring::kHeaderBytes + lsn % ring_bytes] ^= 1;
      replace_content(path, damaged);
    };
    flip(records[5] + 60);  // within the value of a record whose acknowledgement later ones have seen
    assert_fails(check(node.data()), 1,
                 "problem: the log is damaged in what was acknowledged (lost with -accept-loss: LSN " +
                     std::to_string(records[5]));
    assert_fails(check(node.data()), 1, ", the first of key \"k");  // and of those behind it
    assert_fails(check(node.data()), 1, " whole records follow, of keys \"k");
    assert_fails(command({"dump", node.data()}), 1, "the log is damaged in what was acknowledged");
    replace_content(path, '\0' + sound.substr(1));
    assert_fails(check(node.data()), 1, "is not a minivault log");
    replace_content(path, sound.substr(0, sound.size() - 1));
    assert_fails(check(node.data()), 1, "its header says");
    fs::remove(path);
    assert_fails(check(node.data()), 1, "changes.log) is missing");
    replace_content(path, sound);
    CPPUNIT_ASSERT_EQUAL(0, check(node.data()).status);
    // Read without recovering: all 50 are there, newest and whole.
    const std::string lines = must_do({"dump", node.data()}).out;
    CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{50}, std::count(lines.begin(), lines.end(), '\n'));
  }

  /// Of the last group that was synced: it may be what the power took, so it is told and not refused.
  void test_damage_that_no_later_record_speaks_for() {
    Node node;
    std::vector<store::Lsn> records;
    const auto nobody_speaks = [&] {
      const auto ring = store::Ring::open(node.data() + "/changes.log", store::Ring::Access::kRead);
      store::RecordView last;
      return records.size() >= 2 && ring->verify(records.back(), last) &&
             last.header.durable() <= records[records.size() - 2];
    };
    for (int attempt = 0; !nobody_speaks(); ++attempt) {
      CPPUNIT_ASSERT(attempt < 50);
      if (attempt > 0) node.start();
      fill(node, 200);
      node.kill();
      records = records_beyond_the_base(node, check(node.data()).out);
    }
    const std::string path = node.data() + "/changes.log";
    std::string bytes = content_of(path);
    const store::Lsn damaged = records[records.size() - 2];
    bytes[store::Ring::kHeaderBytes + damaged % (bytes.size() - store::Ring::kHeaderBytes) + 60] ^= 1;
    replace_content(path, bytes);
    const Finished done = check(node.data());
    CPPUNIT_ASSERT_EQUAL_MESSAGE(done.out, 0, done.status);
    CPPUNIT_ASSERT_MESSAGE(
        done.out, done.out.find("behind that end 1 whole record follows, of key \"key") != std::string::npos);
    CPPUNIT_ASSERT(done.out.ends_with("sound up to the end of the log\n"));
    node.start();
    CPPUNIT_ASSERT(node.supervisor().line(
        [](const std::string& line) { return line.find("records_beyond_the_end") != std::string::npos; }));
  }

  static std::vector<store::Lsn> records_beyond_the_base(const Node& node, const std::string& report) {
    const auto ring = store::Ring::open(node.data() + "/changes.log", store::Ring::Access::kRead);
    CPPUNIT_ASSERT(ring);
    const std::size_t words = report.find("beyond the base, LSN ");
    CPPUNIT_ASSERT_MESSAGE(report, words != std::string::npos);
    std::vector<store::Lsn> records;
    store::RecordView record;
    for (store::Lsn at = std::stoull(report.substr(words + 21)); ring->verify(at, record);
         at = record.end()) {
      records.push_back(at);
    }
    return records;
  }

  void test_flipped_value_in_the_base() {
    Node node;
    fill(node, 1'000);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    const std::string path = node.data() + "/base.mdb";
    const std::string sound = content_of(path);
    std::string damaged = sound;
    // Every copy of the page: old ones are of no use to anybody.
    for (std::size_t at = damaged.find("value of 77"); at != std::string::npos;
         at = damaged.find("value of 77", at + 1)) {
      damaged[at] = 'V';
    }
    replace_content(path, damaged);
    const Finished done = check(node.data());
    assert_fails(done, 1, "problem: key \"key 77\": ");
    assert_fails(done, 1, "checksum does not match");
    CPPUNIT_ASSERT(done.out.find("says that it holds 1,000 keys") != std::string::npos);
    for (const char* word : {"dump", "backup"}) {
      std::vector<std::string> words{word, node.data()};
      if (words[0] == "backup") words.push_back(node.directory().file("b"));
      assert_fails(command(words), 1, "checksum does not match");
    }
    CPPUNIT_ASSERT(!fs::exists(node.directory().file("b")) &&
                   !fs::exists(node.directory().file("b.partial")));
  }

  static void assert_no_copy(const std::string& from, const std::string& file, const std::string& because) {
    assert_fails(command({"dump", from}), 1, because);
    assert_fails(command({"backup", from, file}), 1, because);
    CPPUNIT_ASSERT(!fs::exists(file) && !fs::exists(file + ".partial"));
  }

  /// Nothing that was made from a base which lost some is taken for all of it.
  void test_records_hidden_by_a_damaged_page() {
    Node node;
    fill(node, 1'000);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    BasePages pages(node.data() + "/base.mdb");
    const auto hidden = pages.hide(8);
    pages.store();
    const Finished done = check(node.data());
    assert_fails(done, 1, "says that it holds 1,000 keys");
    CPPUNIT_ASSERT_MESSAGE(done.out, done.out.find("992 keys") != std::string::npos);
    const std::string file = node.directory().file("b");
    assert_no_copy(node.data(), file, "992 records are there of 1000");
    node.start();
    CPPUNIT_ASSERT(http(node.port(), http_request("GET", "/health")).body.find("\"status\":\"healthy\"") !=
                   std::string::npos);
    assert_no_copy(node.address(), file, "");
    const HttpResponse health = http(node.port(), http_request("GET", "/health"));
    CPPUNIT_ASSERT_MESSAGE(health.body, health.body.find("\"status\":\"degraded\"") != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(health.body, health.body.find("restore a backup") != std::string::npos);
    CPPUNIT_ASSERT(http(node.port(), http_request("GET", "/metrics")).body.find("minivault_base_damaged 1") !=
                   std::string::npos);
    // Alone there is nobody to heal it: what it says of itself stays, and so does what tells of the loss.
    client::Connection connection = connect(node);
    set(connection, hidden[0], "back");
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    assert_fails(check(node.data()), 1, "says that it holds 1,001 keys");
  }

  /// Every record is whole, until somebody writes. Then LMDB takes the page for a free one.
  void test_a_page_in_use_on_the_free_list() {
    Node node;
    fill(node, 1'000);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    BasePages pages(node.data() + "/base.mdb");
    const auto free = pages.free_pages();
    CPPUNIT_ASSERT(!free.empty());
    const std::uint64_t leaf = pages.leaves(pages.root("data"))[1];
    const Finished sound = check(node.data());
    CPPUNIT_ASSERT_MESSAGE(sound.out, sound.out.find(" in use, " + std::to_string(free.size()) + " free, ") !=
                                          std::string::npos);
    pages.put(free.back(), leaf);
    pages.store();
    const Finished done = check(node.data());
    assert_fails(done, 1, "problem: base.mdb: the free list, page ");
    assert_fails(done, 1, ": page " + std::to_string(leaf) + " is on it and in use\n");
    CPPUNIT_ASSERT_MESSAGE(done.out, done.out.ends_with("\n1 problem\n"));
  }

  /// Whoever reads it is killed; its number is told before.
  void test_a_page_that_leads_nowhere() {
    Node node;
    fill(node, 1'000);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    BasePages pages(node.data() + "/base.mdb");
    const std::uint64_t root = pages.root("data");
    pages.put(pages.nodes(root)[1] + 2, std::uint16_t{100});  // 25 GB behind the file
    pages.store();
    const std::uint64_t nowhere = pages.child(pages.nodes(root)[1]);
    assert_fails(command({"check", node.data()}), 1,
                 "problem: base.mdb: table data, page " + std::to_string(nowhere) + ", to which page " +
                     std::to_string(root) + " leads: it is none of pages 2 to ");
  }

  /// Two keys a page.
  static void fill_pages(const Node& node, unsigned keys) {
    client::Connection connection = connect(node);
    for (unsigned i = 0; i < keys; ++i) {
      const std::string value = "value of " + std::to_string(i) + ' ' + std::string(1'800, 'v');
      CPPUNIT_ASSERT(connection.queue_set("key " + std::to_string(i), value));
    }
    while (connection.outstanding() > 0) CPPUNIT_ASSERT(connection.receive());
  }

  /// All leaves say that they are page 0, which LMDB does not look at.
  static void damage_leaves(const std::string& base) {
    BasePages pages(base);
    for (const std::uint64_t leaf : pages.leaves(pages.root("data")))
      pages.put(leaf * BasePages::kPage, std::uint64_t{0});
    pages.store();
  }

  /// Its findings fill the pipe, so that it waits in the middle of the pages for somebody who reads it.
  void test_no_node_starts_while_pages_are_looked_at() {
    Node node;
    fill_pages(node, 400);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    damage_leaves(node.data() + "/base.mdb");
    const std::string path = node.directory().file("findings");
    CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(path.c_str(), 0600));
    const UniqueFd findings(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    CPPUNIT_ASSERT_EQUAL(4'096, ::fcntl(findings.get(), F_SETPIPE_SZ, 4'096));
    ChildProcess checking(
        {"/bin/sh", "-c", "exec \"$0\" check \"$1\" > \"$2\"", minivault_binary(), node.data(), path}, {});
    int waiting = 0;
    eventually("a first finding",
               [&] { return ::ioctl(findings.get(), FIONREAD, &waiting) == 0 && waiting > 0; });
    const auto claimed = admin::claim_to_write(node.data());
    CPPUNIT_ASSERT(!claimed);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(claimed.error().message, Code::kBusy, claimed.error().code);
    std::string told;
    eventually("the end of the check", [&] {
      std::array<char, 4'096> bytes{};
      for (ssize_t got = 0; (got = ::read(findings.get(), bytes.data(), bytes.size())) > 0;)
        told.append(bytes.data(), static_cast<std::size_t>(got));
      return !checking.running();
    });
    CPPUNIT_ASSERT_EQUAL(1, checking.wait());
    CPPUNIT_ASSERT_MESSAGE(told,
                           told.size() > 4'096 && told.starts_with("problem: base.mdb: table data, page "));
    CPPUNIT_ASSERT(admin::claim_to_write(node.data()));
  }

  /// More than are told, and more than are looked for.
  void test_many_damaged_pages_hide_no_key() {
    for (const unsigned keys : {400U, 2'500U}) {
      Node node;
      fill_pages(node, keys);
      CPPUNIT_ASSERT_EQUAL(0, node.stop());
      const std::string path = node.data() + "/base.mdb";
      damage_leaves(path);
      std::string bytes = content_of(path);
      for (std::size_t at = bytes.find("value of 77 "); at != std::string::npos;
           at = bytes.find("value of 77 ", at + 1)) {
        bytes[at] = 'V';
      }
      replace_content(path, bytes);
      const Finished done = check(node.data());
      assert_fails(done, 1, "problem: key \"key 77\": ");
      assert_fails(done, 1, "says that it holds " + std::string(keys == 400 ? "400" : "2,500") + " keys");
      assert_fails(done, 1, " more of its pages");
      assert_fails(done, 1, "\npages  at least ");
      const std::string cut = "... and 900 more of its pages, at least\n";
      CPPUNIT_ASSERT_EQUAL_MESSAGE(done.out, keys > 2'000, done.out.find(cut) != std::string::npos);
    }
  }

  /// Its last pages are free and were never written. The node does not start, and both say what is wrong.
  void test_a_short_base_with_a_damaged_free_list() {
    Node node;
    fill(node, 300);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    const std::string path = node.data() + "/base.mdb";
    BasePages pages(path);
    const auto free = pages.free_pages();
    CPPUNIT_ASSERT(!free.empty());
    const std::uint64_t last = pages.last_page();
    pages.put(pages.meta() + 136, last + 1);  // one more page, not in the file
    const auto named = pages.at<std::uint64_t>(free[0]);
    pages.put(free[0], last + 1);
    pages.store();
    const Finished lost = check(node.data());
    assert_fails(lost, 1, "1 page is neither in use nor free, the first is page " + std::to_string(named));
    pages.put(free[0] - 8, std::uint64_t{1} << 61U);
    pages.store();
    const Finished done = check(node.data());
    assert_fails(done, 1, "problem: base.mdb: the free list, page ");
    assert_fails(done, 1,
                 " bytes of " + std::to_string((last + 2) * 4'096) + " are there, and the free list, page ");
    assert_fails(done, 1, ": a list of 2305843009213693952 pages in ");
  }

  /// LMDB trusts its pages; check must come to an end and say something true whatever is in them.
  void test_flipped_anything_in_the_base() {
    Node node;
    fill(node, 300);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    const std::string path = node.data() + "/base.mdb";
    const std::string sound = content_of(path);
    std::mt19937_64 random(seed());
    unsigned found = 0;
    for (unsigned i = 0; i < 60; ++i) {
      std::string damaged = sound;
      for (unsigned flips = 0; flips < 20; ++flips) {
        damaged[random() % damaged.size()] ^= static_cast<char>(1 + random() % 255);
      }
      replace_content(path, damaged);
      const Finished done = command({"check", node.data()});
      CPPUNIT_ASSERT_MESSAGE(done.out + done.err, done.status == 0 || done.status == 1);
      CPPUNIT_ASSERT_EQUAL(done.status == 1, done.out.find("problem: ") != std::string::npos);
      found += done.status == 1 ? 1U : 0U;
    }
    CPPUNIT_ASSERT(found > 20);  // much of the file is free space and old pages
  }

  void test_files_that_do_not_belong_together() {
    Node node;
    Node other;
    fill(node, 10);
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    CPPUNIT_ASSERT_EQUAL(0, other.stop());
    fs::copy_file(other.data() + "/changes.log", node.data() + "/changes.log",
                  fs::copy_options::overwrite_existing);
    assert_fails(check(node.data()), 1, "log and base belong to different nodes");
    fs::remove(other.data() + "/base.mdb");
    assert_fails(check(other.data()), 1, "there is no base");
  }

  /// The open of a pipe that nobody writes into would not return.
  void test_what_is_no_file() {
    Node node;
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    for (const char* name : {"changes.log", "base.mdb", "minivault.lock"}) {
      const std::string path = node.data() + "/" + name;
      const std::string aside = node.directory().file("aside");
      fs::rename(path, aside);
      CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(path.c_str(), 0600));
      const bool is_lock = path.ends_with(".lock");  // who cannot claim it looks at nothing
      assert_fails(check(node.data()), is_lock ? 2 : 1, "not a regular file");
      assert_fails(command({"dump", node.data()}), 1, "not a regular file");
      fs::rename(aside, path);
    }
    CPPUNIT_ASSERT_EQUAL(0, check(node.data()).status);
    fs::remove(node.data() + "/changes.log");
    fs::create_symlink("/not/mounted/changes.log", node.data() + "/changes.log");
    assert_fails(check(node.data()), 1, "is a link to what is not there");
  }

  /// The header's checksum has no key, so it says nothing about sense.
  void test_a_log_of_a_size_that_none_has() {
    Node node;
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    const std::string path = node.data() + "/changes.log";
    for (const std::uint64_t bytes : {0, 4'095}) {
      put_ring_bytes(path, bytes);
      fs::resize_file(path, store::Ring::kHeaderBytes + bytes);
      const std::string saying = "the header is damaged: a ring of " + std::to_string(bytes) + " bytes";
      assert_fails(check(node.data()), 1, "problem: the log's header is damaged");
      assert_fails(check(node.data()), 1, saying);
      assert_fails(command({"dump", node.data()}), 1, saying);
      assert_fails(run(node.command()), 3, saying);
    }
  }

  /// A first start that found no room for its log has made its base, and the next one goes on from there.
  void test_births_are_no_refusals() {
    const TemporaryDirectory directory;
    const std::string data = directory.file("data");
    const std::string line = "ulimit -f 8192; trap '' XFSZ; exec \"$@\"";
    assert_fails(run({"/bin/bash", "-c", line, "bash", minivault_binary(), "-config", "", "-bind",
                      "127.0.0.1", "-port", "0", "-data", data, "-log", "64MB"}),
                 3, "cannot reserve 64 MB");
    CPPUNIT_ASSERT(fs::exists(data + "/base.mdb") && !fs::exists(data + "/changes.log"));
    const auto born_by = [&](const std::string& why) {
      const Finished done = check(data);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(done.out, 0, done.status);
      CPPUNIT_ASSERT_MESSAGE(done.out,
                             done.out.find("start  the birth of an empty node (" + why) != std::string::npos);
      CPPUNIT_ASSERT_MESSAGE(done.out, done.out.ends_with("\nsound\n"));
      assert_fails(command({"dump", data}), 1, "no node has lived here yet (" + why);
      assert_fails(command({"backup", data, directory.file("b")}), 1, "no node has lived here yet");
    };
    born_by("an empty directory)");
    CPPUNIT_ASSERT(store::Ring::create(data + "/changes.log", 1 << 20, 7, 4'096));
    born_by("a birth was cut short)");
    Node node({.flags = {"-data", data}});
    CPPUNIT_ASSERT_EQUAL(0, node.stop());
    const Finished born = check(data);
    CPPUNIT_ASSERT_MESSAGE(born.out,
                           born.out.find("nothing to recover (stopped in order)") != std::string::npos);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(CheckTest, "check_test");

}  // namespace
}  // namespace minivault::test
