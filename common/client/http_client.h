#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/client/address.h"
#include "common/client/socket.h"
#include "common/protocol/http_chunks.h"

namespace minivault::client {

struct HttpAnswer {
  int status = 0;
  std::string body;
  unsigned retry_after_seconds = 0;

  /// What the node says is wrong, or the status where it says nothing.
  [[nodiscard]] std::string error() const;
};

/// HTTP/1.1 to a node, as far as the command lines need it: requests may be pipelined, answers come in their
/// order; the body of one answer can be read piece by piece. One thread; nothing takes longer than the
/// time-out without progress. Errors: kUnavailable (the connection is gone), kTimedOut, kCorrupt (not HTTP).
class HttpClient {
 public:
  [[nodiscard]] static Result<HttpClient> connect(const Address& address, std::string_view auth_key,
                                                  std::chrono::milliseconds time_out);

  struct Request {
    std::string_view method;
    std::string_view target;
    std::string_view content_type = {};
    std::string_view body = {};
    std::string_view headers = {};  ///< whole lines, each with its CRLF
  };
  void queue(const Request& request);

  /// The answer to the oldest request that has none, with all of its body.
  [[nodiscard]] Result<HttpAnswer> receive();
  /// The same without the body of a success, which read_body() gives: all of it, before the next answer.
  [[nodiscard]] Result<HttpAnswer> receive_head();
  /// 0: the end.
  [[nodiscard]] Result<std::size_t> read_body(std::span<char> room);

 private:
  HttpClient(Socket socket, std::string_view auth_key, std::chrono::milliseconds time_out);

  [[nodiscard]] Status exchange();
  [[nodiscard]] Result<HttpAnswer> read_head();
  [[nodiscard]] Status read_rest(std::string& body);
  [[nodiscard]] Status read_more_body();

  Socket socket_;
  std::string authorization_;  ///< the header line, or nothing
  std::chrono::milliseconds time_out_;
  std::string outgoing_;
  std::size_t sent_ = 0;
  std::string incoming_;
  std::size_t consumed_ = 0;
  std::uint64_t body_left_ = 0;  ///< of a body with a length
  std::optional<protocol::ChunkDecoder> chunks_;
  std::string body_;  ///< decoded, of which the first body_taken_ bytes were given
  std::size_t body_taken_ = 0;
};

/// A key as it stands in a target behind /_/kv/.
[[nodiscard]] std::string target_of(std::string_view key);

}  // namespace minivault::client
