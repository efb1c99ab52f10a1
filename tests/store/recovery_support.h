#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cppunit/TestAssert.h>

#include <filesystem>
#include <string>

#include "common/core/unique_fd.h"
#include "common/store/recovery.h"
#include "tests/store/engine.h"
#include "tests/store/shared_object.h"

/// What the recovery tests share: data whose every key tells its number, and hands that meddle with the
/// files.
namespace minivault::test::recovery_support {

inline constexpr std::size_t kValueBytes = 40;

inline std::string key_of(std::uint64_t number) {
  return "key " + std::to_string(number);
}

/// Stores keys first..last one by one, each durable before the next; returns the end of the log.
inline store::Lsn fill(Engine& engine, std::uint64_t first, std::uint64_t last,
                       std::size_t bytes = kValueBytes) {
  store::Store store = engine.open_store();
  for (std::uint64_t i = first; i <= last; ++i) {
    put(store, key_of(i), stamped(i, bytes));
    engine.wait_durable(engine.state().marks.tail.load());
  }
  return engine.state().marks.tail.load();
}

inline void assert_holds(Engine& engine, std::uint64_t first, std::uint64_t last) {
  store::Store store = engine.open_store();
  for (std::uint64_t i = first; i <= last; ++i) {
    const std::optional<std::string> value = value_of(store, key_of(i));
    CPPUNIT_ASSERT_MESSAGE(key_of(i) + " is missing", value.has_value());
    CPPUNIT_ASSERT_EQUAL(i, number_of(*value));
  }
}

inline void assert_absent(Engine& engine, std::uint64_t number) {
  store::Store store = engine.open_store();
  CPPUNIT_ASSERT_MESSAGE(key_of(number), !value_of(store, key_of(number)).has_value());
}

inline std::string log_of(const Engine& engine) {
  return engine.directory() + "/changes.log";
}
inline std::string base_of(const Engine& engine) {
  return engine.directory() + "/base.mdb";
}

inline void copy_over(const std::string& from, const std::string& to) {
  std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
}

/// A file as it is now, to be put back later.
class Kept {
 public:
  explicit Kept(std::string file) : file_(std::move(file)) { copy_over(file_, file_ + ".kept"); }
  void put_back() const { copy_over(file_ + ".kept", file_); }

 private:
  std::string file_;
};

/// While nobody commits.
inline Kept keep_base(Engine& engine) {
  engine.suspend_checkpointer();
  const Kept kept(base_of(engine));
  engine.resume_checkpointer();
  return kept;
}

/// The message with which recovery refuses the directory. Nobody else may have it open.
inline std::string refusal(const Engine& engine) {
  auto region = shared::Region::create(engine.config.log_bytes / 64);
  CPPUNIT_ASSERT(region.has_value());
  const auto store = store::recover(region->state(), region->index_words(), engine.config);
  CPPUNIT_ASSERT_MESSAGE("not refused", !store.has_value());
  return store.error().message;
}

inline void assert_refused(const Engine& engine, const std::string& saying) {
  const std::string message = refusal(engine);
  CPPUNIT_ASSERT_MESSAGE(message, message.find(saying) != std::string::npos);
}

/// Where `lsn` lies in changes.log.
inline off_t offset_of(store::Lsn lsn, std::uint64_t ring_bytes) {
  return static_cast<off_t>(store::Ring::kHeaderBytes + lsn % ring_bytes);
}

inline void overwrite(const std::string& path, off_t offset, const std::string& bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  CPPUNIT_ASSERT(file && ::pwrite(file.get(), bytes.data(), bytes.size(), offset) ==
                             static_cast<ssize_t>(bytes.size()));
}

inline std::string read_bytes(const std::string& path, off_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  CPPUNIT_ASSERT(file && ::pread(file.get(), bytes.data(), size, offset) == static_cast<ssize_t>(size));
  return bytes;
}

inline void flip_bit(const std::string& path, off_t offset) {
  std::string byte = read_bytes(path, offset, 1);
  byte[0] = static_cast<char>(byte[0] ^ 1);
  overwrite(path, offset, byte);
}

/// Starts with -accept-loss; LSNs must go on above `highest`.
inline void accept_loss(Engine& engine, store::Lsn highest) {
  engine.config.accept_loss = true;
  engine.start();
  engine.config.accept_loss = false;
  CPPUNIT_ASSERT(engine.state().marks.tail.load() > highest);
  fill(engine, 900, 903);
  engine.kill();
  engine.start();
  assert_holds(engine, 900, 903);
}

/// Refused in these words; with -accept-loss keys 1 to `last` are there, and LSNs go on above `highest`.
inline void assert_lost(Engine& engine, const std::string& saying, store::Lsn highest, std::uint64_t last) {
  assert_refused(engine, saying);
  accept_loss(engine, highest);
  assert_holds(engine, 1, last);
  assert_absent(engine, last + 1);
}

/// Data that fills the ring `laps` times.
inline store::Lsn lap(Engine& engine, unsigned laps) {
  store::Store store = engine.open_store();
  const std::string value(200'000, 'v');
  const store::Lsn end = engine.state().marks.tail.load() + laps * engine.config.log_bytes;
  for (unsigned i = 0; engine.state().marks.tail.load() < end; ++i)
    put(store, "lap " + std::to_string(i % 50), value);
  engine.wait_durable(engine.state().marks.tail.load());
  return engine.state().marks.tail.load();
}

}  // namespace minivault::test::recovery_support
