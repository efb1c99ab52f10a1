#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/cluster/members.h"
#include "common/cluster/notes.h"
#include "common/core/error.h"
#include "common/store/operation.h"
#include "common/store/version.h"

/// What crosses a SYNC frame: the frame's key is the kind's name, its value the message. Pure codecs; every
/// decode checks every bound to the last byte and takes nothing more. Little-endian; counts and lengths are
/// LEB128. Decoded string_views look into the bytes that were decoded.
namespace minivault::cluster {

/// Grows with every change of what a message looks like or means: nodes that do not speak the same refuse
/// each other at the hello. tests/cluster/message_test notices a change.
inline constexpr std::uint32_t kProtocolVersion = 6;

inline constexpr std::string_view kHello = "hello";
inline constexpr std::string_view kBatch = "batch";
inline constexpr std::string_view kPulse = "pulse";
inline constexpr std::string_view kRead = "read";
inline constexpr std::string_view kPush = "push";
inline constexpr std::string_view kCompare = "compare";
/// Bare: whether the answerer lacks something of the caller's stream until the two have repaired. For people;
/// whoever does not know this kind refuses it, and goes on.
inline constexpr std::string_view kDebt = "debt";
// From people (`minivault repair`, `minivault cluster forget`); the answer says that it will be done.
inline constexpr std::string_view kRepair = "repair";
inline constexpr std::string_view kForget = "forget";  ///< id_text() of whom

/// First byte of every answer. Anything but kOk is followed by a text for people, and nothing of the request
/// took effect.
enum class Reply : std::uint8_t {
  kOk = 0,
  kMalformed = 1,
  kSayHelloFirst = 2,
  kForgotten = 3,    ///< the caller was removed from the cluster
  kIdTaken = 4,      ///< another live node has the caller's id
  kGap = 5,          ///< the batch begins beyond what is held: say hello again
  kCannotWrite = 6,  ///< full or failed; try again later
  kBusy = 7,
  kOtherVersion = 8,  ///< of the protocol
  kItself = 9,        ///< the caller called itself
  kTooLarge = 10,     ///< of what was sent something is larger than the answerer can keep; ask rarely
};

struct Hello {
  std::uint32_t version = kProtocolVersion;
  bool dial_back = false;  ///< only asks who answers there: changes nothing, introduces nobody
  NodeId id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t previous_epoch = 0;  ///< of the start before this one, as the directory has it; 0: none
  std::string address;               ///< -public-url
  std::uint64_t clock_us = 0;
  std::uint64_t largest_value = 0;
  MemberSet members;
};

/// How far the answerer holds somebody's stream.
struct Held {
  NodeId origin = 0;
  Position position;
};

struct HelloReply {
  NodeId id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t previous_epoch = 0;
  std::string address;
  std::uint64_t clock_us = 0;
  std::uint64_t largest_value = 0;
  Position position;  ///< in the caller's stream; epoch 0: none
  bool complete = false;
  bool has_agreed = false;  ///< with others, on a member set that has this id; false: it is new
  MemberSet members;
};

struct Pulse {
  std::uint64_t clock_us = 0;
  std::uint64_t members_digest = 0;
  std::uint64_t floor_hlc = 0;  ///< the stable floor as the sender knows it
  bool complete = false;
  SettledWord settled;
  std::vector<Held> held;  ///< per origin; the sender's own stream too: its tail
};
struct PulseReply : Pulse {
  NodeId id = 0;
  std::uint64_t epoch = 0;
  bool backs = false;   ///< of the member set named: a majority of the sender's own list has recorded it
  bool agreed = false;  ///< of the member set named: it is agreed on
  std::uint64_t agreed_version = 0;  ///< of the set that was agreed on last; 0: none was
};

/// A record as it travels. Own keys and values of clients only; notes stay at home.
struct Record {
  store::Operation operation = store::Operation::kSet;
  std::uint8_t flags = 0;
  store::Version version;
  std::string_view key;
  std::string_view value;
};

/// The sender's log from `from` to `to`, whole: records that are not its own, and notes, are left out. Every
/// later record of its own has an HLC value above `hlc`; a value below one told before says nothing, and 0 is
/// that of a sender that may have forgotten some.
///
/// The first batch of a connection is empty and only says where the stream begins (from == to).
struct BatchHead {
  std::uint64_t epoch = 0;
  bool jump = false;  ///< what the receiver lacks below `from` will not be sent: a repair is due
  Lsn from = 0;
  Lsn to = 0;
  std::uint64_t hlc = 0;
};

/// One record that was older than what the answerer holds: the how-many-th of the batch, and by what.
struct Conflict {
  std::uint64_t index = 0;
  store::Version held;  ///< without an origin: the record was dropped as a ghost
};
/// One of them tells of a record that was dropped as deleted long ago (REPLICATION.md rule 5).
[[nodiscard]] bool any_ghost(std::span<const Conflict> conflicts);

struct BatchReply {
  Lsn to = 0;  ///< durable here up to this
  std::uint64_t members_digest = 0;
  std::vector<Conflict> conflicts;
};

struct ReadReply {
  enum class State : std::uint8_t { kAbsent = 0, kPresent = 1, kDeleted = 2 };
  State state = State::kAbsent;
  bool complete = false;  ///< false: its absence means nothing
  std::uint64_t members_digest = 0;
  std::uint8_t flags = 0;
  store::Version version;
  std::string_view value;
};

[[nodiscard]] std::string encode(const Hello& message);
[[nodiscard]] std::string encode(const HelloReply& message);  ///< with its Reply byte, as all replies
[[nodiscard]] std::string encode(const Pulse& message);
[[nodiscard]] std::string encode(const PulseReply& message);
[[nodiscard]] std::string encode(const BatchReply& message);
[[nodiscard]] std::string encode(const ReadReply& message);
[[nodiscard]] std::string encode_debt_reply(bool owed);
[[nodiscard]] std::string encode_refusal(Reply reply, std::string_view text);

/// A hello of another protocol version has nothing but `version`.
[[nodiscard]] Result<Hello> decode_hello(std::string_view bytes);
[[nodiscard]] Result<Pulse> decode_pulse(std::string_view bytes);

/// The replies: an error is kCorrupt, or the refusal as kUnavailable with its text; `refusal` then says
/// which.
[[nodiscard]] Result<HelloReply> decode_hello_reply(std::string_view bytes, Reply& refusal);
[[nodiscard]] Result<PulseReply> decode_pulse_reply(std::string_view bytes, Reply& refusal);
[[nodiscard]] Result<BatchReply> decode_batch_reply(std::string_view bytes, Reply& refusal);
[[nodiscard]] Result<ReadReply> decode_read_reply(std::string_view bytes, Reply& refusal);
[[nodiscard]] Result<bool> decode_debt_reply(std::string_view bytes, Reply& refusal);

/// Writes a batch, or the records of a push, record by record. Versions are kept as differences to the record
/// before, so a record of 100 bytes costs about 6 more.
class BatchWriter {
 public:
  /// A batch of the stream of `origin`; 0: a push.
  explicit BatchWriter(NodeId origin) : previous_{0, origin} {}
  void add(const Record& record);
  [[nodiscard]] std::size_t records() const { return records_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }
  /// The whole message.
  [[nodiscard]] std::string finish(const BatchHead& head) const;
  /// The same in two pieces, for whoever puts them where they are sent from.
  [[nodiscard]] std::string head(const BatchHead& head) const;
  [[nodiscard]] std::string_view body() const { return bytes_; }
  [[nodiscard]] std::string finish_push() const;
  void clear(NodeId origin);

