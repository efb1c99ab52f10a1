#include "common/client/pool.h"

#include "common/core/assert.h"

namespace minivault::client {

Pool::Pool(Address address, Options options, std::size_t limit)
    : address_(std::move(address)), options_(std::move(options)), limit_(limit) {
  MV_ASSERT(limit > 0);
}

Pool::Lease::~Lease() {
  if (connection_) pool_.give_back(std::move(connection_));
}

Result<Pool::Lease> Pool::take() {
  {
    std::unique_lock lock(mutex_);
    if (!freed_.wait_for(lock, options_.connect_timeout, [this] { return lent_ < limit_; })) {
      return fail(Code::kBusy,
                  "all " + std::to_string(limit_) + " connections to " + address_.text() + " are in use");
    }
    ++lent_;
    if (auto connection = take_idle()) return Lease(*this, std::move(connection));
  }
  auto opened = Connection::open(address_, options_);
  if (!opened) {
    give_back(nullptr);
    return tl::unexpected(opened.error());
  }
  return Lease(*this, std::make_unique<Connection>(std::move(*opened)));
}

/// REQUIRES: mutex_ held. What the node closed in the meantime is dropped on the way.
std::unique_ptr<Connection> Pool::take_idle() {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->usable()) return connection;
  }
  return nullptr;
}

void Pool::give_back(std::unique_ptr<Connection> connection) {
  const bool whole = connection && connection->outstanding() == 0 && connection->usable();
  {
    const std::scoped_lock lock(mutex_);
    --lent_;
    if (whole) idle_.push_back(std::move(connection));
  }
  freed_.notify_one();
}

Result<std::string> Pool::get(std::string_view key) {
  return take().and_then([&](Lease lease) { return lease->get(key); });
}

Status Pool::set(std::string_view key, std::string_view value, Encoding encoding) {
  return take().and_then([&](Lease lease) { return lease->set(key, value, encoding); });
}

Status Pool::remove(std::string_view key) {
  return take().and_then([&](Lease lease) { return lease->remove(key); });
}

Result<std::string> Pool::health() {
  return take().and_then([](Lease lease) { return lease->health(); });
}

std::size_t Pool::idle() const {
  const std::scoped_lock lock(mutex_);
  return idle_.size();
}

}  // namespace minivault::client
