#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/error.h"
#include "common/shared/layout.h"
#include "common/store/operation.h"
#include "common/store/record.h"
#include "common/store/version.h"

namespace minivault::store {

using shared::Lsn;

/// What must hold of the key's newest record for a write to happen. Checked atomically with the write.
enum class Condition : std::uint8_t {
  kNone,
  kAbsent,     ///< no value: never written, or deleted
  kPresent,    ///< a value of any version
  kVersionIs,  ///< exactly Write::expected
  /// Write::version is larger than what the key holds (replicated records). Where this node holds everything
  /// up to the stable floor, or expected.hlc, and nothing of the key, one up to that is a ghost: refused, and
  /// the result's version is that value, of origin 0.
  kNewerThanHeld
};

/// One write as a caller hands it in. `key` is 1 to 65,535 bytes.
struct Write {
  Operation operation = Operation::kSet;
  std::uint8_t flags = 0;
  std::string_view key;
  std::string_view value;
  Condition condition = Condition::kNone;
  Version expected;  ///< kVersionIs; kNewerThanHeld: see there
  /// Zero: stamp it here and now. Without an origin: the same, above that HLC value. Else another node did.
  Version version;
};

/// What became of one write of a committed batch.
struct WriteResult {
  enum class Outcome : std::uint8_t {
    kPending,  ///< not yet: Store::commit() stopped before it
    kDone,
    kRefused,  ///< its condition does not hold; nothing happened
    kFailed    ///< not acknowledged; see Store::commit()'s error. After a failed write of the log it may come
             ///< back at the next start, or not. Where commit() has none: what the base holds of the key, and
             ///< the condition asks for, is damaged; or its version says what no clock does (node_clock.h).
             ///< A note behind one that failed fails, too: it may speak of what went before
  };
  Outcome outcome = Outcome::kPending;
  /// The answer may be sent once Store::durable() >= this; 0: at once. Also for refusals: nobody is told of a
  /// record that a power cut can still take back.
  Lsn answer_after = 0;
  Lsn end = 0;      ///< end of the record in the log (kDone): what a quorum must have acknowledged
  Version version;  ///< of the record written, or of the one that was in the way
};

/// The writes of one turn, committed together. Filled by one process, reused turn after turn.
/// Keys and values of up to kInlineValue bytes are copied in; a larger value is referenced, and its bytes
/// must stay put until its result is no longer kPending or the batch is cleared.
class Batch {
 public:
  static constexpr std::size_t kInlineValue = 4096;

  void add(const Write& write);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  /// Bytes the batch will take in the log.
  [[nodiscard]] std::uint64_t log_bytes() const { return log_bytes_; }
  /// Writes before this one have their result.
  [[nodiscard]] std::size_t settled() const { return settled_; }
  [[nodiscard]] const WriteResult& result(std::size_t index) const { return entries_[index].result; }
  [[nodiscard]] Operation operation(std::size_t index) const { return entries_[index].header.operation; }
  [[nodiscard]] std::string_view key(std::size_t index) const { return key_of(entries_[index]); }
  [[nodiscard]] std::size_t value_bytes(std::size_t index) const { return entries_[index].header.value_size; }
  void clear();

 private:
  friend class LogWriter;

  /// What the base held of a key when a condition was judged. Good while `at` >= window: a later write of the
  /// key would then still be in the index (ENGINE.md rule 3).
  struct BaseJudgement {
    Lsn at = 0;  ///< tail before the lookups; 0: not judged
    bool known = false;
    bool present = false;
    Version version;
    bool by_clock = false;  ///< without a lookup: the key may be there with an older version
  };

  struct Entry {
    RecordHeader header;
    Condition condition;
    std::size_t arena_offset;   ///< of the room for the header, followed by key, inline value and padding
    const char* outside_value;  ///< a large value, or nullptr
    std::uint64_t key_hash;
    Version expected;
    BaseJudgement judgement;
    WriteResult result;
  };

  [[nodiscard]] std::string_view key_of(const Entry& entry) const {
    return std::string_view(arena_).substr(entry.arena_offset + sizeof(RecordHeader), entry.header.key_size);
  }
  [[nodiscard]] std::string_view value_of(const Entry& entry) const {
    if (entry.outside_value != nullptr) return {entry.outside_value, entry.header.value_size};
    return std::string_view(arena_).substr(entry.arena_offset + sizeof(RecordHeader) + entry.header.key_size,
                                           entry.header.value_size);
  }

  std::vector<Entry> entries_;
  std::string arena_;
  std::uint64_t log_bytes_ = 0;
  std::size_t settled_ = 0;
  std::size_t hashed_ = 0;   ///< entries before this one have their key_hash and payload_hash
  bool has_failed_ = false;  ///< one of them did: no note behind it is written
};

}  // namespace minivault::store
