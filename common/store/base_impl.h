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
  // Of the commit that the transaction sees: for a Descent, unless LMDB itself has to be asked.
  std::size_t commit = 0;
  bool can_descend = false;
  base::PageMap map;
  base::PageTree records{};

  ~Impl() { let_go(); }
  /// Begun or renewed: a map only moves before a commit that it had no room for.
  [[nodiscard]] Status see() {
    environment->reading_began();
    live = true;
    const std::size_t seen = ::mdb_txn_id(transaction.get());
    if (seen == commit) return {};
    const Result<bool> found = environment->find_records(transaction.get(), map, records);
    if (!found) return tl::unexpected(found.error());
    can_descend = *found;
    commit = seen;
    return {};
  }
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
