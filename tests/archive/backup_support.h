#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/TestAssert.h>

#include <random>
#include <string>
#include <vector>

#include "common/core/unique_fd.h"
#include "tests/archive/support.h"
#include "tests/support/bytes.h"
#include "tests/support/wait.h"

/// What the tests of backups and restores share.
namespace minivault::test {

inline std::string dump_of(const std::string& from) {
  return must_do({"dump", from}).out;
}

inline void fill(const Node& node, unsigned megabytes) {
  std::mt19937_64 random(1);
  client::Connection connection = connect(node);
  for (unsigned i = 0; i < megabytes; ++i)
    set(connection, "mb" + std::to_string(i), random_bytes(random, 1 << 20));
}

/// A backup of `node` as the command wrote it.
inline std::string backup_of(const Node& node, const std::string& file) {
  must_do({"backup", node.address(), file});
  return content_of(file);
}

/// `minivault WORD PIPE …` that has taken half of what it reads from the pipe, which it makes.
class HalfFed {
 public:
  HalfFed(std::vector<std::string> words, const std::string& input)
      : pipe_(words[1]), input_(input), process_(started(std::move(words)), {}) {
    into_.reset(::open(pipe_.c_str(), O_WRONLY | O_CLOEXEC));  // waits until it reads
    feed(0, input_.size() / 2);
  }

  /// All of it, and the end; the command's exit status.
  int finish() {
    feed(input_.size() / 2, input_.size());
    into_.reset();
    return process_.wait();
  }
  /// It dies by the signal, and what it forked dies with it.
  void interrupt(int number) {
    process_.signal(number);
    CPPUNIT_ASSERT_EQUAL(128 + number, process_.wait());
    into_.reset();
    eventually("nobody reads the pipe", [&] {
      const UniqueFd again(::open(pipe_.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
      return !again;
    });
  }

 private:
  static std::vector<std::string> started(std::vector<std::string> words) {
    ::unlink(words[1].c_str());
    CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(words[1].c_str(), 0600));
    words.insert(words.begin(), minivault_binary());
    return words;
  }
  void feed(std::size_t from, std::size_t to) const {
    CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(to - from),
                         ::write(into_.get(), input_.data() + from, to - from));
  }

  std::string pipe_;
  const std::string& input_;
  ChildProcess process_;
  UniqueFd into_;
};

}  // namespace minivault::test
