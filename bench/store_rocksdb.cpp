#include "bench/store_rocksdb.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <chrono>
#include <stdexcept>
#include <thread>

namespace minivault::bench {
namespace {

constexpr std::size_t kCacheBytes = 1ULL << 30;
constexpr double kBloomBits = 10;

void check(const rocksdb::Status& status) {
  if (!status.ok()) throw std::runtime_error("RocksDB: " + status.ToString());
}

}  // namespace

Rocks::Rocks(const Setting& setting) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  options.IncreaseParallelism(2);
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kCacheBytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBits, false));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  writing_.sync = setting.durable;
  rocksdb::DB* db = nullptr;
  check(rocksdb::DB::Open(options, directory_.file("db"), &db));
  db_.reset(db);
}

std::size_t Rocks::get(std::string_view key) {
  value_.Reset();
  if (!db_->Get({}, db_->DefaultColumnFamily(), {key.data(), key.size()}, &value_).ok()) return 0;
  return touch({value_.data(), value_.size()});
}

void Rocks::put(std::span<const Key> keys, std::string_view value) {
  const rocksdb::Slice bytes(value.data(), value.size());
  if (keys.size() == 1)
    return check(db_->Put(writing_, {keys[0].view().data(), keys[0].view().size()}, bytes));
  rocksdb::WriteBatch batch;
  for (const Key& key : keys) check(batch.Put({key.view().data(), key.view().size()}, bytes));
  check(db_->Write(writing_, &batch));
}

void Rocks::settle() {
  check(db_->Flush({}));
  std::uint64_t running = 1;
  while (running != 0) {
    std::uint64_t pending = 0;
    db_->GetIntProperty(rocksdb::DB::Properties::kCompactionPending, &pending);
    db_->GetIntProperty(rocksdb::DB::Properties::kNumRunningCompactions, &running);
    running += pending;
    if (running != 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace minivault::bench
