#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "bench/store_contender.h"

namespace minivault::bench {

/// What memory and one lock can do: no process boundary, no disk, nothing survives.
class Map {
 public:
  static constexpr const char* kName = "unordered_map + mutex";

  explicit Map(const Setting&) {}

  void begin() {}
  void end() {}
  std::size_t get(std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto found = values_.find(key);
    return found == values_.end() ? 0 : touch(found->second);
  }
  void put(std::span<const Key> keys, std::string_view value) {
    const std::lock_guard lock(mutex_);
    for (const Key& key : keys) values_[std::string(key.view())] = value;
  }
  void settle() {}
  [[nodiscard]] static pid_t process() { return 0; }
  [[nodiscard]] const std::string& directory() const { return directory_; }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, std::string, Hash, std::equal_to<>> values_;
  std::string directory_;
};

}  // namespace minivault::bench
