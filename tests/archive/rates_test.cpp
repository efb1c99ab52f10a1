// Goal: `minivault top` says what happened between two looks. Method: pairs of pages whose difference is
// known; then a real node under a known load.

#include "common/admin/rates.h"

#include <cppunit/extensions/HelperMacros.h>

#include <array>

#include "common/admin/arguments.h"
#include "tests/support/frames.h"
#include "tests/support/http.h"
#include "tests/support/node.h"

namespace minivault::admin {

namespace {

using test::http_request;
using test::parse_json;

/// Requests of one operation, and their times: `fast` within 0.25 s, all within 1 s.
MetricPage page_of(double ok, double unknown, double fast) {
  const auto text = [](double value) { return std::to_string(static_cast<std::uint64_t>(value)); };
  const std::string all = text(ok + unknown);
  const std::string requests = "minivault_requests_total{proto=\"http\",op=\"set\",code=";
  const std::string times = "minivault_request_duration_seconds";
  const auto page = protocol::parse_exposition(
      "# HELP minivault_requests_total R.\n# TYPE minivault_requests_total counter\n" + requests +
      "\"ok\"} " + text(ok) + '\n' + requests + "\"unknown\"} " + text(unknown) + '\n' + "# HELP " + times +
      " T.\n# TYPE " + times + " histogram\n" + times + "_bucket{op=\"set\",le=\"0.25\"} " + text(fast) +
      '\n' + times + "_bucket{op=\"set\",le=\"1\"} " + all + '\n' + times +
      "_bucket{op=\"set\",le=\"+Inf\"} " + all + '\n' + times + "_sum{op=\"set\"} 1\n" + times +
      "_count{op=\"set\"} " + all + '\n');
  CPPUNIT_ASSERT_MESSAGE(page ? "" : page.error().message, page.has_value());
  return *page;
}

}  // namespace

class RatesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(RatesTest);
  CPPUNIT_TEST(rates_are_differences_over_time);
  CPPUNIT_TEST(quantiles_lie_in_their_buckets);
  CPPUNIT_TEST(a_restart_is_no_negative_rate);
  CPPUNIT_TEST(an_empty_page_has_no_rates);
  CPPUNIT_TEST(flags_of_a_command_are_its_own);
  CPPUNIT_TEST(top_of_a_running_node);
  CPPUNIT_TEST(top_outlives_the_worker_it_asked);
  CPPUNIT_TEST(top_says_what_is_wrong);
  CPPUNIT_TEST_SUITE_END();

