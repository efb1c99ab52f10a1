#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/error.h"
#include "common/core/unique_fd.h"

namespace minivault::admin {

/// Brings lines of records from the base's order into that of their keys: the two differ only among keys of
/// 495 bytes and more with the same 495 first bytes. Those wait for each other here, everything else goes
/// through. Of those who wait, so many bytes are in memory, the others sorted, run by run, in a file without
/// a name in TMPDIR (else /tmp); what is taken from there takes 128 KB of memory a run.
class LineSorter {
 public:
  /// A line, or the next part of one.
  using Out = std::function<Status(std::string_view text)>;
  static constexpr std::size_t kMemory = 64U << 20;

  explicit LineSorter(Out out, std::size_t memory = kMemory) : out_(std::move(out)), memory_(memory) {}

  /// Errors: what `out` says; kNoSpace, kIo: of the file.
  [[nodiscard]] Status add(std::string_view key, std::string line);
  /// After the last one. Errors: as add().
  [[nodiscard]] Status flush();

 private:
  struct Line {
    std::string rest;  ///< of the key, behind the prefix
    std::string text;
  };
  struct Run {
    std::uint64_t begin;
    std::uint64_t end;
  };
  class RunReader;

  void sort();
  [[nodiscard]] Status spill();
  [[nodiscard]] Status merge();
  [[nodiscard]] Status write(std::string_view bytes);

  Out out_;
  std::size_t memory_;
  std::string prefix_;  ///< that all who wait have
  std::vector<Line> waiting_;
  std::size_t waiting_bytes_ = 0;
  UniqueFd file_;
  std::string path_;  ///< that it had
  std::uint64_t file_bytes_ = 0;
  std::vector<Run> runs_;
};

}  // namespace minivault::admin
