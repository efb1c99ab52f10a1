#include "worker/http_names.h"

namespace minivault::worker {

using protocol::HttpMethod;
using protocol::HttpTarget;

shared::Told told_of(int status) {
  using shared::Told;
  switch (status) {
    case 401:
      return Told::kUnauthorized;
    case 404:
      return Told::kNotFound;
    case 409:
    case 412:
      return Told::kConflict;
    case 413:
      return Told::kTooLarge;
    case 429:
      return Told::kLimited;
    default:
      return status < 400 ? Told::kOk : status < 500 ? Told::kInvalid : Told::kUnavailable;
  }
}

shared::Op op_of(const HttpTarget& target, HttpMethod method) {
  using shared::Op;
  switch (target.kind) {
    case HttpTarget::Kind::kHealth:
      return Op::kHealth;
    case HttpTarget::Kind::kMetrics:
      return Op::kMonitor;
    case HttpTarget::Kind::kReserved:
      return target.key == kBackup ? Op::kBackup : is_probe(target) ? Op::kMonitor : Op::kOther;
    case HttpTarget::Kind::kBad:
      return Op::kOther;
    case HttpTarget::Kind::kKey:
      break;
  }
  if (method == HttpMethod::kOther) return Op::kOther;
  return is_read(method) ? Op::kGet : method == HttpMethod::kDelete ? Op::kDelete : Op::kSet;
}

}  // namespace minivault::worker
