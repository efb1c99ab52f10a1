#pragma once

#include <cppunit/extensions/HelperMacros.h>
#include <lmdb.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>

#include "common/store/base.h"
#include "tests/support/temporary_directory.h"

/// What the base's tests share.
namespace minivault::store::base_support {

using test::TemporaryDirectory;

inline constexpr std::uint64_t kMapBytes = std::uint64_t{1} << 30U;

inline std::string base_file(const test::TemporaryDirectory& directory) {
  return directory.file("base.mdb");
}

template <typename T>
T must(Result<T> result, const char* what = "") {
  if (!result) CPPUNIT_FAIL(std::string(what) + result.error().message);
  return std::move(*result);
}
inline void must(const Status& status) {
  if (!status) CPPUNIT_FAIL(status.error().message);
}

inline BaseRecord set(std::uint64_t hlc, std::string_view value) {
  BaseRecord record;
  record.version = {hlc, 1};
  record.value = value;
  return record;
}
inline BaseRecord tombstone(std::uint64_t hlc) {
  BaseRecord record;
  record.operation = Operation::kDelete;
  record.version = {hlc, 1};
  return record;
}

/// Commits `count` keys "key 0".. with 100 bytes each and version `hlc`.
inline void fill(Base& base, unsigned count, std::uint64_t hlc = 1) {
  auto transaction = must(base.begin());
  const std::string value(100, 'v');
  for (unsigned i = 0; i < count; ++i)
    must(transaction.apply("key " + std::to_string(i), set(hlc, value), true));
  must(transaction.commit());
}

/// Takes what is there for all there is.
inline void recount(Base& base) {
  Base::Recount counted = must(base.begin_recount());
  while (!must(counted.step(1'000, 1'000'000))) continue;
  auto transaction = must(base.begin());
  transaction.take(counted);
  must(transaction.commit());
}

/// Puts bytes behind the base's back, where another order of keys has them. REQUIRES: this process has no
/// base open there.
inline void raw_put(const std::string& file, const char* table, std::string_view key, std::string_view value,
                    MDB_cmp_func* order = nullptr) {
  MDB_env* env = nullptr;
  MDB_txn* transaction = nullptr;
  MDB_dbi dbi = 0;
  MDB_val raw_key{key.size(), const_cast<char*>(key.data())};
  MDB_val raw_value{value.size(), const_cast<char*>(value.data())};
  CPPUNIT_ASSERT_EQUAL(0, ::mdb_env_create(&env));
  CPPUNIT_ASSERT_EQUAL(0, ::mdb_env_set_maxdbs(env, 3));
  CPPUNIT_ASSERT_EQUAL(0, ::mdb_env_open(env, file.c_str(), MDB_NOSUBDIR, 0600));
  CPPUNIT_ASSERT_EQUAL(0, ::mdb_txn_begin(env, nullptr, 0, &transaction));
  CPPUNIT_ASSERT_EQUAL(0, ::mdb_dbi_open(transaction, table, 0, &dbi));
  if (order != nullptr) CPPUNIT_ASSERT_EQUAL(0, ::mdb_set_compare(transaction, dbi, order));
  CPPUNIT_ASSERT_EQUAL(0, ::mdb_put(transaction, dbi, &raw_key, &raw_value, 0));
  CPPUNIT_ASSERT_EQUAL(0, ::mdb_txn_commit(transaction));
  ::mdb_env_close(env);
}

/// A forked process that runs `body` with its end of a byte channel; killed and reaped at the latest by the
/// destructor. Fork before opening a base: an environment must not cross it.
class Child {
 public:
  class Channel {
   public:
    Channel(int in, int out) : in_(in), out_(out) {}
    void send(std::uint64_t word) const {
      if (::write(out_, &word, sizeof word) != sizeof word) ::_exit(3);
    }
    /// 0 if the other side is gone.
    [[nodiscard]] std::uint64_t receive() const {
      std::uint64_t word = 0;
      return ::read(in_, &word, sizeof word) == sizeof word ? word : 0;
    }

   private:
    int in_;
    int out_;
  };

  explicit Child(const std::function<void(const Channel&)>& body) {
    std::array<int, 2> down{};
    std::array<int, 2> up{};
    CPPUNIT_ASSERT(::pipe(down.data()) == 0 && ::pipe(up.data()) == 0);
    pid_ = ::fork();
    CPPUNIT_ASSERT(pid_ >= 0);
    if (pid_ == 0) run(body, down, up);
    ::close(down[0]);
    ::close(up[1]);
    in_ = up[0];
    out_ = down[1];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    kill();
    ::close(in_);
    ::close(out_);
  }

  [[nodiscard]] Channel channel() const { return {in_, out_}; }
  /// SIGKILL, and waits until it is gone.
  void kill() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    pid_ = -1;
  }
  /// Waits for its end; returns its exit status.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  [[noreturn]] static void run(const std::function<void(const Channel&)>& body,
                               const std::array<int, 2>& down, const std::array<int, 2>& up) {
    ::close(down[1]);
    ::close(up[0]);
    try {
      body(Channel(down[0], up[1]));
    } catch (const std::exception& error) {
      std::cerr << "child: " << error.what() << "\n";
      ::_exit(1);
    }
    ::_exit(0);
  }

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
};

}  // namespace minivault::store::base_support
