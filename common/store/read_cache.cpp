#include "common/store/read_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/core/log.h"

namespace minivault::store {
namespace {

constexpr std::uint64_t kAlignment = 8;
constexpr std::uint64_t kBytesPerBucket = 512;  // of the whole: an eighth of it is table
constexpr std::size_t kMostOffers = 4'096;      // a turn
constexpr unsigned kMostKept = 32;              // entries in a row that the hand lets live

constexpr std::uint64_t kPage = 4'096;

constexpr unsigned kTagShift = 48;
constexpr unsigned kUsesShift = 46;
constexpr std::uint64_t kOneUse = std::uint64_t{1} << kUsesShift;
constexpr std::uint64_t kAllUses = 3 * kOneUse;
constexpr std::uint64_t kPlaceMask = kOneUse - 1;

constexpr std::uint8_t kKnown = 0x80;  // no flag of a record's: those are stored, this never is
static_assert((kFlagJson & kKnown) == 0);

std::uint64_t place_of(std::uint64_t word) {
  return ((word & kPlaceMask) - 1) * kAlignment;
}
std::uint64_t word_for(std::uint64_t hash, std::uint64_t place) {
  return (hash >> kTagShift) << kTagShift | (place / kAlignment + 1);
}
void count_use(std::uint64_t& word) {
  if ((word & kAllUses) != kAllUses) word += kOneUse;
}

bool holds_tag(std::uint64_t four_tags, std::uint64_t tag) {
  for (; four_tags != 0; four_tags >>= 16U) {
    if ((four_tags & 0xFFFFU) == tag) return true;
  }
  return false;
}

template <typename Entry>
constexpr std::uint64_t bytes_of(std::uint64_t key_size, std::uint64_t value_size) {
  return (sizeof(Entry) + key_size + value_size + kAlignment - 1) & ~(kAlignment - 1);
}

}  // namespace

ReadCache::ReadCache(std::uint64_t bytes) {
  if (bytes < kLeastBytes) return;
  const std::uint64_t buckets = std::bit_floor(bytes / kBytesPerBucket);
  void* address =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) {
    log_line(LogLevel::kWarning, "no address space for the read cache: going on without", {{"bytes", bytes}});
    return;
  }
  memory_ = Mapping(address, bytes);
  ::madvise(address, bytes, MADV_HUGEPAGE);
  ::madvise(address, bytes, MADV_DONTDUMP);
  ::madvise(address, bytes, MADV_DONTFORK);  // a fork for a backup would copy its page tables
  buckets_ = static_cast<Bucket*>(address);
  bucket_mask_ = buckets - 1;
  const std::uint64_t table_bytes = buckets * sizeof(Bucket);
  entries_ = static_cast<char*>(address) + table_bytes;
  room_ = (bytes - table_bytes) / kAlignment * kAlignment;
  touched_.resize((table_bytes + kPage - 1) / kPage);
}

ReadCache::Entry ReadCache::entry_at(std::uint64_t place) const {
  Entry entry;
  std::memcpy(&entry, entries_ + place, sizeof entry);
  return entry;
}

std::string_view ReadCache::key_at(std::uint64_t place, const Entry& entry) const {
  return {entries_ + place + sizeof(Entry), entry.key_size};
}

std::optional<BaseRecord> ReadCache::record_at(std::uint64_t place, const Entry& entry) const {
  if ((entry.flags_and_known & kKnown) == 0) return std::nullopt;
  const char* value = entries_ + place + sizeof(Entry) + entry.key_size;
  return BaseRecord{entry.operation, static_cast<std::uint8_t>(entry.flags_and_known & ~kKnown),
                    entry.version, std::string_view(value, entry.value_size)};
}

std::uint64_t* ReadCache::word_of(std::string_view key, std::uint64_t hash) const {
  for (std::uint64_t& word : bucket_of(hash).words) {
    if (word >> kTagShift != hash >> kTagShift || word == 0) continue;
    const std::uint64_t place = place_of(word);
    if (key_at(place, entry_at(place)) == key) return &word;
  }
  return nullptr;
}

void ReadCache::prefetch_entry(std::uint64_t hash) const {
  if (!enabled()) return;
  for (const std::uint64_t word : bucket_of(hash).words) {
    if (word >> kTagShift != hash >> kTagShift || word == 0) continue;
    const char* entry = entries_ + place_of(word);
    for (unsigned line = 0; line < 3; ++line) __builtin_prefetch(entry + line * shared::kCacheLine);
    return;
  }
}

bool ReadCache::find(std::string_view key, std::uint64_t hash, Lsn window, std::optional<BaseRecord>& found) {
  if (!enabled()) return false;
  std::uint64_t* word = word_of(key, hash);
  if (word != nullptr) {
    const std::uint64_t place = place_of(*word);
    const Entry entry = entry_at(place);
    if (entry.filled_at >= window) {
      count_use(*word);
      ++hits_;
      found = record_at(place, entry);
      return true;
    }
  }
  ++misses_;
  return false;
}

