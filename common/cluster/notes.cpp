#include "common/cluster/notes.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "common/cluster/wire.h"

namespace minivault::cluster {
namespace {

constexpr std::size_t kIdDigits = 16;

tl::unexpected<Error> damaged(const char* note, const char* how) {
  return fail(Code::kCorrupt, std::string("note ") + note + ": " + how);
}

using Table = std::map<NodeId, std::uint64_t>;

void put_table(std::string& out, const Table& table) {
  wire::put(out, table.size());
  for (const auto& [id, value] : table) {
    wire::put_fixed(out, id);
    wire::put_fixed(out, value);
  }
}

Table take_table(wire::Reader& reader) {
  Table table;
  for (std::uint64_t left = reader.count(2 * sizeof(std::uint64_t)); left > 0; --left) {
    const auto id = reader.fixed<NodeId>();
    table[id] = reader.fixed<std::uint64_t>();
  }
  return table;
}

}  // namespace

void EpochList::begin(std::uint64_t id, Lsn at) {
  if (epochs_.size() == kKept) epochs_.erase(epochs_.begin());
  epochs_.push_back({id, at});
}

bool EpochList::knows(const Position& position, Lsn tail) const {
  const auto epoch = std::find_if(epochs_.begin(), epochs_.end(),
                                  [&](const Epoch& each) { return each.id == position.epoch; });
  if (epoch == epochs_.end()) return false;
  const Lsn end = epoch + 1 == epochs_.end() ? tail : (epoch + 1)->begin;
  return position.lsn <= end;
}

std::string EpochList::encode() const {
  std::string out;
  wire::put(out, epochs_.size());
  for (const Epoch& epoch : epochs_) {
    wire::put_fixed(out, epoch.id);
    wire::put(out, epoch.begin);
  }
  return out;
}

Result<EpochList> EpochList::decode(std::string_view bytes) {
  wire::Reader reader(bytes);
  EpochList list;
  constexpr std::size_t kEpochBytes = 8 + 1;
  const std::uint64_t count = reader.count(kEpochBytes);
  if (count > kKept) return damaged("epochs", "too many");
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto id = reader.fixed<std::uint64_t>();
    const Lsn begin = reader.number();
    if (!reader.good()) return damaged("epochs", "cut off");
    if (id == 0) return damaged("epochs", "an epoch without an id");
    if (i > 0 && begin < list.epochs_.back().begin) return damaged("epochs", "out of order");
    list.epochs_.push_back({id, begin});
  }
  if (!reader.done()) return damaged("epochs", "cut off, or bytes after its end");
  return list;
}

std::string position_note(NodeId origin) {
  return "position/" + id_text(origin);
}
std::string debt_note(NodeId peer) {
  return "debt/" + id_text(peer);
}

Result<MemberSet> decode_members(std::string_view note) {
  return note.empty() ? MemberSet{} : MemberSet::decode(note);
}

store::Write note_write(std::string_view name, std::string_view value) {
  store::Write write;
  write.operation = store::Operation::kNote;
  write.key = name;
  write.value = value;
  return write;
}

std::string encode_settled(const Settled& settled) {
  std::string out;
  wire::put_fixed(out, settled.told.fingerprint);
  wire::put_fixed(out, settled.told.hlc);
  put_table(out, settled.passed_up_to);
  return out;
}

Result<Settled> decode_settled(std::string_view bytes) {
  wire::Reader reader(bytes);
  Settled settled;
  settled.told.fingerprint = reader.fixed<std::uint64_t>();
  settled.told.hlc = reader.fixed<std::uint64_t>();
  settled.passed_up_to = take_table(reader);
  if (!reader.done()) return damaged("settled", "cut off, or bytes after its end");
  return settled;
}

std::string encode_away(const Away& away) {
  std::string out;
  put_table(out, away);
  return out;
}

Result<Away> decode_away(std::string_view bytes) {
  wire::Reader reader(bytes);
  Away away = take_table(reader);
  if (!reader.done()) return damaged("away", "cut off, or bytes after its end");
  return away;
}

std::string encode_position(const Position& position) {
  std::string out;
  wire::put_fixed(out, position.epoch);
  wire::put(out, position.lsn);
  wire::put_fixed(out, position.hlc);
  return out;
}

Result<Position> decode_position(std::string_view bytes) {
  wire::Reader reader(bytes);
  Position position;
  position.epoch = reader.fixed<std::uint64_t>();
  position.lsn = reader.number();
  position.hlc = reader.fixed<std::uint64_t>();
  if (!reader.done()) return damaged("position", "cut off, or bytes after its end");
  return position;
}

std::string id_text(NodeId id) {
  char digits[kIdDigits + 1];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(id));
  return digits;
}

std::optional<NodeId> parse_id(std::string_view text) {
  if (text.size() != kIdDigits) return std::nullopt;
  NodeId id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

}  // namespace minivault::cluster