 public:
  void rates_are_differences_over_time() {
    const NodeRates rates = rates_between(page_of(100, 10, 0), page_of(300, 30, 0), 2);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rates.ops.size());
    CPPUNIT_ASSERT_EQUAL(std::string("set"), rates.ops[0].op);
    CPPUNIT_ASSERT_EQUAL(110.0, rates.ops[0].per_second);
    CPPUNIT_ASSERT_EQUAL(10.0, rates.ops[0].failed_per_second);
  }

  void quantiles_lie_in_their_buckets() {
    // 100 more: 80 within 0.25 s, 20 between that and 1 s.
    const OpRates rates = rates_between(page_of(1000, 0, 1000), page_of(1100, 0, 1080), 1).ops[0];
    CPPUNIT_ASSERT_DOUBLES_EQUAL(0.25 * 50 / 80, rates.p50_s, 1e-9);
    CPPUNIT_ASSERT_DOUBLES_EQUAL(0.25 + 0.75 * 19 / 20, rates.p99_s, 1e-9);
    const OpRates none = rates_between(page_of(1000, 0, 1000), page_of(1000, 0, 1000), 1).ops[0];
    CPPUNIT_ASSERT_EQUAL(0.0, none.p99_s);
  }

  void a_restart_is_no_negative_rate() {
    const OpRates rates = rates_between(page_of(1000, 0, 1000), page_of(10, 0, 10), 1).ops[0];
    CPPUNIT_ASSERT_EQUAL(10.0, rates.per_second);
    CPPUNIT_ASSERT(rates.p99_s > 0 && rates.p99_s <= 0.25);
  }

  void an_empty_page_has_no_rates() {
    const NodeRates rates = rates_between({}, {}, 1);
    CPPUNIT_ASSERT(rates.ops.empty() && rates.peers.empty() && !rates.ready);
    CPPUNIT_ASSERT(parse_json(json_of(rates)).IsObject());
    CPPUNIT_ASSERT(text_of(rates).starts_with("NOT READY"));
  }

  void flags_of_a_command_are_its_own() {
    constexpr std::array<std::string_view, 2> kOwn = {"once", "interval="};
    const auto parse = [&](std::vector<std::string_view> words) { return parse_arguments(words, kOwn); };
    const auto given = parse({"-once", "a:1", "--interval=2s"});
    CPPUNIT_ASSERT(given && given->own.contains("once") && given->own.at("interval") == "2s");
    CPPUNIT_ASSERT(parse({"-interval", "3s"})->own.at("interval") == "3s");
    CPPUNIT_ASSERT(!parse({"-interval"}).has_value());
    CPPUNIT_ASSERT(!parse({"-json"}).has_value());
    CPPUNIT_ASSERT(!parse_arguments(std::vector<std::string_view>{"-once"}).has_value());
  }

  void top_of_a_running_node() {
    const test::Node node({.flags = {"-auth", "key", "-authmode", "all"}});
    test::RawConnection connection(node.port());
    CPPUNIT_ASSERT_EQUAL(test::kOk, connection.exchange(test::auth_frame("key"), 5));
    CPPUNIT_ASSERT_EQUAL(test::kOk, connection.exchange(test::set_frame("a", "1"), 5));
    const test::Finished json = run_top(node, {"-auth", "key", "-once", "-json", "-interval", "300ms"});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(json.err, 0, json.status);
    const auto rates = parse_json(json.out);
    CPPUNIT_ASSERT(rates["ready"].GetBool());
    CPPUNIT_ASSERT(rates["seconds"].GetDouble() >= 0.3);
    bool has_set = false;
    for (const auto& op : rates["ops"].GetArray()) has_set |= std::string(op["op"].GetString()) == "set";
    CPPUNIT_ASSERT_MESSAGE(json.out, has_set);

    const test::Finished text = run_top(node, {"-auth", "key", "-once"});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(text.err, 0, text.status);
    CPPUNIT_ASSERT_MESSAGE(text.out, text.out.starts_with("ready  minivault "));
    CPPUNIT_ASSERT_MESSAGE(text.out, text.out.find("\nset  ") != std::string::npos);
  }

  void top_outlives_the_worker_it_asked() {
    const test::Node node({.flags = {"-procs", "1"}});
    const std::string command =
        "exec " + test::minivault_binary() + " top " + node.address() + " -json -interval 200ms >&2";
    test::ChildProcess top({"/bin/sh", "-c", command}, {});
    const auto any = [](const std::string&) { return true; };
    CPPUNIT_ASSERT(top.line(any).has_value());
    const pid_t worker = node.child("worker");
    CPPUNIT_ASSERT_EQUAL(0, ::kill(worker, SIGKILL));
    test::eventually("the worker is gone", [&] { return !test::is_alive(worker); });
    CPPUNIT_ASSERT(top.line(any, top.lines().size() + 1).has_value());
    CPPUNIT_ASSERT(top.running());
  }

  void top_says_what_is_wrong() {
    const test::Node node({.flags = {"-auth", "key", "-authmode", "all"}});
    const test::Finished locked = run_top(node, {"-once"});
    CPPUNIT_ASSERT_EQUAL(1, locked.status);
    CPPUNIT_ASSERT_MESSAGE(locked.err, locked.err.find("unauthorized") != std::string::npos);
    CPPUNIT_ASSERT_EQUAL(2, run_top(node, {"-interval", "1ms"}).status);
    CPPUNIT_ASSERT_EQUAL(2, run_top(node, {"-watch"}).status);
    const test::Finished nobody =
        test::run({test::minivault_binary(), "top", "127.0.0.1:" + std::to_string(test::free_port())});
    CPPUNIT_ASSERT_EQUAL(1, nobody.status);
  }

 private:
  static test::Finished run_top(const test::Node& node, const std::vector<std::string>& flags) {
    std::vector<std::string> command{test::minivault_binary(), "top", node.address()};
    command.insert(command.end(), flags.begin(), flags.end());
    return test::run(command);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(RatesTest, "rates_test");

}  // namespace minivault::admin
