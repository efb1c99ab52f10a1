// Goal: what is shipped for Prometheus and Grafana speaks of metrics that there are, and every alert is
// tested. Method: the names in packaging/monitoring against the page of a real node. (What Prometheus itself
// says of them is `make monitoring-test`.)

#include <cppunit/extensions/HelperMacros.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "tests/support/metrics.h"
#include "tests/support/node.h"
#include "tests/support/source_directory.h"

namespace minivault::test {

namespace {

std::string shipped(const std::string& name) {
  std::ifstream stream(source_directory() / "packaging/monitoring" / name, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(stream), {});
  CPPUNIT_ASSERT_MESSAGE(name, !text.empty());
  return text;
}

/// All that `pattern` finds, as its first group.
std::set<std::string> all_of(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> found;
  for (auto at = std::sregex_iterator(text.begin(), text.end(), expression); at != std::sregex_iterator();
       ++at) {
    found.insert((*at)[1]);
  }
  return found;
}

/// Whether the page has samples of that name.
bool is_known(const Metrics& metrics, const std::string& name) {
  if (metrics.has_family(name)) return metrics.families().at(name) != "histogram";
  for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
    const std::string family = name.substr(0, name.size() - std::min(name.size(), suffix.size()));
    const bool is_histogram = metrics.has_family(family) && metrics.families().at(family) == "histogram";
    if (name.ends_with(suffix) && is_histogram) return true;
  }
  return false;
}

}  // namespace

class MonitoringTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(MonitoringTest);
  CPPUNIT_TEST(names_only_metrics_that_there_are);
  CPPUNIT_TEST(takes_the_rate_of_counters_alone);
  CPPUNIT_TEST(the_dashboard_is_whole);
  CPPUNIT_TEST(every_alert_is_tested);
  CPPUNIT_TEST_SUITE_END();

 public:
  void names_only_metrics_that_there_are() {
    const Node node;
    const Metrics metrics(node.port());
    for (const char* file : {"minivault.dashboard.json", "minivault.rules.yml", "minivault.rules.test.yml"}) {
      const std::set<std::string> names = all_of(shipped(file), "\\b(minivault_[a-z_]+)");
      CPPUNIT_ASSERT_MESSAGE(file, names.size() > 5);
      for (const std::string& name : names) {
        CPPUNIT_ASSERT_MESSAGE(std::string(file) + " asks for " + name, is_known(metrics, name));
      }
    }
  }

  /// rate() takes each step down of a gauge for a restart from zero.
  void takes_the_rate_of_counters_alone() {
    const Node node;
    const Metrics metrics(node.port());
    for (const char* file : {"minivault.dashboard.json", "minivault.rules.yml"}) {
      const std::set<std::string> names =
          all_of(shipped(file), "\\b(?:i?rate|increase)\\((minivault_[a-z_]+)");
      CPPUNIT_ASSERT_MESSAGE(file, !names.empty());
      for (const std::string& name : names) {
        const auto family = metrics.families().find(name);
        const bool is_gauge = family != metrics.families().end() && family->second == "gauge";
        CPPUNIT_ASSERT_MESSAGE(std::string(file) + " takes the rate of " + name, !is_gauge);
      }
    }
  }

  void the_dashboard_is_whole() {
    const auto dashboard = parse_json(shipped("minivault.dashboard.json"));
    CPPUNIT_ASSERT_EQUAL(std::string("minivault"), std::string(dashboard["uid"].GetString()));
    std::set<int> ids;
    for (const auto& panel : dashboard["panels"].GetArray()) {
      CPPUNIT_ASSERT(ids.insert(panel["id"].GetInt()).second);
      CPPUNIT_ASSERT(panel["targets"].GetArray().Size() > 0);
      for (const auto& target : panel["targets"].GetArray()) {
        CPPUNIT_ASSERT(std::string(target["expr"].GetString()).find("minivault_") != std::string::npos);
      }
    }
    CPPUNIT_ASSERT(ids.size() > 10);
  }

  void every_alert_is_tested() {
    const std::set<std::string> alerts = all_of(shipped("minivault.rules.yml"), "- alert: (\\w+)");
    const std::string tests = shipped("minivault.rules.test.yml");
    CPPUNIT_ASSERT(alerts.size() > 10);
    for (const std::string& alert : alerts) {
      CPPUNIT_ASSERT_MESSAGE(alert, tests.find("  alertname: " + alert + "\n") != std::string::npos);
      CPPUNIT_ASSERT_MESSAGE(alert, tests.find("name: not " + alert + "\n") != std::string::npos);
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(MonitoringTest, "monitoring_test");

}  // namespace minivault::test
