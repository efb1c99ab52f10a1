#include "common/store/base_page_account.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "common/core/unique_fd.h"
#include "common/store/base_free_list.h"
#include "common/store/base_page_tree.h"

namespace minivault::store::base {
namespace {

/// Of the free list's flags; the others are the file's.
constexpr std::uint16_t kOrderFlags = 0x7f;
constexpr std::uint16_t kIntegerKeys = 0x08;

class Account {
 public:
  Account(const PageFile& file, std::uint64_t file_bytes, const MetaPages& metas, const AccountCalls& calls)
      : file_(file),
        file_bytes_(file_bytes),
        metas_(metas),
        meta_(metas.newest()),
        calls_(calls),
        used_(meta_.last_page + 1),
        free_(meta_.last_page + 1) {}

  PageAccount draw_up() {
    if (!metas_.are_in_turn()) {
      tell("the meta pages: of transactions " + std::to_string(metas_.first.transaction) + " and " +
           std::to_string(metas_.second.transaction) + ", which did not write them in turn");
    }
    for (const MetaPage* meta : {&metas_.first, &metas_.second}) check_transaction(*meta);
    if (meta_.main.flags != 0 || (meta_.free.flags & kOrderFlags) != kIntegerKeys) {
      tell("the newest meta page: a tree whose order is not ours");
    }
    std::vector<std::pair<std::string, PageTree>> tables;
    walk("the list of tables", meta_.main, Keys::kBytes,
         [&](const LeafEntry& entry) { return note_table(entry, tables); });
    for (const auto& [name, tree] : tables) walk("table " + name, tree, Keys::kBytes, no_table);
    // Last, so that it is the list that is told of where it names what is in use.
    walk("the free list", meta_.free, Keys::kIntegers, [&](const LeafEntry& entry) {
      const Status checked = no_table(entry);
      return checked ? note_free(entry) : checked;
    });
    if (is_whole_) tell_lost();
    return {file_.page_size, used_count_, free_count_, is_whole_};
  }

 private:
  /// By its free list, in which each commit names itself. Of the older page, whose trees are
  /// there until the next commit is, what cannot be read tells nothing: nobody reads it either.
  void check_transaction(const MetaPage& meta) {
    const Result<std::uint64_t> newest = newest_on_free_list(file_.fd, meta, file_bytes_);
    if (!newest || *newest == (meta.transaction < 2 ? 0 : meta.transaction)) return;
    tell("the meta page of transaction " + std::to_string(meta.transaction) +
         ": its free list is one of transaction " + std::to_string(*newest));
  }

  void walk(const std::string& name, const PageTree& tree, Keys keys,
            std::function<Status(const LeafEntry&)> entry) {
    const TreeVisitor visitor{[this](std::uint64_t first, std::uint64_t count) { return use(first, count); },
                              std::move(entry), [this](const std::string& what) { return tell(what); }};
    if (goes_on_) TreeWalk(file_, name, tree, keys, visitor).run();
  }

  Status use(std::uint64_t first, std::uint64_t count) {
    if (first < 2 || first > meta_.last_page || count > meta_.last_page + 1 - first) {
      return fail(Code::kCorrupt, "it is none of pages 2 to " + std::to_string(meta_.last_page));
    }
    for (std::uint64_t page = first; page < first + count; ++page) {
      if (used_[page]) return fail(Code::kCorrupt, "page " + std::to_string(page) + " is in use twice");
      if (free_[page])
        return fail(Code::kCorrupt, "page " + std::to_string(page) + " is on the free list and in use");
      used_[page] = true;
    }
    used_count_ += count;
    if (calls_.progress) calls_.progress(used_count_, meta_.last_page);
    return {};
  }

  static Status no_table(const LeafEntry& entry) {
    return entry.is_table ? fail(Code::kCorrupt, "a table within a table") : Status();
  }

  Status note_table(const LeafEntry& entry, std::vector<std::pair<std::string, PageTree>>& tables) {
    PageTree tree{};
    if (!entry.is_table || entry.value.size() != sizeof tree)
      return fail(Code::kCorrupt, "an entry that is no table");
    std::memcpy(&tree, entry.value.data(), sizeof tree);
    if (tree.flags != 0) return fail(Code::kCorrupt, "a table whose order is not ours");
    tables.emplace_back(entry.key, tree);
    return {};
  }

  Status note_free(const LeafEntry& entry) {
    const Result<FreeList> list = free_list_of(file_, entry);
    if (!list) return tl::unexpected(list.error());
    if (list->transaction == 0 || list->transaction > meta_.transaction) {
      return fail(Code::kCorrupt, "pages freed by transaction " + std::to_string(list->transaction) +
                                      ", of " + std::to_string(meta_.transaction));
    }
    for (std::size_t i = 0; i < list->pages.size(); ++i) {
      const std::uint64_t page = list->pages[i];
      const char* const wrong = page < 2 || page > meta_.last_page   ? " does not exist"
                                : used_[page]                        ? " is on it and in use"
                                : free_[page]                        ? " is on it twice"
                                : i > 0 && page > list->pages[i - 1] ? " is on it out of order"
                                                                     : nullptr;
      if (wrong != nullptr) return fail(Code::kCorrupt, "page " + std::to_string(page) + wrong);
      free_[page] = true;
      ++free_count_;
    }
    return {};
  }

  /// Where a page could not be read, those behind it are not lost, but not found.
  void tell_lost() {
    const std::uint64_t lost = meta_.last_page - 1 - used_count_ - free_count_;
    if (lost == 0) return;
    std::uint64_t first = 2;
    while (used_[first] || free_[first]) ++first;
    tell(std::to_string(lost) + (lost == 1 ? " page is" : " pages are") +
         " neither in use nor free, the first is page " + std::to_string(first));
  }

  bool tell(const std::string& what) {
    is_whole_ = false;
    return goes_on_ = goes_on_ && calls_.problem(what);
  }

  const PageFile& file_;
  std::uint64_t file_bytes_;
  const MetaPages& metas_;
  const MetaPage& meta_;
  const AccountCalls& calls_;
  std::vector<bool> used_;
  std::vector<bool> free_;
  std::uint64_t used_count_ = 0;
  std::uint64_t free_count_ = 0;
  bool is_whole_ = true;
  bool goes_on_ = true;
};

}  // namespace

Result<PageAccount> account_for_pages(const std::string& path, const AccountCalls& calls) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe's would wait
  struct stat facts {};
  if (!fd || ::fstat(fd.get(), &facts) != 0) return fail_errno(path, errno);
  if (!S_ISREG(facts.st_mode)) return fail(Code::kCorrupt, path + ": not a regular file");
  const auto bytes = static_cast<std::uint64_t>(facts.st_size);
  const auto metas = read_meta_pages(fd.get(), bytes);
  if (!metas) return tl::unexpected(metas.error());
  const MetaPage& newest = metas->newest();
  const PageFile file = PageFile::of(fd.get(), newest, bytes);
  // A damaged number of pages is not what memory is taken by.
  if (newest.last_page + 1 - file.pages > bytes / sizeof(std::uint64_t)) {
    return fail(Code::kCorrupt, path + ": truncated: " + std::to_string(file.pages) + " pages of " +
                                    std::to_string(newest.last_page + 1) + " are there");
  }
  return Account(file, bytes, *metas, calls).draw_up();
}

}  // namespace minivault::store::base
