#pragma once

#include <memory>
#include <optional>

#include "common/store/base.h"
#include "common/store/base_count.h"
#include "common/store/base_environment.h"

/// What Base, its two kinds of transaction and its recount hold. Only base*.cpp include it.
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
  base::Kinds changed;
  Status state;  // the first error: all or nothing, so nothing more is applied or committed

  ~Impl() { end(); }
  /// Aborts unless the transaction is over.
  void end() {
    if (transaction != nullptr) environment->writing = false;
    transaction.reset();
  }
};

struct Base::Recount::Impl {
  struct Walk {
    Snapshot snapshot;
    base::RecordCount count;  // within the snapshot
  };
  std::shared_ptr<base::Environment> environment;
  base::Kinds changed_before;  // by what the snapshot sees
  std::optional<Walk> walk;    // none: it is at its end
  base::Kinds found;

  /// … and with what was committed since, and what is about to be.
  [[nodiscard]] base::Kinds with(const base::Kinds& uncommitted) const {
    base::Kinds now = found;
    now += environment->changed;
    now += uncommitted;
    now.keys -= changed_before.keys;
    now.tombstones -= changed_before.tombstones;
    return now;
  }
};

}  // namespace minivault::store