void ReadCache::offer(std::string_view key, std::uint64_t hash, Lsn tail,
                      const std::optional<BaseRecord>& record) {
  if (!enabled() || (record && (record->flags & kKnown) != 0)) return;
  if (bytes_of<Entry>(key.size(), record ? record->value.size() : 0) > kLargestEntry) return;
  if (std::uint64_t* word = word_of(key, hash); word != nullptr) {
    count_use(*word);
    if (refresh(*word, tail, record)) return;
  } else if (full_) {
    Bucket& bucket = bucket_of(hash);
    if (!holds_tag(bucket.seen, hash >> kTagShift)) {
      bucket.seen = bucket.seen << 16U | hash >> kTagShift;
      note_touched(bucket);
      return;
    }
  }
  if (offers_.size() == kMostOffers) return;
  offers_.push_back({hash, tail, offered_keys_.size(), key.size(), record});
  offered_keys_ += key;
}

bool ReadCache::refresh(std::uint64_t word, Lsn tail, const std::optional<BaseRecord>& record) {
  Entry entry = entry_at(place_of(word));
  // Not the version alone: a repair may have put another value under it.
  if (record_at(place_of(word), entry) != record) return false;
  entry.filled_at = std::max(entry.filled_at, tail);
  std::memcpy(entries_ + place_of(word), &entry, sizeof entry);
  return true;
}

void ReadCache::take_in() {
  for (const Offer& offer : offers_) {
    insert(offer, std::string_view(offered_keys_).substr(offer.key_at, offer.key_size));
  }
  offers_.clear();
  offered_keys_.clear();
}

void ReadCache::insert(const Offer& offer, std::string_view key) {
  if (std::uint64_t* held = word_of(key, offer.hash); held != nullptr) {
    if (refresh(*held, offer.tail, offer.record)) return;
    *held = 0;
    --items_;
  }
  const BaseRecord record = offer.record.value_or(BaseRecord{});
  const std::uint64_t bytes = bytes_of<Entry>(key.size(), record.value.size());
  make_room(bytes);
  const Entry entry{offer.tail,
                    offer.hash,
                    record.version,
                    static_cast<std::uint32_t>(record.value.size()),
                    static_cast<std::uint16_t>(key.size()),
                    record.operation,
                    static_cast<std::uint8_t>(record.flags | (offer.record ? kKnown : 0U))};
  char* to = entries_ + head_;
  std::memcpy(to, &entry, sizeof entry);
  std::memcpy(to + sizeof entry, key.data(), key.size());
  if (!record.value.empty()) {
    std::memcpy(to + sizeof entry + key.size(), record.value.data(), record.value.size());
  }
  // An empty word, else the one that was used least. The hand finds the entry that lost its word, later.
  std::uint64_t* words = bucket_of(offer.hash).words;
  std::uint64_t* word = std::min_element(words, words + kWords, [](std::uint64_t a, std::uint64_t b) {
    return (a == 0 ? 0 : (a & kAllUses) + kOneUse) < (b == 0 ? 0 : (b & kAllUses) + kOneUse);
  });
  if (*word == 0) ++items_;
  *word = word_for(offer.hash, head_);
  note_touched(bucket_of(offer.hash));
  head_ += bytes;
  highest_ = std::max(highest_, head_);
}

/// Until `bytes` are free at head_.
void ReadCache::make_room(std::uint64_t bytes) {
  unsigned kept = 0;
  while (true) {
    if (!around_) {
      if (head_ + bytes <= room_) return;
      lap_end_ = head_;
      head_ = 0;
      around_ = true;
      full_ = true;
    }
    if (head_ + bytes <= hand_) return;
    if (hand_ == lap_end_) {
      hand_ = 0;
      around_ = false;
      continue;
    }
    move_hand(++kept <= kMostKept);
  }
}

/// Past the oldest entry, which is dropped, or goes to head_ if somebody used it.
void ReadCache::move_hand(bool may_keep) {
  const Entry entry = entry_at(hand_);
  const std::uint64_t bytes = bytes_of<Entry>(entry.key_size, entry.value_size);
  std::uint64_t* words = bucket_of(entry.hash).words;
  const std::uint64_t here = hand_ / kAlignment + 1;
  std::uint64_t* word =
      std::find_if(words, words + kWords, [&](std::uint64_t w) { return (w & kPlaceMask) == here; });
  hand_ += bytes;
  if (word == words + kWords) return;
  if (!may_keep || (*word & kAllUses) == 0) {
    *word = 0;
    --items_;
    return;
  }
  // head_ is at or below where the entry lay: it fits, and nothing else is overwritten.
  std::memmove(entries_ + head_, entries_ + hand_ - bytes, bytes);
  const std::uint64_t uses = (*word & kAllUses) - kOneUse;
  *word = word_for(entry.hash, head_) | uses;
  head_ += bytes;
}

/// A page that was only read is the kernel's page of zeros.
void ReadCache::note_touched(const Bucket& bucket) {
  const std::size_t page = static_cast<std::size_t>(&bucket - buckets_) * sizeof(Bucket) / kPage;
  if (touched_[page]) return;
  touched_[page] = true;
  ++touched_pages_;
}

ReadCache::Counts ReadCache::counts() const {
  return {hits_, misses_, items_, touched_pages_ * kPage + highest_};
}

}  // namespace minivault::store
