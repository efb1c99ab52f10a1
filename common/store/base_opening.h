#pragma once

#include <pthread.h>

#include <cerrno>

#include "common/core/assert.h"
#include "common/shared/region.h"

namespace minivault::store {

/// LMDB environments are opened one at a time over the node: held while one is. A holder that died left
/// nothing that the next could trip over (LMDB mends its own lock file), so the lock is simply taken over.
class BaseOpening {
 public:
  explicit BaseOpening(shared::State& state) : mutex_(state.base_open) {
    const int got = ::pthread_mutex_lock(&mutex_);
    MV_ASSERT(got == 0 || got == EOWNERDEAD);
    if (got == EOWNERDEAD) ::pthread_mutex_consistent(&mutex_);
  }
  BaseOpening(const BaseOpening&) = delete;
  BaseOpening& operator=(const BaseOpening&) = delete;
  ~BaseOpening() { ::pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t& mutex_;
};

}  // namespace minivault::store
