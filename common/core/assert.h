#pragma once

#include <cstdio>
#include <cstdlib>

/// A programmer's error, in release builds too: says where and aborts. Never for bytes of a client, peer or
/// disk.
#define MV_ASSERT(condition)                                                                  \
  do {                                                                                        \
    if (!(condition)) [[unlikely]] {                                                          \
      std::fprintf(stderr, "assertion failed: %s (%s:%d)\n", #condition, __FILE__, __LINE__); \
      std::abort();                                                                           \
    }                                                                                         \
  } while (false)
