#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/core/error.h"
#include "common/core/unique_fd.h"

namespace minivault::admin {

/// A file that appears under its name only when it is whole and on disk; until then it is NAME.partial, which
/// goes with the object. Errors: kIo, kNoSpace.
class NewFile {
 public:
  [[nodiscard]] static Result<NewFile> create(const std::string& path);
  NewFile(NewFile&&) = default;
  NewFile& operator=(NewFile&&) = delete;
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  [[nodiscard]] Status write(std::string_view bytes);
  [[nodiscard]] Status publish();
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  NewFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  [[nodiscard]] std::string partial() const { return path_ + ".partial"; }

  std::string path_;
  UniqueFd fd_;
  std::uint64_t size_ = 0;
};

}  // namespace minivault::admin
