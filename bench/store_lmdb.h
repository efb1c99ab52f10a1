#pragma once

#include <lmdb.h>

#include <memory>

#include "bench/store_contender.h"
#include "tests/support/temporary_directory.h"

namespace minivault::bench {

/// LMDB as it comes, with the flags that are fastest for the durability asked for.
class Lmdb {
 public:
  static constexpr const char* kName = "LMDB";

  explicit Lmdb(const Setting& setting) : durable_(setting.durable) { open(); }

  void begin();
  void end();
  std::size_t get(std::string_view key);
  void put(std::span<const Key> keys, std::string_view value);
  void settle() {}
  [[nodiscard]] static pid_t process() { return 0; }
  [[nodiscard]] const std::string& directory() const { return directory_.path(); }

  /// LMDB must not be carried over a fork.
  void close();
  void open();

 private:
  struct CloseEnvironment {
    void operator()(MDB_env* environment) const { ::mdb_env_close(environment); }
  };
  struct AbortTransaction {
    void operator()(MDB_txn* transaction) const { ::mdb_txn_abort(transaction); }
  };

  bool durable_;
  test::TemporaryDirectory directory_;
  std::unique_ptr<MDB_env, CloseEnvironment> environment_;
  std::unique_ptr<MDB_txn, AbortTransaction> reading_;
  MDB_dbi table_ = 0;
};

}  // namespace minivault::bench
