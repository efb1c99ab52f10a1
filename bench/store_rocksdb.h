#pragma once

#include <rocksdb/db.h>

#include <memory>

#include "bench/store_contender.h"
#include "tests/support/temporary_directory.h"

namespace minivault::bench {

/// RocksDB with a write-ahead log, bloom filters, a cache larger than the data of most rows, and no
/// compression.
class Rocks {
 public:
  static constexpr const char* kName = "RocksDB";

  explicit Rocks(const Setting& setting);

  void begin() {}
  void end() {}
  std::size_t get(std::string_view key);
  void put(std::span<const Key> keys, std::string_view value);
  void settle();
  [[nodiscard]] static pid_t process() { return 0; }
  [[nodiscard]] const std::string& directory() const { return directory_.path(); }

 private:
  test::TemporaryDirectory directory_;
  rocksdb::WriteOptions writing_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::PinnableSlice value_;
};

}  // namespace minivault::bench
