#include "tests/store/traced_disk.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>

namespace minivault::test {

TracedDisk::TracedDisk(const Files& before) {
  std::uint32_t file = DiskRecorder::kNoFile;
  for (const auto& [name, content] : before) {
    files_[--file].synced = content;
    names_[name] = file;
  }
}

void TracedDisk::apply(std::uint64_t index, const DiskEvent& event, std::string_view bytes) {
  using Kind = DiskEvent::Kind;
  switch (event.kind) {
    case Kind::kCreate:
      files_[event.file] = {};
      pending_names_.push_back({"", std::string(bytes), event.file});
      return;
    case Kind::kAdopt:
      files_[event.file] = files_.at(names_.at(std::string(bytes)));
      names_[std::string(bytes)] = event.file;
      return;
    case Kind::kTruncate:
      files_[event.file] = {};
      return;
    case Kind::kSize:
      files_[event.file].size = std::max(files_[event.file].size, event.offset);
      return;
    case Kind::kWrite:
      files_[event.file].pending.push_back({index, event.offset, bytes});
      return;
    case Kind::kSyncEnd:
    case Kind::kSyncFail:
      return finish_sync(files_[event.file], event.offset, event.kind == Kind::kSyncFail);
    case Kind::kWriteSync: {
      File& file = files_[event.file];
      const auto is_it = [&](const Write& write) { return write.index == event.offset; };
      const auto found = std::find_if(file.pending.begin(), file.pending.end(), is_it);
      if (found == file.pending.end()) return;
      const Write write = *found;
      file.pending.erase(found);
      return reach_disk(file, write);
    }
    case Kind::kRename: {
      const std::size_t zero = bytes.find('\0');
      const std::string old_name(bytes.substr(0, zero));
      pending_names_.push_back({old_name, std::string(bytes.substr(zero + 1)), named(old_name)});
      return;
    }
    case Kind::kSyncNames:
      for (const Name& change : pending_names_) rename(names_, change);
      pending_names_.clear();
      return;
    case Kind::kSyncBegin:
    case Kind::kNote:
      return;
  }
}

void TracedDisk::finish_sync(File& file, std::uint64_t begin, bool failed) {
  const auto first_later = std::find_if(file.pending.begin(), file.pending.end(),
                                        [&](const Write& write) { return write.index > begin; });
  if (failed) {
    file.given_up.insert(file.given_up.end(), file.pending.begin(), first_later);
  } else {
    const std::vector<Write> done(file.pending.begin(), first_later);
    for (const Write& write : done) reach_disk(file, write);
    if (file.size > file.synced.size()) file.synced.resize(file.size);
  }
  std::erase_if(file.pending, [&](const Write& write) { return write.index <= begin; });
}

/// What was written before to the same bytes, and is not on disk yet, never will be.
void TracedDisk::reach_disk(File& file, const Write& write) {
  put(file.synced, write);
  cut_out(file.given_up, write);
  cut_out(file.pending, write);
}

void TracedDisk::cut_out(std::vector<Write>& older, const Write& newer) {
  const std::uint64_t end = newer.offset + newer.bytes.size();
  std::vector<Write> left;
  for (const Write& write : older) {
    const std::uint64_t write_end = write.offset + write.bytes.size();
    if (write.index >= newer.index || write_end <= newer.offset || write.offset >= end) {
      left.push_back(write);
      continue;
    }
    if (write.offset < newer.offset) {
      left.push_back({write.index, write.offset, write.bytes.substr(0, newer.offset - write.offset)});
    }
    if (write_end > end) left.push_back({write.index, end, write.bytes.substr(end - write.offset)});
  }
  older = std::move(left);
}

void TracedDisk::put(std::string& content, const Write& write) {
  const std::uint64_t end = write.offset + write.bytes.size();
  if (content.size() < end) content.resize(end);
  write.bytes.copy(content.data() + write.offset, write.bytes.size());
}

/// Each sector of an unsynced write keeps what it had after any of the writes to it.
std::string TracedDisk::survivors(const File& file, std::mt19937_64& random) {
  std::vector<Write> writes = file.given_up;
  writes.insert(writes.end(), file.pending.begin(), file.pending.end());
  const std::uint64_t sector = random() % 3 == 0 ? 512 : 4'096;
  const std::uint64_t mood = random() % 4;  // 0: nothing gets there, 1: everything, else some of it
  std::string content = file.synced;
  if (file.size > content.size() && random() % 2 == 0) content.resize(file.size);
  std::map<std::uint64_t, std::size_t> kept;  // by sector: the first so many writes
  for (std::size_t i = 0; i < writes.size(); ++i) {
    const Write& write = writes[i];
    for (std::uint64_t at = write.offset; at < write.offset + write.bytes.size();) {
      const std::uint64_t next = std::min((at / sector + 1) * sector, write.offset + write.bytes.size());
      const auto [keep, fresh] = kept.try_emplace(at / sector, mood == 1 ? writes.size() : 0);
      if (fresh && mood > 1 && random() % 2 == 0) keep->second = 1 + random() % writes.size();
      if (i < keep->second) {
        put(content, {0, at, write.bytes.substr(at - write.offset, next - at)});
      }
      at = next;
    }
  }
  return content;
}

/// Which file the running node has under that name now.
std::uint32_t TracedDisk::named(const std::string& name) const {
  const auto is_it = [&](const Name& change) { return change.name == name; };
  const auto last = std::find_if(pending_names_.rbegin(), pending_names_.rend(), is_it);
  return last != pending_names_.rend() ? last->file : names_.at(name);
}

/// A directory says which file a name is, whether or not what it was called before ever got to the disk.
void TracedDisk::rename(std::map<std::string, std::uint32_t>& names, const Name& change) {
  names[change.name] = change.file;
  if (!change.old_name.empty()) names.erase(change.old_name);
}

TracedDisk::Files TracedDisk::cut(std::mt19937_64& random) const {
  std::map<std::string, std::uint32_t> names = names_;
  for (const Name& change : pending_names_) {
    if (random() % 2 == 0) rename(names, change);
  }
  Files found;
  for (const auto& [name, file] : names) found[name] = survivors(files_.at(file), random);
  return found;
}

void TracedDisk::store(const Files& files, const std::string& directory) {
  for (const char* name : {"changes.log", "changes.log.new", "base.mdb", "base.mdb.new", "base.mdb-lock"}) {
    std::remove((directory + '/' + name).c_str());
  }
  for (const auto& [name, content] : files) {
    std::ofstream file(directory + '/' + name, std::ios::binary);
    if (!file.write(content.data(), static_cast<std::streamsize>(content.size())))
      throw std::runtime_error("cannot write " + name);
  }
}

}  // namespace minivault::test
