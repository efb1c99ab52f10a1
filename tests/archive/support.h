#pragma once

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "common/client/connection.h"
#include "tests/support/child_process.h"
#include "tests/support/node.h"

/// What the tests of the commands share.
namespace minivault::test {

/// `minivault WORDS…`.
inline Finished command(std::vector<std::string> words, const std::string& input = "") {
  words.insert(words.begin(), minivault_binary());
  return run(words, input);
}

inline Finished must_do(const std::vector<std::string>& words, const std::string& input = "") {
  Finished done = command(words, input);
  CPPUNIT_ASSERT_EQUAL_MESSAGE(done.out + done.err, 0, done.status);
  return done;
}

/// It ended with `status`, and said why on either stream.
inline void assert_fails(const Finished& done, int status, const std::string& because) {
  CPPUNIT_ASSERT_EQUAL_MESSAGE(done.out + done.err, status, done.status);
  CPPUNIT_ASSERT_MESSAGE(because + " is not in: " + done.out + done.err,
                         (done.out + done.err).find(because) != std::string::npos);
}

inline client::Connection connect(const Node& node) {
  auto connection = client::Connection::open({"127.0.0.1", node.port()}, {});
  if (!connection) throw std::runtime_error(connection.error().message);
  return std::move(*connection);
}

inline void set(client::Connection& connection, std::string_view key, std::string_view value) {
  if (const Status done = connection.set(key, value); !done) throw std::runtime_error(done.error().message);
}

inline std::string content_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void replace_content(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

/// Names and contents of all files below `directory`.
inline std::map<std::string, std::string> files_in(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    files[entry.path().string()] = entry.is_regular_file() ? content_of(entry.path().string()) : "";
  }
  return files;
}

}  // namespace minivault::test
