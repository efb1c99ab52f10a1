#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/core/error.h"

namespace minivault::load {

enum class Protocol { kBinary, kHttp, kResp, kMemcache };

/// One answer, as far as its bytes are there.
struct Answer {
  enum class Kind {
    kUnknown,  ///< more bytes are needed to know anything
    kDone,     ///< as asked; `value` is what a GET found
    kMissing,  ///< no such key
    kRefused,  ///< an error of this request; the connection goes on
    kBad,      ///< not this protocol: where the next answer begins is unknown
  };

  Kind kind = Kind::kUnknown;
  std::uint64_t size = 0;  ///< bytes of the whole answer, perhaps more than are there yet; 0 with kUnknown
  std::string_view value;  ///< a view into the input, once the whole answer is there
};

/// Writes requests and reads answers of one protocol. A parser may remember what it saw (never what an answer
/// means), so each thread has its own.
class Codec {
 public:
  Codec() = default;
  virtual ~Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;

  virtual void append_get(std::string& out, std::string_view key) const = 0;
  virtual void append_set(std::string& out, std::string_view key, std::string_view value) const = 0;

  /// What is sent behind each pipeline and has an answer too; false: nothing is.
  [[nodiscard]] virtual bool append_wait(std::string& /*out*/) const { return false; }

  /// What a new connection sends first, and is answered kDone; "" for nothing.
  [[nodiscard]] virtual std::string greeting() const { return {}; }

  /// Looks at the answer at the front of `input`.
  [[nodiscard]] virtual Answer parse(std::string_view input) = 0;
};

struct Options;

/// Of the protocol, key and WAIT that the options name. Errors: kInvalidArgument where the protocol has no
/// way to send a key.
[[nodiscard]] Result<std::unique_ptr<Codec>> make_codec(const Options& options);

// The four, each in a file of its own.
[[nodiscard]] std::unique_ptr<Codec> make_binary_codec(const std::string& auth_key);
[[nodiscard]] std::unique_ptr<Codec> make_http_codec(const std::string& auth_key);
/// Redis, Valkey. `wait`: replicas that a WAIT behind each pipeline asks for; 0: there is none.
[[nodiscard]] std::unique_ptr<Codec> make_resp_codec(const std::string& auth_key, std::uint64_t wait = 0);
[[nodiscard]] std::unique_ptr<Codec> make_memcache_codec();  ///< the meta commands mg and ms

}  // namespace minivault::load
