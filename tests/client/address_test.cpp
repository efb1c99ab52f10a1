// Goal: every form of address that the documents name is understood, and a wrong one is called wrong, by its
// text.

#include "common/client/address.h"

#include <cppunit/extensions/HelperMacros.h>

namespace minivault::client {

class AddressTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(AddressTest);
  CPPUNIT_TEST(reads_every_form);
  CPPUNIT_TEST(refuses_and_names_what_is_wrong);
  CPPUNIT_TEST(prints_what_it_read);
  CPPUNIT_TEST_SUITE_END();

 public:
  void reads_every_form() {
    const Address local{"localhost", 3000};
    for (const char* text :
         {"localhost:3000", "http://localhost:3000", "https://localhost:3000", "http://localhost:3000/"}) {
      const auto address = parse_address(text);
      CPPUNIT_ASSERT_MESSAGE(text, address.has_value());
      CPPUNIT_ASSERT_MESSAGE(text, *address == local);
    }
    CPPUNIT_ASSERT(parse_address("https://localhost").value() == (Address{"localhost", 443}));
    CPPUNIT_ASSERT(parse_address("[::1]:65535").value() == (Address{"::1", 65535}));
    CPPUNIT_ASSERT(parse_address("10.0.0.1:1").value() == (Address{"10.0.0.1", 1}));
  }

  void refuses_and_names_what_is_wrong() {
    for (const char* text :
         {"", "localhost", ":3000", "localhost:", "localhost:0", "localhost:65536", "localhost:3000x",
          "localhost:-1", "::1:3000", "[]:3000", "http://localhost:3000/key", "ftp://localhost:3000", "[::1",
          "[::1]", "a b:3000", "300.1.1.1:3000"}) {
      const auto address = parse_address(text);
      CPPUNIT_ASSERT_MESSAGE(text, !address.has_value());
      CPPUNIT_ASSERT_MESSAGE(text, address.error().code == Code::kInvalidArgument);
      CPPUNIT_ASSERT_MESSAGE(
          text, address.error().message.find('"' + std::string(text) + '"') != std::string::npos);
    }
  }

  void prints_what_it_read() {
    for (const char* text : {"localhost:3000", "[fe80::1]:80"}) {
      CPPUNIT_ASSERT_EQUAL(std::string(text), parse_address(text).value().text());
    }
  }
};

CPPUNIT_TEST_SUITE_NAMED_REGISTRATION(AddressTest, "address_test");

}  // namespace minivault::client
