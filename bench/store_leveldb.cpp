#include "bench/store_leveldb.h"

#include <leveldb/options.h>
#include <leveldb/write_batch.h>

#include <stdexcept>

namespace minivault::bench {
namespace {

constexpr std::size_t kCacheBytes = 1ULL << 30;
constexpr int kBloomBits = 10;
constexpr std::size_t kWriteBuffer = 64U << 20;  // as RocksDB's, not 4 MB

void check(const leveldb::Status& status) {
  if (!status.ok()) throw std::runtime_error("LevelDB: " + status.ToString());
}

}  // namespace

Level::Level(const Setting& setting)
    : cache_(leveldb::NewLRUCache(kCacheBytes)), filter_(leveldb::NewBloomFilterPolicy(kBloomBits)) {
  leveldb::Options options;
  options.create_if_missing = true;
  options.compression = leveldb::kNoCompression;
  options.block_cache = cache_.get();
  options.filter_policy = filter_.get();
  options.write_buffer_size = kWriteBuffer;
  writing_.sync = setting.durable;
  leveldb::DB* db = nullptr;
  check(leveldb::DB::Open(options, directory_.file("db"), &db));
  db_.reset(db);
}

std::size_t Level::get(std::string_view key) {
  return db_->Get({}, {key.data(), key.size()}, &value_).ok() ? touch(value_) : 0;
}

void Level::put(std::span<const Key> keys, std::string_view value) {
  leveldb::WriteBatch batch;
  for (const Key& key : keys) batch.Put({key.view().data(), key.view().size()}, {value.data(), value.size()});
  check(db_->Write(writing_, &batch));
}

}  // namespace minivault::bench
