#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace minivault::admin {

/// A bar on standard error, where that is a terminal; else nothing. Redrawn a few times a second.
class Progress {
 public:
  /// `total` 0: unknown. `unit` names what is counted ("records").
  Progress(std::string_view doing, std::string_view unit, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void set_total(std::uint64_t total) { total_ = total; }
  void update(std::uint64_t done);

 private:
  void draw() const;

  std::string doing_;
  std::string unit_;
  std::uint64_t total_;
  std::uint64_t done_ = 0;
  std::uint64_t began_ms_;
  std::uint64_t next_ms_;
  bool shown_;
  bool drawn_ = false;
};

}  // namespace minivault::admin
