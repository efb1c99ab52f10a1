#include <algorithm>
#include <iostream>
#include <vector>

#include "common/admin/commands.h"
#include "common/admin/dump_line.h"
#include "common/admin/guard.h"
#include "common/admin/progress.h"
#include "common/admin/source.h"
#include "common/store/base_format.h"

namespace minivault::admin {
namespace {

/// Brings records from the base's order into that of their keys: the two differ only among keys of 495 bytes
/// and more with the same 495 first bytes. Those wait for each other here, in memory however many they are;
/// everything else goes through.
class Sorter {
 public:
  using Out = std::function<Status(std::string_view line)>;
  explicit Sorter(Out out) : out_(std::move(out)) {}

  Status add(std::string_view key, std::string line) {
    const bool is_long = key.size() >= store::base::kKeyPrefix;
    const bool belongs = is_long && !waiting_.empty() && prefix_ == prefix_of(key);
    if (!belongs) {
      if (Status flushed = flush(); !flushed) return flushed;
    }
    if (!is_long) return out_(line);
    line.shrink_to_fit();
    prefix_ = prefix_of(key);
    waiting_.push_back({std::string(key.substr(prefix_.size())), std::move(line)});
    return {};
  }
  Status flush() {
    std::sort(waiting_.begin(), waiting_.end(), [](const Line& a, const Line& b) { return a.rest < b.rest; });
    for (const Line& line : waiting_) {
      if (Status done = out_(line.text); !done) return done;
    }
    waiting_.clear();
    return {};
  }

 private:
  struct Line {
    std::string rest;  ///< of the key, behind the prefix
    std::string text;
  };
  static std::string_view prefix_of(std::string_view key) { return key.substr(0, store::base::kKeyPrefix); }

  Out out_;
  std::string prefix_;  ///< that all who wait have
  std::vector<Line> waiting_;
};

Status print(std::string_view line) {
  if (std::cout.write(line.data(), static_cast<std::streamsize>(line.size()))) return {};
  return fail(Code::kIo, "standard output cannot be written");
}

}  // namespace

int run_dump(const Arguments& arguments) {
  std::ios::sync_with_stdio(false);
  Progress progress("dump", "records", 0);
  Sorter sorter(print);
  std::uint64_t records = 0;
  note_place(arguments.operands[0]);
  const auto begin = [&](const archive::Header& header) -> Status {
    progress.set_total(header.records);
    return {};
  };
  const auto visit = [&](const archive::Record& record) -> Status {
    progress.update(++records);
    if (record.operation != store::Operation::kSet) return {};
    note_place(arguments.operands[0], record.key);
    std::string line;
    append_dump_line(line, record);
    return sorter.add(record.key, std::move(line));
  };
  Status done = read_records(arguments.operands[0], arguments, begin, visit);
  if (done) done = sorter.flush();
  return done ? kDone : not_done(done.error().message);
}

}  // namespace minivault::admin
