// Goal: /metrics counts what was asked, right after it was, and forgets nothing when a process dies; /_/live
// and
// /_/ready say what an orchestrator acts on. Method: known requests to real nodes, deaths, and the page read
// strictly.

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/frames.h"
#include "tests/support/http_assert.h"
#include "tests/support/metrics.h"
#include "tests/support/node.h"

namespace minivault::test {

namespace {

std::string requests(const std::string& proto, const std::string& op, const std::string& code) {
  return "minivault_requests_total{proto=\"" + proto + "\",op=\"" + op + "\",code=\"" + code + "\"}";
}

/// The page may be a little older than what is asked of it.
void await_sample(const Node& node, const std::string& sample, double expected) {
  double seen = -1;
  try {
    eventually(sample, [&] { return (seen = Metrics(node.port())[sample]) == expected; });
  } catch (const std::runtime_error& error) {
    CPPUNIT_FAIL(std::string(error.what()) + ": " + std::to_string(seen) + " instead of " +
                 std::to_string(expected));
  }
}

}  // namespace

class MetricsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(MetricsTest);
  CPPUNIT_TEST(counts_binary_requests);
  CPPUNIT_TEST(counts_http_requests);
  CPPUNIT_TEST(times_what_it_counts);
  CPPUNIT_TEST(tells_where_values_were_found);
  CPPUNIT_TEST(a_death_takes_no_count);
  CPPUNIT_TEST(is_text_of_the_format);
  CPPUNIT_TEST(needs_the_key_where_reads_need_it);
  CPPUNIT_TEST(live_and_ready_alone);
  CPPUNIT_TEST(ready_says_what_is_missing);
  CPPUNIT_TEST(names_below_are_keys_to_nobody);
  CPPUNIT_TEST(slow_operations_are_told);
  CPPUNIT_TEST_SUITE_END();

 public:
  void counts_binary_requests() {
    const Node node;
    RawConnection connection(node.port());
    // Pipelined: the gets at the end are looked up together.
    connection.send(set_frame("a", "1") + set_frame("b", "2") + set_frame("c", "3") + delete_frame("c") +
                    get_frame("a") + get_frame("b") + get_frame("c") + get_frame("none"));
    CPPUNIT_ASSERT_EQUAL(kOk + kOk + kOk + kOk, connection.receive(20));
    CPPUNIT_ASSERT_EQUAL(value_answer("1") + value_answer("2") + kError + kError, connection.receive(22));
    CPPUNIT_ASSERT_EQUAL(kError, connection.exchange(set_frame("d", "x", '\1'), 5));  // no zstd frame
    CPPUNIT_ASSERT_EQUAL(kError, connection.exchange(set_frame("", "x"), 5));
    CPPUNIT_ASSERT_EQUAL(kOk, connection.exchange(auth_frame("any"), 5));
    CPPUNIT_ASSERT_EQUAL('\0', connection.exchange(health_frame(), 1)[0]);
    CPPUNIT_ASSERT_EQUAL(kError, RawConnection(node.port()).exchange("\7", 5));

    await_sample(node, requests("binary", "set", "ok"), 3);
    const Metrics metrics(node.port());
    CPPUNIT_ASSERT_EQUAL(1.0, metrics[requests("binary", "delete", "ok")]);
    CPPUNIT_ASSERT_EQUAL(2.0, metrics[requests("binary", "get", "ok")]);
    CPPUNIT_ASSERT_EQUAL(2.0, metrics[requests("binary", "get", "not_found")]);
    CPPUNIT_ASSERT_EQUAL(2.0, metrics[requests("binary", "set", "invalid")]);
    CPPUNIT_ASSERT_EQUAL(1.0, metrics[requests("binary", "auth", "ok")]);
    CPPUNIT_ASSERT_EQUAL(1.0, metrics[requests("binary", "health", "ok")]);
    CPPUNIT_ASSERT_EQUAL(1.0, metrics[requests("binary", "other", "invalid")]);
    CPPUNIT_ASSERT_EQUAL(0.0, metrics[requests("http", "get", "ok")]);
  }

