#pragma once

#include <poll.h>

#include <memory>

#include "bench/store_contender.h"
#include "common/store/store.h"
#include "tests/store/engine.h"

namespace minivault::bench {

/// A process's way into our store, as a worker goes it.
class Client {
 public:
  Client(store::Store store, unsigned slot, bool durable)
      : store_(std::move(store)), slot_(slot), durable_(durable) {}

  void begin() { store_.begin_turn(); }
  void end() { store_.end_turn(); }

  std::size_t get(std::string_view key) {
    const Result<store::Found> found = store_.get(key);
    return found && found->present ? touch(found->value) : 0;
  }

  /// Looked up together; returns how many are there.
  std::size_t get_together(std::span<const Key> keys);

  void put(std::span<const Key> keys, std::string_view value);

 private:
  void wait_durable(store::Lsn lsn);

  store::Store store_;
  unsigned slot_;
  bool durable_;
  store::Batch batch_;
};

class Minivault {
 public:
  static constexpr const char* kName = "minivault";
  static constexpr unsigned kSlot = 1;

  explicit Minivault(const Setting& setting);

  void begin() { client_->begin(); }
  void end() { client_->end(); }
  std::size_t get(std::string_view key) { return client_->get(key); }
  std::size_t get_together(std::span<const Key> keys) { return client_->get_together(keys); }
  void put(std::span<const Key> keys, std::string_view value) { client_->put(keys, value); }
  void settle();
  /// Until the log's file has no page left that was never written: that costs once in a ring's life.
  void warm();
  /// A new start: the index is empty, every key is in the base. `cache_bytes`: of the read cache.
  void restart(std::uint64_t cache_bytes);
  [[nodiscard]] pid_t process();
  [[nodiscard]] const std::string& directory() const { return engine_.directory(); }
  [[nodiscard]] std::uint64_t backlog_bytes();

  [[nodiscard]] test::Engine& engine() { return engine_; }
  /// Closes this process's store, for others to be forked.
  void close() { client_.reset(); }
  void open();

 private:
  bool durable_;
  test::Engine engine_;
  std::unique_ptr<Client> client_;
};

}  // namespace minivault::bench
