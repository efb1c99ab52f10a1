// Goal: what Exposition writes is what Prometheus reads, and the reader takes nothing else. Method: pages
// written and read back; pages with one thing wrong each.

#include "common/protocol/exposition.h"

#include <cppunit/extensions/HelperMacros.h>

namespace minivault::protocol {

using Type = Exposition::Type;
using Label = Exposition::Label;

class ExpositionTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ExpositionTest);
  CPPUNIT_TEST(a_page_as_the_format_has_it);
  CPPUNIT_TEST(what_was_written_is_read);
  CPPUNIT_TEST(numbers_are_short_and_exact);
  CPPUNIT_TEST(an_empty_page_is_a_page);
  CPPUNIT_TEST(damage_is_named);
  CPPUNIT_TEST_SUITE_END();

 public:
  void a_page_as_the_format_has_it() {
    Exposition page;
    page.family("a_total", Type::kCounter, "Back\\slash\nand line.");
    page.sample(std::vector<Label>{{"x", "say \"a\\b\"\n"}, {"y", ""}}, std::uint64_t{7});
    page.family("b", Type::kGauge, "B.");
    page.sample(Exposition::Labels{}, 0.5);
    CPPUNIT_ASSERT_EQUAL(std::string("# HELP a_total Back\\\\slash\\nand line.\n"
                                     "# TYPE a_total counter\n"
                                     "a_total{x=\"say \\\"a\\\\b\\\"\\n\",y=\"\"} 7\n"
                                     "# HELP b B.\n"
                                     "# TYPE b gauge\n"
                                     "b 0.5\n"),
                         page.text());
  }

  void what_was_written_is_read() {
    Exposition page;
    page.family("a", Type::kGauge, "A.");
    page.sample(std::vector<Label>{{"x", "}\", \\ ="}}, -1.25);
    page.family("h", Type::kHistogram, "H.");
    page.sample("_bucket", std::vector<Label>{{"le", "0.1"}}, "2");
    page.sample("_bucket", std::vector<Label>{{"le", "+Inf"}}, "3");
    page.sample("_sum", {}, "0.7");
    page.sample("_count", {}, "3");
    const auto families = parse_exposition(page.text());
    CPPUNIT_ASSERT_MESSAGE(families ? "" : families.error().message, families.has_value());
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, families->size());
    CPPUNIT_ASSERT_EQUAL(std::string("a"), families->front().name);
    CPPUNIT_ASSERT_EQUAL(std::string("gauge"), families->front().type);
    CPPUNIT_ASSERT_EQUAL(std::string("A."), families->front().help);
    CPPUNIT_ASSERT_EQUAL(-1.25, families->front().samples.front().value);
    CPPUNIT_ASSERT_EQUAL(std::string("}\", \\ ="), std::string(families->front().samples.front().label("x")));
    CPPUNIT_ASSERT_EQUAL(std::string("h_count"), families->back().samples.back().name);
  }

  void numbers_are_short_and_exact() {
    CPPUNIT_ASSERT_EQUAL(std::string("2.56e-07"), Exposition::number(256 / 1e9));
    CPPUNIT_ASSERT_EQUAL(std::string("0.1"), Exposition::number(0.1));
    CPPUNIT_ASSERT_EQUAL(std::string("0"), Exposition::number(0));
  }

  void an_empty_page_is_a_page() { CPPUNIT_ASSERT(parse_exposition("").has_value()); }

  void damage_is_named() {
    const std::string head = "# HELP a A.\n# TYPE a gauge\n";
    const std::string histogram = "# HELP h H.\n# TYPE h histogram\n";
    for (const std::string& page : {
             std::string("a 1\n"),                                   // without its head
             std::string("# HELP a A.\na 1\n"),                      // without a type
             std::string("# TYPE a gauge\na 1\n"),                   // without help
             std::string("# HELP a A.\n# TYPE b gauge\n"),           // of another
             std::string("# HELP a A.\n# TYPE a guage\na 1\n"),      // no type
             std::string("# HELP a A.\n"),                           // ends too soon
             head + "a 1",                                           // no line end
             head + "a 1\n\n",                                       // an empty line
             head + "a\n",                                           // no value
             head + "a 1 2 3\n",                                     // too much
             head + "a NaN\n",                                       // nothing that this program says
             head + "a x\n",                                         //
             head + "b 1\n",                                         // another family's
             head + "a 1\na 2\n",                                    // twice
             head + "a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n",  // twice, in another order
             head + "a{x=\"1\",x=\"2\"} 1\n",                        // a label twice
             head + "a{x=\"1} 1\n",                                  // no end of the value
             head + "a{x=\"\\q\"} 1\n",                              // no such escape
             head + "a{1x=\"\"} 1\n",                                // no name
             head + "a{x=\"\"}1\n",                                  // no blank
             head + "a{} 1\n",                                       // no label
             head + "a 1\n" + head + "a{x=\"1\"} 2\n",               // in two pieces
             histogram + "h 1\n",
             histogram + "h_sum 1\nh_count 1\n",  // no buckets
             histogram + "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
             histogram + "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
             histogram +
                 "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
             histogram + "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
             histogram + "h_bucket{le=\"+Inf\"} 1\nh_count 1\n",
         }) {
      const auto families = parse_exposition(page);
      CPPUNIT_ASSERT_MESSAGE(page, !families.has_value());
      CPPUNIT_ASSERT_MESSAGE(families.error().message, families.error().message.starts_with("line "));
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(ExpositionTest, "exposition_test");

}  // namespace minivault::protocol