 private:
  store::Version previous_;
  std::size_t records_ = 0;
  std::string bytes_;
};

/// A message has one record of any size, or several that have no more bytes than this together, and are no
/// more than a page of the smallest: what each node that ever spoke this version keeps to. The largest are
/// those of a repair: a page of range.h, or one delete for each item of such a page.
inline constexpr std::size_t kMostBytesOfMany = 4 << 20;
inline constexpr std::size_t kLeastRecordBytes = 3;  // head, key size, key
inline constexpr std::size_t kMostRecords = (1 << 20) / kLeastRecordBytes + 1;

/// Of a batch or push of so many bytes.
[[nodiscard]] constexpr std::uint64_t most_records(std::uint64_t bytes) {
  if (bytes > kMostBytesOfMany) return 1;
  const std::uint64_t fit = bytes / kLeastRecordBytes;
  return fit < kMostRecords ? fit : kMostRecords;
}

struct DecodedBatch {
  BatchHead head;
  std::vector<Record> records;
};

/// The records of a batch by `origin`: every one must be a set or delete of a key of 1 to 65,535 bytes with a
/// version of that origin, not more of them than most_records(), no HLC value above head.hlc unless that is
/// 0, flags known, no value with a delete. The values need not rise: what an
/// origin had forgotten comes back to its log by repair, and goes out again from there. Error: kCorrupt.
/// `memory`: of a batch that is done with, for the records of this one.
[[nodiscard]] Result<DecodedBatch> decode_batch(std::string_view bytes, NodeId origin,
                                                std::vector<Record> memory = {});
/// Records of any origin, in any order; each as above but for that.
[[nodiscard]] Result<std::vector<Record>> decode_push(std::string_view bytes);

}  // namespace minivault::cluster
