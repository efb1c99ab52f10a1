#include <vector>

#include "common/core/clock.h"
#include "worker/metrics_families.h"

namespace minivault::worker {
namespace {

using protocol::Exposition;
using Label = Exposition::Label;

std::uint64_t read(const std::atomic<std::uint64_t>& word) {
  return word.load(std::memory_order_relaxed);
}

void add_histogram(Exposition& page, std::string_view name, std::string_view help,
                   const shared::TimeHistogram& times) {
  page.family(name, Exposition::Type::kHistogram, help);
  TimeSum sum;
  sum.add(times);
  sum.print(page, {});
}

void add_log(Exposition& page, const shared::State& state) {
  page.family("minivault_log_position_bytes", Exposition::Type::kGauge,
              "Watermarks of the log, in bytes since the node was born; each only grows.");
  // Read in this order, so that none is seen beyond the next.
  const std::uint64_t window = read(state.marks.window);
  const std::uint64_t checkpoint = read(state.marks.checkpoint);
  const std::uint64_t durable = read(state.marks.durable);
  const std::uint64_t tail = read(state.marks.tail);
  page.sample(std::vector<Label>{{"mark", "window"}}, window);
  page.sample(std::vector<Label>{{"mark", "checkpoint"}}, checkpoint);
  page.sample(std::vector<Label>{{"mark", "durable"}}, durable);
  page.sample(std::vector<Label>{{"mark", "tail"}}, tail);
  add_gauge(page, "minivault_log_size_bytes", "Size of the log's ring.", read(state.limits.ring_bytes));
  add_gauge(page, "minivault_log_backlog_bytes", "Of the log, what the base does not have yet.",
            tail - checkpoint);
  add_histogram(page, "minivault_fdatasync_seconds", "Syncs of the log.", state.totals.sync_times);
}

/// Since when the oldest commit that somebody looks at is looked at.
double oldest_reader_seconds(const shared::Totals& totals) {
  const std::uint64_t since_ms = read(totals.oldest_reader_since_ms);
  const std::uint64_t now_ms = monotonic_ms();
  return since_ms == 0 || since_ms > now_ms ? 0 : static_cast<double>(now_ms - since_ms) / 1e3;
}

void add_base(Exposition& page, const shared::State& state) {
  const shared::Totals& totals = state.totals;
  add_histogram(page, "minivault_checkpoint_seconds", "Checkpoints: the log brought into the base.",
                totals.checkpoint_times);
  add_counter(page, "minivault_checkpoint_bytes_total", "Bytes of the log that checkpoints covered.",
              read(totals.checkpointed_bytes));
  add_gauge(page, "minivault_keys", "Keys in the base, as of the last checkpoint.", read(totals.keys));
  add_gauge(page, "minivault_tombstones", "Deletes that the base remembers.", read(totals.tombstones));
  add_gauge(page, "minivault_base_used_bytes", "Pages of the base in use.", read(totals.base_bytes));
  add_gauge(page, "minivault_base_map_bytes", "The most that the base can grow to.",
            read(state.limits.base_map_bytes));
  add_gauge(page, "minivault_base_readers", "Readers that look at a commit of the base.",
            read(totals.base_readers));
  add_gauge(page, "minivault_base_oldest_reader_commits", "Commits by which the oldest reader is behind.",
            read(totals.oldest_reader_lag));
  add_gauge(page, "minivault_base_oldest_reader_seconds",
            "How long the oldest reader has been looking; freed pages are not used again meanwhile.",
            oldest_reader_seconds(totals));
}

}  // namespace

void add_engine(Exposition& page, const shared::Region& region) {
  add_log(page, region.state());
  add_base(page, region.state());
}

}  // namespace minivault::worker
