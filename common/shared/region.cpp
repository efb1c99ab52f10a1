#include "common/shared/region.h"

#include <sys/eventfd.h>
#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <memory>

namespace minivault::shared {
namespace {

Status init_robust_mutex(pthread_mutex_t& mutex) {
  pthread_mutexattr_t attributes;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  const int error = ::pthread_mutex_init(&mutex, &attributes);
  ::pthread_mutexattr_destroy(&attributes);
  if (error != 0) return fail_errno("cannot create a shared lock", error);
  return {};
}

void ring_bell(int fd) {
  const std::uint64_t one = 1;
  // EAGAIN means that the counter is full: the bell is ringing already.
  [[maybe_unused]] const ssize_t written = ::write(fd, &one, sizeof one);
}

Result<UniqueFd> make_bell() {
  UniqueFd bell(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!bell) return fail_errno("cannot create an eventfd", errno);
  return bell;
}

}  // namespace

Result<Region> Region::create(std::uint64_t index_words) {
  const std::uint64_t words = std::bit_ceil(index_words < 64 ? std::uint64_t{64} : index_words);
  const std::size_t bytes =
      sizeof(State) + words * sizeof(std::uint64_t) + kMaxChildren * sizeof(ProcessMetrics);
  void* address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    return fail_errno("cannot map " + std::to_string(bytes >> 20) + " MB of shared memory", errno);
  }
  Region region;
  region.memory_ = Mapping(address, bytes);
  // A core dump of a worker need not carry everybody's index (ENGINE.md rule 20).
  ::madvise(address, bytes, MADV_DONTDUMP);
  // The index is asked at random places: in pages of 4 KB each question misses the TLB, and each page's first
  // touch is a fault. Does nothing where huge pages of shared memory are switched off, the kernel's default.
  ::madvise(address, bytes, MADV_HUGEPAGE);

  region.state_ = new (address) State{};  // placement: the mapping owns the bytes
  region.state_->cluster.needed.store(kNotYetKnown, std::memory_order_relaxed);
  auto* first = reinterpret_cast<std::atomic<std::uint64_t>*>(region.memory_.data() + sizeof(State));
  region.index_words_ = {first, words};
  // Zero as they are, and only those of slots that are used ever cost memory.
  region.metrics_ = {reinterpret_cast<ProcessMetrics*>(first + words), kMaxChildren};

  for (pthread_mutex_t* mutex : {&region.state_->append.mutex, &region.state_->base_open}) {
    if (Status made = init_robust_mutex(*mutex); !made) return tl::unexpected(made.error());
  }
  for (unsigned i = 0; i < kMaxChildren; ++i) {
    region.clear_slot(i);
    Result<UniqueFd> bell = make_bell();
    if (!bell) return tl::unexpected(bell.error());
    region.bells_.push_back(std::move(*bell));
  }
  Result<UniqueFd> bell = make_bell();
  if (!bell) return tl::unexpected(bell.error());
  region.supervisor_bell_ = std::move(*bell);
  return region;
}

void Region::ring(unsigned slot) const {
  ring_bell(bells_[slot].get());
}

void Region::ring_all() const {
  const unsigned used = state_->slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    if (state_->slots[i].pid.load(std::memory_order_relaxed) != 0) ring(i);
  }
}

void Region::ring_role(Role role) const {
  const unsigned used = state_->slots_used.load(std::memory_order_acquire);
  for (unsigned i = 0; i < used; ++i) {
    if (state_->slots[i].role.load(std::memory_order_relaxed) == role) ring(i);
  }
}

void Region::ask_for_checkpoint(Lsn lsn) const {
  raise(state_->checkpoint_wanted, lsn);
  ring_role(Role::kCheckpointer);
}

void Region::silence(unsigned slot) const {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(bells_[slot].get(), &count, sizeof count);
}

void Region::ring_supervisor() const {
  ring_bell(supervisor_bell_.get());
}

void Region::clear_slot(unsigned index) const {
  ChildSlot& slot = state_->slots[index];
  slot.pin.store(kNoLsn, std::memory_order_release);
  slot.durable_want.store(kNoLsn, std::memory_order_relaxed);
  slot.quorum_want.store(kNoLsn, std::memory_order_relaxed);
  slot.space_ticket.store(0, std::memory_order_relaxed);
  slot.counters.connections_open.store(0, std::memory_order_relaxed);
  slot.cache.items.store(0, std::memory_order_relaxed);
  slot.cache.bytes.store(0, std::memory_order_relaxed);
  slot.state.store(ChildState::kFree, std::memory_order_relaxed);
  slot.role.store(Role::kNone, std::memory_order_relaxed);
  slot.pid.store(0, std::memory_order_release);
  state_->deaths.fetch_add(1, std::memory_order_release);
}

}  // namespace minivault::shared