  void counts_http_requests() {
    const Node node;
    assert_done(http(node.port(), http_upload("PUT", "/a", R"({"value":1})")));
    assert_done(http(node.port(), http_upload("POST", "/b", R"({"value":1})")), 201);
    assert_refused(http(node.port(), http_upload("POST", "/b", R"({"value":1})")), 409);
    assert_refused(http(node.port(), http_upload("PUT", "/a", "no json")), 400);
    assert_done(http(node.port(), http_request("DELETE", "/b")));
    CPPUNIT_ASSERT_EQUAL(200, http(node.port(), http_request("GET", "/a")).status);
    assert_refused(http(node.port(), http_request("GET", "/b")), 404);
    CPPUNIT_ASSERT_EQUAL(200, http(node.port(), http_request("GET", "/health")).status);
    assert_refused(http(node.port(), http_request("PATCH", "/a", {"Content-Length: 0"})), 405);
    assert_refused(http(node.port(), "GET nonsense\r\n\r\n"), 400);

    await_sample(node, requests("http", "set", "ok"), 2);
    const Metrics metrics(node.port());
    CPPUNIT_ASSERT_EQUAL(1.0, metrics[requests("http", "set", "conflict")]);
    CPPUNIT_ASSERT_EQUAL(1.0, metrics[requests("http", "set", "invalid")]);
    CPPUNIT_ASSERT_EQUAL(1.0, metrics[requests("http", "delete", "ok")]);
    CPPUNIT_ASSERT_EQUAL(1.0, metrics[requests("http", "get", "ok")]);
    CPPUNIT_ASSERT_EQUAL(1.0, metrics[requests("http", "get", "not_found")]);
    CPPUNIT_ASSERT_EQUAL(1.0, metrics[requests("http", "health", "ok")]);
    CPPUNIT_ASSERT_EQUAL(2.0, metrics[requests("http", "other", "invalid")]);
  }

  void times_what_it_counts() {
    const Node node;
    RawConnection connection(node.port());
    std::string many;
    for (int i = 0; i < 100; ++i) many += get_frame("none");
    connection.send(many);
    for (int i = 0; i < 100; ++i) CPPUNIT_ASSERT_EQUAL(kError, connection.receive(5));
    CPPUNIT_ASSERT_EQUAL(kOk, connection.exchange(set_frame("a", "1"), 5));
    assert_done(http(node.port(), http_request("DELETE", "/a")));
    CPPUNIT_ASSERT_EQUAL(404, http(node.port(), http_request("GET", "/a")).status);

    await_sample(node, "minivault_request_duration_seconds_count{op=\"get\"}", 101);
    await_sample(node, "minivault_request_duration_seconds_count{op=\"set\"}", 1);
    await_sample(node, "minivault_request_duration_seconds_count{op=\"delete\"}", 1);
    const Metrics metrics(node.port());
    for (const char* stage : {"parse", "store", "durable"}) {
      const std::string labels = std::string("{op=\"set\",stage=\"") + stage + "\"}";
      CPPUNIT_ASSERT_EQUAL(1.0, metrics["minivault_request_stage_seconds_count" + labels]);
      CPPUNIT_ASSERT(metrics["minivault_request_stage_seconds_sum" + labels] > 0);
    }
    CPPUNIT_ASSERT_EQUAL(101.0, metrics["minivault_request_stage_seconds_count{op=\"get\",stage=\"store\"}"]);
    // Alone, nobody waits for other nodes.
    CPPUNIT_ASSERT_EQUAL(0.0, metrics["minivault_request_stage_seconds_count{op=\"set\",stage=\"quorum\"}"]);
    const double whole = metrics["minivault_request_duration_seconds_sum{op=\"set\"}"];
    CPPUNIT_ASSERT(whole >= metrics["minivault_request_stage_seconds_sum{op=\"set\",stage=\"durable\"}"]);
    CPPUNIT_ASSERT(metrics["minivault_fdatasync_seconds_count"] >= 2);
  }

