#include "common/load/codec.h"

#include "common/load/options.h"

namespace minivault::load {

Result<std::unique_ptr<Codec>> make_codec(const Options& options) {
  const std::string& auth_key = options.auth_key;
  switch (options.protocol) {
    case Protocol::kBinary:
      return make_binary_codec(auth_key);
    case Protocol::kHttp:
      return make_http_codec(auth_key);
    case Protocol::kResp:
      return make_resp_codec(auth_key, options.wait);
    case Protocol::kMemcache:
      if (!auth_key.empty()) return fail(Code::kInvalidArgument, "-auth: not with -protocol memcache");
      return make_memcache_codec();
  }
  return fail(Code::kInvalidArgument, "no such protocol");
}

}  // namespace minivault::load
