#pragma once

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>

#include <memory>

#include "bench/store_contender.h"
#include "tests/support/temporary_directory.h"

namespace minivault::bench {

/// LevelDB with bloom filters, a cache larger than the data of most rows, and no compression.
class Level {
 public:
  static constexpr const char* kName = "LevelDB";

  explicit Level(const Setting& setting);

  void begin() {}
  void end() {}
  std::size_t get(std::string_view key);
  void put(std::span<const Key> keys, std::string_view value);
  void settle() {}  // it cannot be asked
  [[nodiscard]] static pid_t process() { return 0; }
  [[nodiscard]] const std::string& directory() const { return directory_.path(); }

 private:
  test::TemporaryDirectory directory_;
  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  leveldb::WriteOptions writing_;
  std::unique_ptr<leveldb::DB> db_;
  std::string value_;
};

}  // namespace minivault::bench