  void tells_where_values_were_found() {
    const Node node;
    RawConnection connection(node.port());
    CPPUNIT_ASSERT_EQUAL(kOk, connection.exchange(set_frame("a", "1"), 5));
    CPPUNIT_ASSERT_EQUAL(value_answer("1"), connection.exchange(get_frame("a"), 6));
    CPPUNIT_ASSERT_EQUAL(kError, connection.exchange(get_frame("none"), 5));
    await_sample(node, "minivault_lookups_total{source=\"index\"}", 1);
    await_sample(node, "minivault_lookups_total{source=\"base\"}", 1);
    await_sample(node, "minivault_keys", 1);  // after a checkpoint
    const Metrics metrics(node.port());
    CPPUNIT_ASSERT(metrics["minivault_checkpoint_seconds_count"] >= 1);
    CPPUNIT_ASSERT(metrics["minivault_checkpoint_bytes_total"] >= 64);
    CPPUNIT_ASSERT(metrics["minivault_base_used_bytes"] > 0);
    CPPUNIT_ASSERT(metrics["minivault_log_position_bytes{mark=\"durable\"}"] <=
                   metrics["minivault_log_position_bytes{mark=\"tail\"}"]);
    CPPUNIT_ASSERT(metrics["minivault_connections"] >= 2);
  }

  void a_death_takes_no_count() {
    const Node node;
    // As many connections as it takes to have counts in both workers.
    for (int i = 0; i < 20; ++i) {
      CPPUNIT_ASSERT_EQUAL(kError, RawConnection(node.port()).exchange(get_frame("none"), 5));
    }
    await_sample(node, requests("binary", "get", "not_found"), 20);
    for (double round = 1; round <= 2; ++round) {
      const std::vector<pid_t> workers = node.children("worker");
      CPPUNIT_ASSERT_EQUAL(std::size_t{2}, workers.size());
      for (const pid_t pid : workers) ::kill(pid, SIGKILL);
      eventually("workers are replaced", [&] {
        const std::vector<pid_t> now = node.children("worker");
        return now.size() == 2 && now != workers && now[0] != workers[1] && now[1] != workers[0];
      });
      await_sample(node, "minivault_process_restarts_total{role=\"worker\"}", 2 * round);
      await_sample(node, requests("binary", "get", "not_found"), 19 + round);
      CPPUNIT_ASSERT_EQUAL(kError, RawConnection(node.port()).exchange(get_frame("none"), 5));
      await_sample(node, requests("binary", "get", "not_found"), 20 + round);
    }
    CPPUNIT_ASSERT_EQUAL(0.0, Metrics(node.port())["minivault_process_restarts_total{role=\"replicator\"}"]);
  }

  void is_text_of_the_format() {
    const Node node;
    const HttpResponse response = http(node.port(), http_request("GET", "/metrics"));
    CPPUNIT_ASSERT_EQUAL(std::string("text/plain; version=0.0.4"), response.header("content-type"));
    const Metrics metrics(node.port());
    for (const auto& [name, type] : metrics.families()) {
      CPPUNIT_ASSERT_MESSAGE(name, name.starts_with("minivault_"));
      CPPUNIT_ASSERT_EQUAL_MESSAGE(name, type == "counter", name.ends_with("_total"));
      if (type == "histogram") CPPUNIT_ASSERT_MESSAGE(name, name.ends_with("_seconds"));
    }
    RawConnection connection(node.port());
    connection.send(http_request("HEAD", "/metrics"));
    CPPUNIT_ASSERT_EQUAL(200, receive_http(connection, false).status);
    const HttpResponse refused = http(node.port(), http_upload("PUT", "/metrics", R"({"value":1})"));
    assert_refused(refused, 405);
    CPPUNIT_ASSERT_EQUAL(std::string("GET, HEAD"), refused.header("allow"));
  }

