#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bench/store_keys.h"

namespace minivault::bench {

/// What a row asks of every engine.
struct Setting {
  bool durable = false;  ///< put() returns once the batch is on disk; else nobody waits for the disk
  std::uint64_t log_bytes = 512ULL << 20;
};

/// What every engine of the table can do; a concept in words, for virtual calls would cost as much as a GET.
///
///   static constexpr const char* kName;
///   explicit Engine(const Setting&);        // empty, in a directory of its own
///   void begin(); void end();               // around a group of gets, as a worker's turn
///   std::size_t get(std::string_view key);  // size of the value plus its first byte, 0: absent; no copy if
///   it can void put(std::span<const Key> keys, std::string_view value);  // one batch, one commit void
///   settle();                          // returns when nothing is left to do in the background pid_t
///   process() const;                  // that works for it beside this one, or 0 const std::string&
///   directory() const;

/// Touches a value as a sender would at least.
inline std::size_t touch(std::string_view value) {
  return value.size() + static_cast<unsigned char>(value.empty() ? 0 : value.front());
}

}  // namespace minivault::bench
