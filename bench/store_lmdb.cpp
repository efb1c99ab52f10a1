#include "bench/store_lmdb.h"

#include <stdexcept>

namespace minivault::bench {
namespace {

constexpr std::size_t kMapBytes = 16ULL << 30;

void check(int code) {
  if (code != 0) throw std::runtime_error(std::string("LMDB: ") + ::mdb_strerror(code));
}

MDB_val val(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};
}

}  // namespace

void Lmdb::open() {
  MDB_env* environment = nullptr;
  check(::mdb_env_create(&environment));
  environment_.reset(environment);
  check(::mdb_env_set_mapsize(environment, kMapBytes));
  // Without syncs, writing through the map saves a system call and a copy for each page; with them it costs:
  // the kernel has to find the dirty pages of the map.
  const unsigned flags =
      MDB_NOTLS | MDB_NORDAHEAD | (durable_ ? 0U : MDB_NOSYNC | MDB_WRITEMAP | MDB_NOMEMINIT);
  check(::mdb_env_open(environment, directory_.path().c_str(), flags, 0600));
  MDB_txn* transaction = nullptr;
  check(::mdb_txn_begin(environment, nullptr, 0, &transaction));
  check(::mdb_dbi_open(transaction, nullptr, 0, &table_));
  check(::mdb_txn_commit(transaction));
}

void Lmdb::close() {
  reading_.reset();
  environment_.reset();
}

void Lmdb::begin() {
  if (reading_ != nullptr) return check(::mdb_txn_renew(reading_.get()));
  MDB_txn* transaction = nullptr;
  check(::mdb_txn_begin(environment_.get(), nullptr, MDB_RDONLY, &transaction));
  reading_.reset(transaction);
}

void Lmdb::end() {
  ::mdb_txn_reset(reading_.get());
}

std::size_t Lmdb::get(std::string_view key) {
  MDB_val name = val(key);
  MDB_val value{};
  if (::mdb_get(reading_.get(), table_, &name, &value) != 0) return 0;
  return touch({static_cast<const char*>(value.mv_data), value.mv_size});
}

void Lmdb::put(std::span<const Key> keys, std::string_view value) {
  MDB_txn* transaction = nullptr;
  check(::mdb_txn_begin(environment_.get(), nullptr, 0, &transaction));
  for (const Key& key : keys) {
    MDB_val name = val(key.view());
    MDB_val bytes = val(value);
    check(::mdb_put(transaction, table_, &name, &bytes, 0));
  }
  check(::mdb_txn_commit(transaction));
}

}  // namespace minivault::bench