  void needs_the_key_where_reads_need_it() {
    const Headers key{"Authorization: Bearer secret"};
    for (const char* mode : {"none", "writes", "all"}) {
      const Node node({.flags = {"-auth", "secret", "-authmode", mode}});
      const bool needed = std::string(mode) == "all";
      const HttpResponse without = http(node.port(), http_request("GET", "/metrics"));
      CPPUNIT_ASSERT_EQUAL_MESSAGE(mode, needed ? 401 : 200, without.status);
      CPPUNIT_ASSERT_EQUAL(200, http(node.port(), http_request("GET", "/metrics", key)).status);
      for (const char* open : {"/health", "/_/live", "/_/ready"}) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(open, 200, http(node.port(), http_request("GET", open)).status);
      }
    }
  }

  void live_and_ready_alone() {
    const Node node;
    const HttpResponse live = http(node.port(), http_request("GET", "/_/live"));
    CPPUNIT_ASSERT_EQUAL(200, live.status);
    CPPUNIT_ASSERT_EQUAL(std::string(R"({"success":true,"live":true})"), live.body);
    const HttpResponse ready = http(node.port(), http_request("GET", "/_/ready"));
    CPPUNIT_ASSERT_EQUAL(200, ready.status);
    CPPUNIT_ASSERT_EQUAL(std::string(R"({"success":true,"ready":true})"), ready.body);
    CPPUNIT_ASSERT_EQUAL(1.0, Metrics(node.port())["minivault_ready"]);
  }

  void ready_says_what_is_missing() {
    const std::string nobody = "127.0.0.1:" + std::to_string(free_port());
    const std::string nobody_else = "127.0.0.1:" + std::to_string(free_port());
    const Node node({.flags = {"-write-timeout", "100ms"},
                     .environment = {{"CLUSTER_NODES", nobody + ',' + nobody_else}}});
    HttpResponse ready;
    eventually("the majority is known", [&] {
      ready = http(node.port(), http_request("GET", "/_/ready"));
      return ready.body.find("no quorum: 1 of the 2") != std::string::npos;
    });
    assert_refused(ready, 503, "not ready");
    CPPUNIT_ASSERT(parse_json(ready.body)["reasons"].IsArray());
    CPPUNIT_ASSERT_EQUAL(200, http(node.port(), http_request("GET", "/_/live")).status);
    await_sample(node, "minivault_ready", 0);
    CPPUNIT_ASSERT_EQUAL(2.0, Metrics(node.port())["minivault_quorum_needed"]);
    CPPUNIT_ASSERT_EQUAL(0.0, Metrics(node.port())["minivault_peer_up{peer=\"" + nobody + "\"}"]);
    // Its fate is unknown, and counted so.
    CPPUNIT_ASSERT_EQUAL(kError, RawConnection(node.port()).exchange(set_frame("a", "1"), 5));
    CPPUNIT_ASSERT_EQUAL(503, http(node.port(), http_upload("PUT", "/a", R"({"value":1})")).status);
    await_sample(node, requests("binary", "set", "unknown"), 1);
    await_sample(node, requests("http", "set", "unknown"), 1);
  }

  void names_below_are_keys_to_nobody() {
    const Node node;
    for (const char* target : {"/_/other", "/_/live/", "/_/readyx"}) {
      assert_refused(http(node.port(), http_request("GET", target)), 404);
    }
    assert_done(http(node.port(), http_upload("PUT", "/_/kv/_/live", R"({"value":1})")));
    assert_data(http(node.port(), http_request("GET", "/_/kv/_/live")), "1");
  }

  void slow_operations_are_told() {
    Node node({.flags = {"-slowlog", "50ms"}});
    const pid_t checkpointer = node.child("checkpointer");
    suspend(checkpointer);  // nothing becomes durable meanwhile
    RawConnection connection(node.port());
    connection.send(set_frame("thekey", "thevalue"));
    CPPUNIT_ASSERT(connection.silent_for(milliseconds(200)));
    ::kill(checkpointer, SIGCONT);
    CPPUNIT_ASSERT_EQUAL(kOk, connection.receive(5));
    const auto line = node.supervisor().line(
        [](const std::string& text) { return text.find("] slow_operation ") != std::string::npos; });
    CPPUNIT_ASSERT(line.has_value());
    for (const char* part : {" warning worker ", " op=set ", " proto=binary ", " requests=1 ",
                             " total_us=", " parse_us=", " store_us=", " durable_us=", " quorum_us=0 ",
                             " key_bytes=6 ", " value_bytes=8"}) {
      CPPUNIT_ASSERT_MESSAGE(*line + part, (*line + ' ').find(part) != std::string::npos);
    }
    CPPUNIT_ASSERT_MESSAGE(*line, line->find("thekey") == std::string::npos);
    await_sample(node, "minivault_slow_operations_total", 1);
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(MetricsTest, "metrics_test");

}  // namespace minivault::test
