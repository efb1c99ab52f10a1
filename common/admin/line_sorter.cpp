#include "common/admin/line_sorter.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "common/store/base_format.h"
#include "common/store/base_pages.h"

namespace minivault::admin {
namespace {

/// In the file before the rest of each key and its line.
struct Sizes {
  std::uint64_t rest;
  std::uint64_t text;
};

std::string_view prefix_of(std::string_view key) {
  return key.substr(0, store::base::kKeyPrefix);
}

std::string_view bytes_of(const Sizes& sizes) {
  return {reinterpret_cast<const char*>(&sizes), sizeof sizes};
}

Result<UniqueFd> make_file(std::string& path) {
  std::error_code failed;
  path = std::filesystem::temp_directory_path(failed).string() + "/minivault-dump-XXXXXX";
  if (failed) return fail(Code::kIo, "no directory for temporary files (TMPDIR): " + failed.message());
  UniqueFd file(::mkostemp(path.data(), O_CLOEXEC));
  if (!file) return fail_errno("cannot create " + path, errno);
  ::unlink(path.c_str());  // it goes with whoever has it
  return file;
}

}  // namespace

/// The lines of one run, in their order.
class LineSorter::RunReader {
 public:
  RunReader(int fd, Run run) : fd_(fd), run_(run) {}

  [[nodiscard]] bool has_line() const { return has_line_; }
  [[nodiscard]] const std::string& rest() const { return rest_; }

  /// Goes to the next line. REQUIRES: the one before was written out.
  Status next() {
    Sizes sizes{};
    has_line_ = at_ < buffer_.size() || run_.begin < run_.end;
    if (!has_line_) return {};
    rest_.clear();
    std::string head;
    const auto into = [](std::string& to) {
      return [&to](std::string_view part) {
        to += part;
        return Status();
      };
    };
    if (Status read = take(sizeof sizes, into(head)); !read) return read;
    std::memcpy(&sizes, head.data(), sizeof sizes);
    text_bytes_ = sizes.text;
    return take(sizes.rest, into(rest_));
  }
  Status write_out(const Out& out) { return take(text_bytes_, out); }

 private:
  /// The next `size` bytes, part by part.
  template <typename To>
  Status take(std::uint64_t size, const To& to) {
    while (size > 0) {
      if (at_ == buffer_.size()) {
        if (Status read = fill(); !read) return read;
      }
      const std::string_view part = std::string_view(buffer_).substr(at_, size);
      at_ += part.size();
      size -= part.size();
      if (Status done = to(part); !done) return done;
    }
    return {};
  }
  Status fill() {
    buffer_.resize(std::min<std::uint64_t>(kBuffer, run_.end - run_.begin));
    at_ = 0;
    if (!store::base::read_exactly(fd_, buffer_.data(), buffer_.size(), run_.begin))
      return fail_errno("cannot read the file of sorted lines", errno);
    run_.begin += buffer_.size();
    return {};
  }

  static constexpr std::size_t kBuffer = 64U << 10;
  int fd_;
  Run run_;  ///< what was not read yet
  std::string buffer_;
  std::size_t at_ = 0;
  std::string rest_;
  std::uint64_t text_bytes_ = 0;
  bool has_line_ = false;
};

Status LineSorter::add(std::string_view key, std::string line) {
  const bool is_long = key.size() >= store::base::kKeyPrefix;
  const bool anybody_waits = !waiting_.empty() || !runs_.empty();
  if (anybody_waits && !(is_long && prefix_of(key) == prefix_)) {
    if (Status flushed = flush(); !flushed) return flushed;
  }
  if (!is_long) return out_(line);
  line.shrink_to_fit();
  prefix_ = prefix_of(key);
  const Line& added = waiting_.emplace_back(Line{std::string(key.substr(prefix_.size())), std::move(line)});
  waiting_bytes_ += sizeof added + added.rest.capacity() + added.text.capacity();
  return waiting_bytes_ < memory_ ? Status() : spill();
}

Status LineSorter::flush() {
  if (!runs_.empty()) {
    const Status spilled = waiting_.empty() ? Status() : spill();
    return spilled ? merge() : spilled;
  }
  sort();
  for (const Line& line : waiting_) {
    if (Status done = out_(line.text); !done) return done;
  }
  waiting_.clear();
  waiting_bytes_ = 0;
  return {};
}

void LineSorter::sort() {
  std::sort(waiting_.begin(), waiting_.end(), [](const Line& a, const Line& b) { return a.rest < b.rest; });
}

Status LineSorter::spill() {
  if (!file_) {
    Result<UniqueFd> made = make_file(path_);
    if (!made) return tl::unexpected(made.error());
    file_ = std::move(*made);
  }
  sort();
  const std::uint64_t begin = file_bytes_;
  std::string buffer;
  for (const Line& line : waiting_) {
    buffer.append(bytes_of({line.rest.size(), line.text.size()})).append(line.rest);
    if (Status written = write(buffer); !written) return written;
    if (Status written = write(line.text); !written) return written;
    buffer.clear();
  }
  runs_.push_back({begin, file_bytes_});
  waiting_ = {};
  waiting_bytes_ = 0;
  return {};
}

Status LineSorter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(file_bytes_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("cannot write " + path_ + " (TMPDIR says where)", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    file_bytes_ += static_cast<std::uint64_t>(written);
  }
  return {};
}

Status LineSorter::merge() {
  std::vector<RunReader> readers;
  for (const Run& run : runs_) readers.emplace_back(file_.get(), run);
  std::vector<RunReader*> heap;
  const auto behind = [](const RunReader* a, const RunReader* b) { return a->rest() > b->rest(); };
  const auto take_next = [&](RunReader& reader) -> Status {
    if (Status read = reader.next(); !read || !reader.has_line()) return read;
    heap.push_back(&reader);
    std::push_heap(heap.begin(), heap.end(), behind);
    return {};
  };
  for (RunReader& reader : readers) {
    if (Status taken = take_next(reader); !taken) return taken;
  }
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), behind);
    RunReader& first = *heap.back();
    heap.pop_back();
    if (Status written = first.write_out(out_); !written) return written;
    if (Status taken = take_next(first); !taken) return taken;
  }
  runs_.clear();
  file_bytes_ = 0;
  file_.reset();  // and with it what it took of the disk
  return {};
}

}  // namespace minivault::admin
