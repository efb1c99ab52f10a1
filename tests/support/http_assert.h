#pragma once

#include <cppunit/extensions/HelperMacros.h>

#include <string>

#include "tests/support/http.h"

namespace minivault::test {

inline constexpr const char* kOctets = "application/octet-stream";

/// A success of `status`, with the JSON content type.
inline void assert_done(const HttpResponse& response, int status = 200) {
  CPPUNIT_ASSERT_EQUAL_MESSAGE(response.body, status, response.status);
  CPPUNIT_ASSERT_EQUAL(std::string("application/json"), response.header("content-type"));
  CPPUNIT_ASSERT_EQUAL(std::string(R"({"success":true})"), response.body);
}

/// {"success":true,"data":…} with exactly this text as data.
inline void assert_data(const HttpResponse& response, const std::string& data) {
  CPPUNIT_ASSERT_EQUAL_MESSAGE(response.body, 200, response.status);
  CPPUNIT_ASSERT_EQUAL(std::string("application/json"), response.header("content-type"));
  CPPUNIT_ASSERT_EQUAL(R"({"success":true,"data":)" + data + "}", response.body);
}

/// An error of `status`, as JSON that gives a reason; the reason is `error` unless that is "".
inline void assert_refused(const HttpResponse& response, int status, const std::string& error = "") {
  CPPUNIT_ASSERT_EQUAL_MESSAGE(response.body, status, response.status);
  CPPUNIT_ASSERT_EQUAL(std::string("application/json"), response.header("content-type"));
  const auto json = parse_json(response.body);
  CPPUNIT_ASSERT_MESSAGE(response.body,
                         json.IsObject() && json.HasMember("success") && json["success"].IsFalse());
  CPPUNIT_ASSERT_MESSAGE(response.body, json.HasMember("error") && json["error"].GetStringLength() > 0);
  if (!error.empty()) CPPUNIT_ASSERT_EQUAL(error, std::string(json["error"].GetString()));
}

}  // namespace minivault::test
