#pragma once

#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/store/faulty_disk.h"

namespace minivault::test {

/// What a disk may hold after a power cut at some moment of a recording: what was synced, for certain; of the
/// rest any part, sector by sector and name by name in any order.
class TracedDisk {
 public:
  using Files = std::map<std::string, std::string>;  ///< content by name

  /// `before`: the files that are there, and that kAdopt finds.
  explicit TracedDisk(const Files& before = {});

  /// Goes on to after `event`. Views of the recording are kept.
  void apply(std::uint64_t index, const DiskEvent& event, std::string_view bytes);

  /// One of the many things that a cut now can leave.
  [[nodiscard]] Files cut(std::mt19937_64& random) const;

  static void store(const Files& files, const std::string& directory);

 private:
  struct Write {
    std::uint64_t index;
    std::uint64_t offset;
    std::string_view bytes;
  };
  struct File {
    std::string synced;
    std::uint64_t size = 0;       ///< as promised by fallocate, not yet synced
    std::vector<Write> given_up;  ///< their sync failed: on disk or not, for ever
    std::vector<Write> pending;
  };
  struct Name {
    std::string old_name;  ///< "": a new file
    std::string name;
    std::uint32_t file;
  };

  void finish_sync(File& file, std::uint64_t begin, bool failed);
  static void reach_disk(File& file, const Write& write);
  static void cut_out(std::vector<Write>& older, const Write& newer);
  static void put(std::string& content, const Write& write);
  [[nodiscard]] static std::string survivors(const File& file, std::mt19937_64& random);
  [[nodiscard]] std::uint32_t named(const std::string& name) const;
  static void rename(std::map<std::string, std::uint32_t>& names, const Name& change);

  std::map<std::uint32_t, File> files_;
  std::map<std::string, std::uint32_t> names_;  ///< on disk
  std::vector<Name> pending_names_;
};

}  // namespace minivault::test
