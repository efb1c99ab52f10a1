#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/client/connection.h"

namespace minivault::client {

/// At most `limit` connections to one node, shared by any number of threads. A connection that is given back
/// whole serves the next taker; a broken one is dropped. Nothing is repeated behind the caller's back: a
/// request that failed says so, and the next one gets a fresh connection. Must outlive its leases.
class Pool {
 public:
  /// A borrowed connection; goes back to the pool, or away if it cannot be used again, when the lease ends.
  class Lease {
   public:
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Connection* operator->() { return connection_.get(); }
    Connection& operator*() { return *connection_; }

   private:
    friend class Pool;
    Lease(Pool& pool, std::unique_ptr<Connection> connection)
        : pool_(pool), connection_(std::move(connection)) {}

    Pool& pool_;
    std::unique_ptr<Connection> connection_;
  };

  /// Connects to nothing yet. REQUIRES: limit > 0.
  Pool(Address address, Options options, std::size_t limit);

  /// An idle connection, or a new one; waits up to the connect time-out while all are lent.
  /// Errors: those of Connection::open(); kBusy where no connection came free in time.
  [[nodiscard]] Result<Lease> take();

  // One request over a borrowed connection, with the errors of take() and of Connection.
  [[nodiscard]] Result<std::string> get(std::string_view key);
  [[nodiscard]] Status set(std::string_view key, std::string_view value,
                           Encoding encoding = Encoding::kPlain);
  [[nodiscard]] Status remove(std::string_view key);
  [[nodiscard]] Result<std::string> health();

  /// Connections that wait to be borrowed.
  [[nodiscard]] std::size_t idle() const;

 private:
  [[nodiscard]] std::unique_ptr<Connection> take_idle();
  void give_back(std::unique_ptr<Connection> connection);

  const Address address_;
  const Options options_;
  const std::size_t limit_;

  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Connection>> idle_;  ///< guarded by mutex_; the warmest last
  std::size_t lent_ = 0;                           ///< guarded by mutex_
};

}  // namespace minivault::client
