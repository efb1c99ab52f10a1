#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// An LMDB file (base.mdb) taken apart, and damage to single pages of it.
namespace minivault::test {

class BasePages {
 public:
  static constexpr std::size_t kPage = 4'096;
  static constexpr std::uint16_t kBranch = 1;
  static constexpr std::uint16_t kLeaf = 2;

  explicit BasePages(std::string file) : file_(std::move(file)) {
    std::ifstream stream(file_, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(stream), {});
    const auto txn = [this](std::size_t meta) { return at<std::uint64_t>(meta * kPage + 144); };
    meta_ = txn(1) > txn(0) ? kPage : 0;
  }
  void store() const { std::ofstream(file_, std::ios::binary) << bytes_; }
  /// What was changed alone: for a file that is in use.
  void store_changes() const {
    std::fstream file(file_, std::ios::binary | std::ios::in | std::ios::out);
    for (const auto& [offset, size] : changes_) {
      file.seekp(static_cast<std::streamoff>(offset));
      file.write(bytes_.data() + offset, static_cast<std::streamsize>(size));
    }
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  template <typename T>
  [[nodiscard]] T at(std::size_t offset) const {
    T value;
    if (offset + sizeof value > bytes_.size()) throw std::out_of_range("behind the end of the base");
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }
  template <typename T>
  void put(std::size_t offset, T value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
    changes_.emplace_back(offset, sizeof value);
  }

  /// The newer of the two meta pages.
  [[nodiscard]] std::size_t meta() const { return meta_; }
  [[nodiscard]] std::uint64_t pages() const { return bytes_.size() / kPage; }
  [[nodiscard]] std::uint64_t last_page() const { return at<std::uint64_t>(meta_ + 136); }
  [[nodiscard]] std::uint64_t free_root() const { return at<std::uint64_t>(meta_ + 80); }
  /// What describes the table of that name.
  [[nodiscard]] std::size_t tree(const std::string& table) const {
    const std::uint64_t main = at<std::uint64_t>(meta_ + 128);
    for (const std::size_t node : nodes(main)) {
      const auto key_bytes = at<std::uint16_t>(node + 6);
      if (bytes_.compare(node + 8, key_bytes, table) == 0) return node + 8 + key_bytes;
    }
    throw std::runtime_error("no such table");
  }
  [[nodiscard]] std::uint64_t root(const std::string& table) const {
    return at<std::uint64_t>(tree(table) + 40);
  }
  /// The offsets of the page numbers on the free list; before the first of a list stands how many it has.
  [[nodiscard]] std::vector<std::size_t> free_pages() const {
    std::vector<std::size_t> found;
    for (const std::uint64_t leaf : leaves(free_root())) {
      for (const std::size_t node : nodes(leaf)) {
        std::size_t list = node + 16;
        if (is_large(node)) list = at<std::uint64_t>(list) * kPage + 16;
        for (std::uint64_t i = 1; i <= at<std::uint64_t>(list); ++i) found.push_back(list + 8 * i);
      }
    }
    return found;
  }
  /// A value that fills pages of its own.
  struct Large {
    std::uint64_t leaf;
    std::size_t node;
    std::size_t page_number;  ///< the offset of the number of its first page
  };
  [[nodiscard]] Large large_value(const std::string& table) const {
    for (const std::uint64_t leaf : leaves(root(table))) {
      for (const std::size_t node : nodes(leaf)) {
        const auto bytes = at<std::uint32_t>(node);
        if (is_large(node) && bytes > kPage) return {leaf, node, node + 8 + at<std::uint16_t>(node + 6)};
      }
    }
    throw std::runtime_error("no large value");
  }
  /// One of zeros behind the last; its number.
  std::uint64_t append_page() {
    const std::uint64_t number = last_page() + 1;
    bytes_.resize((number + 1) * kPage);
    put(meta_ + 136, number);
    return number;
  }
  /// The offsets of a page's nodes.
  [[nodiscard]] std::vector<std::size_t> nodes(std::uint64_t page) const {
    std::vector<std::size_t> found;
    const auto lower = at<std::uint16_t>(page * kPage + 12);
    for (std::size_t slot = 16; slot + 2 <= lower; slot += 2) {
      found.push_back(page * kPage + at<std::uint16_t>(page * kPage + slot));
    }
    return found;
  }
  [[nodiscard]] bool is_leaf(std::uint64_t page) const {
    return (at<std::uint16_t>(page * kPage + 10) & kLeaf) != 0;
  }
  [[nodiscard]] bool is_large(std::size_t node) const { return (at<std::uint16_t>(node + 4) & 1) != 0; }
  [[nodiscard]] std::uint64_t child(std::size_t node) const {
    return at<std::uint16_t>(node) | std::uint64_t{at<std::uint16_t>(node + 2)} << 16U |
           std::uint64_t{at<std::uint16_t>(node + 4)} << 32U;
  }
  /// In the order of their keys.
  [[nodiscard]] std::vector<std::uint64_t> leaves(std::uint64_t page) const {
    if (is_leaf(page)) return {page};
    std::vector<std::uint64_t> all;
    for (const std::size_t node : nodes(page)) {
      const auto below = leaves(child(node));
      all.insert(all.end(), below.begin(), below.end());
    }
    return all;
  }
  [[nodiscard]] std::vector<std::string> keys(std::uint64_t leaf) const {
    std::vector<std::string> all;
    for (const std::size_t node : nodes(leaf))
      all.push_back(bytes_.substr(node + 8, at<std::uint16_t>(node + 6)));
    return all;
  }

  /// Takes the last `count` keys of a leaf in the middle of `data` away, as a flipped bit of the page's bound
  /// does; which.
  std::vector<std::string> hide(std::size_t count) {
    const auto all = leaves(root("data"));
    const std::uint64_t leaf = all[all.size() / 2];
    std::vector<std::string> hidden = keys(leaf);
    if (hidden.size() <= count) throw std::runtime_error("a leaf of too few keys");
    hidden.erase(hidden.begin(), hidden.end() - static_cast<std::ptrdiff_t>(count));
    const std::size_t lower = leaf * kPage + 12;
    put(lower, static_cast<std::uint16_t>(at<std::uint16_t>(lower) - 2 * count));
    return hidden;
  }

 private:
  std::string file_;
  std::string bytes_;
  std::size_t meta_ = 0;
  std::vector<std::pair<std::size_t, std::size_t>> changes_;  ///< where, how many bytes
};

}  // namespace minivault::test
