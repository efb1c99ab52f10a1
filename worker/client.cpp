#include "worker/client.h"

#include "worker/peer_reads.h"
#include "worker/sync_session.h"

namespace minivault::worker {

Client::Client(UniqueFd socket, net::BlockPool& pool, bool http_only) : connection(std::move(socket), pool) {
  if (http_only) protocol = Protocol::kHttp;
}

Client::~Client() = default;

}  // namespace minivault::worker
