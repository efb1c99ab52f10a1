#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "common/client/address.h"
#include "common/core/unique_fd.h"
#include "tests/support/loopback_listener.h"
#include "tests/support/raw_connection.h"

namespace minivault::test {

/// A server that does what the test says: `script` runs once for each connection, on a thread of its own, and
/// the connection is closed when it returns. An exception in it ends the connection; the client under test
/// notices.
class FakeServer {
 public:
  using Script =
      std::function<void(RawConnection& connection, unsigned number)>;  ///< number: 0, 1, … as accepted

  explicit FakeServer(Script script);
  ~FakeServer();

  [[nodiscard]] client::Address address() const { return {"127.0.0.1", listener_.port}; }
  [[nodiscard]] unsigned accepted() const { return accepted_; }

 private:
  void accept_all();
  void serve(UniqueFd fd, unsigned number);

  Script script_;
  LoopbackListener listener_;
  std::atomic<unsigned> accepted_ = 0;
  std::vector<std::jthread> connections_;  ///< touched by the accepting thread only
  std::jthread acceptor_;                  ///< last: starts when all else is there
};

/// One request of the binary protocol as a server sees it.
struct SeenRequest {
  std::uint8_t opcode = 0;
  std::string key;
  std::string value;
};

/// Reads one whole request. Throws when the client closes.
[[nodiscard]] SeenRequest receive_request(RawConnection& connection);

/// `00 len value`.
[[nodiscard]] std::string ok_answer(std::string_view value = "");

inline const std::string kErrorAnswer("\xff\0\0\0\0", 5);

/// Answers every GET with its own key, every other request with OK, until the client closes.
void echo(RawConnection& connection, unsigned number);

/// Reads nothing until the client closes.
void ignore(RawConnection& connection, unsigned number);

}  // namespace minivault::test
