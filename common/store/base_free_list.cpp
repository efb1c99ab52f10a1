#include "common/store/base_free_list.h"

#include <algorithm>
#include <cstring>

namespace minivault::store::base {
namespace {

/// Visits each list. Errors: kCorrupt: the first that is wrong; what `visit` says; kIo.
Status visit_lists(const PageFile& file, const MetaPage& meta,
                   const std::function<Status(const LeafEntry&)>& visit) {
  std::uint64_t claimed = 0;
  Status sound;
  const TreeVisitor visitor{
      [&](std::uint64_t, std::uint64_t count) {  // a damaged tree may hold a circle
        claimed += count;
        return claimed <= file.pages ? Status() : fail(Code::kCorrupt, "more pages than there are");
      },
      visit,
      [&](const std::string& what) {
        sound = fail(Code::kCorrupt, what);
        return false;
      }};
  TreeWalk(file, "the free list", meta.free, Keys::kIntegers, visitor).run();
  return sound;
}

}  // namespace

Result<FreeList> free_list_of(const PageFile& file, const LeafEntry& entry) {
  FreeList list;
  if (entry.key.size() != sizeof list.transaction) return fail(Code::kCorrupt, "a list under no transaction");
  const Result<std::string> value = value_of(file, entry);
  if (!value) return tl::unexpected(value.error());
  // Its length, then as many page numbers; there may be room for more behind them.
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  std::uint64_t length = 0;
  if (value->size() >= kWord) std::memcpy(&length, value->data(), kWord);
  if (value->size() < kWord || length > value->size() / kWord - 1) {
    return fail(Code::kCorrupt, "a list of " + std::to_string(length) + " pages in " +
                                    std::to_string(value->size()) + " bytes");
  }
  std::memcpy(&list.transaction, entry.key.data(), sizeof list.transaction);
  list.pages.resize(length);
  if (length > 0) std::memcpy(list.pages.data(), value->data() + kWord, length * kWord);
  return list;
}

Result<std::uint64_t> newest_on_free_list(int fd, const MetaPage& meta, std::uint64_t file_bytes) {
  std::uint64_t newest = 0;
  const Status sound =
      visit_lists(PageFile::of(fd, meta, file_bytes), meta, [&](const LeafEntry& entry) -> Status {
        std::memcpy(&newest, entry.key.data(), sizeof newest);  // in order
        return {};
      });
  if (!sound) return tl::unexpected(sound.error());
  return newest;
}

Status missing_pages_are_free(int fd, const MetaPage& meta, std::uint64_t file_bytes) {
  const PageFile file = PageFile::of(fd, meta, file_bytes);
  std::uint64_t found = 0;
  const Status sound = visit_lists(file, meta, [&](const LeafEntry& entry) -> Status {
    const Result<FreeList> list = free_list_of(file, entry);
    if (!list) return tl::unexpected(list.error());
    found += static_cast<std::uint64_t>(
        std::count_if(list->pages.begin(), list->pages.end(), [&](auto page) { return page >= file.pages; }));
    return {};
  });
  const std::uint64_t missing = meta.last_page + 1 - file.pages;
  if (!sound || found == missing) return sound;
  return fail(Code::kCorrupt, "the free list has " + std::to_string(found) + " of the " +
                                  std::to_string(missing) + " missing pages");
}

}  // namespace minivault::store::base
