#pragma once

#include <memory>

#include "common/store/base.h"
#include "common/store/base_environment.h"

/// What Base and its two kinds of transaction hold. Only base*.cpp include it.
namespace minivault::store {

struct Base::Impl {
  std::shared_ptr<base::Environment> environment;
};

struct Base::Snapshot::Impl {
  std::shared_ptr<base::Environment> environment;  // outlives the transaction below
  base::TransactionHandle transaction;
  bool live = false;

  ~Impl() { let_go(); }
  void let_go() {
    if (live) environment->reading_ended();
    live = false;
  }
};

struct Base::Transaction::Impl {
  std::shared_ptr<base::Environment> environment;  // outlives the transaction below
  base::TransactionHandle transaction;
  MDB_cursor* data = nullptr;   // LMDB frees a write transaction's cursors with it
  MDB_cursor* notes = nullptr;  // opened at the first note
  BaseMeta meta;
  Status state;  // the first error: all or nothing, so nothing more is applied or committed

  ~Impl() { end(); }
  /// Aborts unless the transaction is over.
  void end() {
    if (transaction != nullptr) environment->writing = false;
    transaction.reset();
  }
};

}  // namespace minivault::store
