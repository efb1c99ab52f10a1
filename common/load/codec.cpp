#include "common/load/codec.h"

namespace minivault::load {

Result<std::unique_ptr<Codec>> make_codec(Protocol protocol, const std::string& auth_key) {
  switch (protocol) {
    case Protocol::kBinary:
      return make_binary_codec(auth_key);
    case Protocol::kHttp:
      return make_http_codec(auth_key);
    case Protocol::kResp:
      return make_resp_codec(auth_key);
    case Protocol::kMemcache:
      if (!auth_key.empty()) return fail(Code::kInvalidArgument, "-auth: not with -protocol memcache");
      return make_memcache_codec();
  }
  return fail(Code::kInvalidArgument, "no such protocol");
}

}  // namespace minivault::load
