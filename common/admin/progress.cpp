#include "common/admin/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "common/core/clock.h"

namespace minivault::admin {
namespace {

constexpr std::uint64_t kRedrawMs = 150;
constexpr std::size_t kBarWidth = 30;

}  // namespace

Progress::Progress(std::string_view doing, std::string_view unit, std::uint64_t total)
    : doing_(doing),
      unit_(unit),
      total_(total),
      began_ms_(monotonic_ms()),
      next_ms_(began_ms_ + kRedrawMs),
      shown_(::isatty(STDERR_FILENO) == 1) {}

/// The line is wiped: what the command says at its end stands alone.
Progress::~Progress() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

void Progress::update(std::uint64_t done) {
  done_ = done;
  if (!shown_) return;
  const std::uint64_t now_ms = monotonic_ms();
  if (now_ms < next_ms_) return;
  next_ms_ = now_ms + kRedrawMs;
  drawn_ = true;
  draw();
}

void Progress::draw() const {
  const std::uint64_t elapsed_ms = std::max<std::uint64_t>(monotonic_ms() - began_ms_, 1);
  const std::uint64_t rate = done_ * 1'000 / elapsed_ms;
  std::string line = "\r\033[K";
  line.append(doing_).append(" ");
  if (total_ > 0) {
    const std::uint64_t part = std::min(done_, total_);
    const auto filled = static_cast<std::size_t>(part * kBarWidth / total_);
    line.append("[").append(filled, '#').append(kBarWidth - filled, ' ').append("] ");
    line.append(std::to_string(part * 100 / total_)).append("% ");
  }
  line.append(std::to_string(done_)).append(" ").append(unit_).append(", ");
  line.append(std::to_string(rate)).append("/s");
  std::fputs(line.c_str(), stderr);
}

}  // namespace minivault::admin
