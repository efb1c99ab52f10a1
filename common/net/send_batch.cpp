#include "common/net/send_batch.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace minivault::net {
namespace {

/// One call for `wanted` sends, and what became of each; the results of all that was not taken stay as they
/// are.
Status submit(io_uring& ring, std::size_t wanted, std::array<int, SendBatch::kMost>& results) {
  int submitted = 0;
  do {
    submitted = io_uring_submit(&ring);
  } while (submitted == -EINTR);
  const auto count = static_cast<std::size_t>(std::max(submitted, 0));
  std::fill_n(results.begin(), count, -EIO);  // who was taken and is not told of must not be sent again
  for (std::size_t i = 0; i < count; ++i) {
    io_uring_cqe* completion = nullptr;
    int waited = 0;
    do {
      waited = io_uring_wait_cqe(&ring, &completion);  // it is there already
    } while (waited == -EINTR);
    if (waited < 0) return fail_errno("io_uring failed", -waited);
    results[completion->user_data] = completion->res;
    io_uring_cqe_seen(&ring, completion);
  }
  if (submitted < 0) return fail_errno("io_uring failed", -submitted);
  if (count < wanted) {
    return fail(Code::kIo, "io_uring failed: it took " + std::to_string(count) + " of " +
                               std::to_string(wanted) + " sends");
  }
  return {};
}

}  // namespace

void SendBatch::Close::operator()(io_uring* ring) const {
  io_uring_queue_exit(ring);
  std::default_delete<io_uring>()(ring);
}

Result<SendBatch> SendBatch::create() {
  auto ring = std::make_unique<io_uring>();
  io_uring_params params{};
  // Nobody needs to interrupt this thread to complete anything, and one that fails does not stop the others.
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL;
  const int status = io_uring_queue_init_params(kMost, ring.get(), &params);
  if (status < 0) return fail_errno("cannot use io_uring", -status);
  SendBatch batch;
  batch.ring_.reset(ring.release());
  io_uring_register_ring_fd(batch.ring_.get());  // saves a look-up each time; where it fails, it is looked up
  return batch;
}

void SendBatch::add(int fd, std::string_view bytes, void* owner) {
  io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
  io_uring_prep_send(entry, fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  entry->user_data = count_;
  owners_[count_++] = owner;
}

Status SendBatch::run(const std::function<void(void* owner, int result)>& sent) {
  const std::size_t count = std::exchange(count_, 0);
  if (count == 0) return {};
  std::array<int, kMost> results;
  results.fill(-EINTR);
  Status done = submit(*ring_, count, results);
  if (!done) ring_.reset();  // and with it what it was given and did not do
  for (std::size_t i = 0; i < count; ++i) sent(owners_[i], results[i]);
  return done;
}

}  // namespace minivault::net
