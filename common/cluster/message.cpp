#include "common/cluster/message.h"

#include <algorithm>
#include <string>

#include "common/cluster/wire.h"

namespace minivault::cluster {
namespace {

constexpr std::uint64_t kMostHeld = MemberSet::kMost + MemberSet::kMostForgotten;
constexpr std::uint64_t kMostConflicts = 1 << 20;
constexpr std::uint8_t kOk = static_cast<std::uint8_t>(Reply::kOk);
constexpr std::uint8_t kLastReply = static_cast<std::uint8_t>(Reply::kTooLarge);

tl::unexpected<Error> damaged(const char* message, const char* how) {
  return fail(Code::kCorrupt, std::string(message) + ": " + how);
}
constexpr const char* kCutOff = "cut off, or bytes after its end";

void put_position(std::string& out, const Position& position) {
  wire::put_fixed(out, position.epoch);
  wire::put(out, position.lsn);
  wire::put_fixed(out, position.hlc);
}

Position take_position(wire::Reader& reader) {
  Position position;
  position.epoch = reader.fixed<std::uint64_t>();
  position.lsn = reader.number();
  position.hlc = reader.fixed<std::uint64_t>();
  return position;
}

void put_version(std::string& out, const store::Version& version) {
  wire::put_fixed(out, version.hlc);
  wire::put_fixed(out, version.origin);
}

store::Version take_version(wire::Reader& reader) {
  store::Version version;
  version.hlc = reader.fixed<std::uint64_t>();
  version.origin = reader.fixed<std::uint64_t>();
  return version;
}

bool take_flag(wire::Reader& reader, bool& flag) {
  const auto byte = reader.fixed<std::uint8_t>();
  flag = byte == 1;
  return byte <= 1;
}

void put_pulse(std::string& out, const Pulse& pulse) {
  wire::put_fixed(out, pulse.clock_us);
  wire::put_fixed(out, pulse.members_digest);
  wire::put_fixed(out, pulse.floor_hlc);
  wire::put_fixed(out, static_cast<std::uint8_t>(pulse.complete));
  wire::put_fixed(out, pulse.settled.fingerprint);
  wire::put_fixed(out, pulse.settled.hlc);
  wire::put(out, pulse.held.size());
  for (const Held& held : pulse.held) {
    wire::put_fixed(out, held.origin);
    put_position(out, held.position);
  }
}

Status take_pulse(wire::Reader& reader, Pulse& pulse, const char* name) {
  pulse.clock_us = reader.fixed<std::uint64_t>();
  pulse.members_digest = reader.fixed<std::uint64_t>();
  pulse.floor_hlc = reader.fixed<std::uint64_t>();
  if (!take_flag(reader, pulse.complete)) return damaged(name, "complete is neither yes nor no");
  pulse.settled.fingerprint = reader.fixed<std::uint64_t>();
  pulse.settled.hlc = reader.fixed<std::uint64_t>();
  constexpr std::size_t kHeldBytes = 8 + 8 + 1 + 8;
  const std::uint64_t count = reader.count(kHeldBytes);
  if (count > kMostHeld) return damaged(name, "positions of too many origins");
  pulse.held.resize(count);
  for (Held& held : pulse.held) {
    held.origin = reader.fixed<std::uint64_t>();
    held.position = take_position(reader);
  }
  return {};
}

/// Reads the Reply byte. OK: the answer follows.
Status take_reply(wire::Reader& reader, Reply& refusal, const char* name) {
  const auto byte = reader.fixed<std::uint8_t>();
  if (!reader.good() || byte > kLastReply) {
    refusal = Reply::kMalformed;
    return damaged(name, "not an answer");
  }
  refusal = static_cast<Reply>(byte);
  if (byte == kOk) return {};
  return fail(Code::kUnavailable, std::string(reader.left().substr(0, kLongestAddress)));
}

Status take_members(wire::Reader& reader, MemberSet& members) {
  Result<MemberSet> decoded = MemberSet::decode(reader.text());
  if (!decoded) return tl::unexpected(decoded.error());
  members = std::move(*decoded);
  return {};
}

}  // namespace

std::string encode(const Hello& message) {
  std::string out;
  wire::put_fixed(out, message.version);
  wire::put_fixed(out, static_cast<std::uint8_t>(message.dial_back));
  wire::put_fixed(out, message.id);
  wire::put_fixed(out, message.epoch);
  wire::put_fixed(out, message.previous_epoch);
  wire::put_text(out, message.address);
  wire::put_fixed(out, message.clock_us);
  wire::put(out, message.largest_value);
  wire::put_text(out, message.members.encode());
  return out;
}

std::string encode(const HelloReply& message) {
  std::string out;
  wire::put_fixed(out, kOk);
  wire::put_fixed(out, message.id);
  wire::put_fixed(out, message.epoch);
  wire::put_fixed(out, message.previous_epoch);
  wire::put_text(out, message.address);
  wire::put_fixed(out, message.clock_us);
  wire::put(out, message.largest_value);
  put_position(out, message.position);
  wire::put_fixed(out, static_cast<std::uint8_t>(message.complete));
  wire::put_fixed(out, static_cast<std::uint8_t>(message.has_agreed));
  wire::put_text(out, message.members.encode());
  return out;
}

std::string encode(const Pulse& message) {
  std::string out;
  put_pulse(out, message);
  return out;
}

std::string encode(const PulseReply& message) {
  std::string out;
  wire::put_fixed(out, kOk);
  wire::put_fixed(out, message.id);
  wire::put_fixed(out, message.epoch);
  wire::put_fixed(out, static_cast<std::uint8_t>(message.backs));
  wire::put_fixed(out, static_cast<std::uint8_t>(message.agreed));
  wire::put_fixed(out, message.agreed_version);
  put_pulse(out, message);
  return out;
}

std::string encode(const BatchReply& message) {
  std::string out;
  wire::put_fixed(out, kOk);
  wire::put(out, message.to);
  wire::put_fixed(out, message.members_digest);
  wire::put(out, message.conflicts.size());
  for (const Conflict& conflict : message.conflicts) {
    wire::put(out, conflict.index);
    put_version(out, conflict.held);
  }
  return out;
}

std::string encode(const ReadReply& message) {
  std::string out;
  wire::put_fixed(out, kOk);
  wire::put_fixed(out, static_cast<std::uint8_t>(message.state));
  wire::put_fixed(out, static_cast<std::uint8_t>(message.complete));
  wire::put_fixed(out, message.members_digest);
  wire::put_fixed(out, message.flags);
  put_version(out, message.version);
  wire::put_text(out, message.value);
  return out;
}

std::string encode_debt_reply(bool owed) {
  std::string out;
  wire::put_fixed(out, kOk);
  wire::put_fixed(out, static_cast<std::uint8_t>(owed));
  return out;
}

std::string encode_refusal(Reply reply, std::string_view text) {
  std::string out;
  wire::put_fixed(out, static_cast<std::uint8_t>(reply));
  out.append(text);
  return out;
}

Result<Hello> decode_hello(std::string_view bytes) {
  wire::Reader reader(bytes);
  Hello message;
  message.version = reader.fixed<std::uint32_t>();
  if (reader.good() && message.version != kProtocolVersion) return message;
  if (!take_flag(reader, message.dial_back)) return damaged("hello", "dial_back is neither yes nor no");
  message.id = reader.fixed<std::uint64_t>();
  message.epoch = reader.fixed<std::uint64_t>();
  message.previous_epoch = reader.fixed<std::uint64_t>();
  message.address = reader.text();
  message.clock_us = reader.fixed<std::uint64_t>();
  message.largest_value = reader.number();
  if (!reader.good()) return damaged("hello", kCutOff);
  if (Status members = take_members(reader, message.members); !members) {
    return tl::unexpected(members.error());
  }
  if (!reader.done()) return damaged("hello", kCutOff);
  if (message.address.size() > kLongestAddress) return damaged("hello", "the address is too long");
  const bool named = message.id != 0 && message.epoch != 0;
  if (!named && !message.dial_back) return damaged("hello", "no node id or no epoch");
  return message;
}

Result<HelloReply> decode_hello_reply(std::string_view bytes, Reply& refusal) {
  wire::Reader reader(bytes);
  if (Status ok = take_reply(reader, refusal, "answer to hello"); !ok) return tl::unexpected(ok.error());
  HelloReply message;
  message.id = reader.fixed<std::uint64_t>();
  message.epoch = reader.fixed<std::uint64_t>();
  message.previous_epoch = reader.fixed<std::uint64_t>();
  message.address = reader.text();
  message.clock_us = reader.fixed<std::uint64_t>();
  message.largest_value = reader.number();
  message.position = take_position(reader);
  if (!take_flag(reader, message.complete)) {
    return damaged("answer to hello", "complete is neither yes nor no");
  }
  if (!take_flag(reader, message.has_agreed)) {
    return damaged("answer to hello", "whether it has agreed is neither yes nor no");
  }
  if (!reader.good()) return damaged("answer to hello", kCutOff);
  if (Status members = take_members(reader, message.members); !members) {
    return tl::unexpected(members.error());
  }
  if (!reader.done()) return damaged("answer to hello", kCutOff);
  if (message.address.size() > kLongestAddress) return damaged("answer to hello", "the address is too long");
  if (message.id == 0) return damaged("answer to hello", "no node id");
  return message;
}

Result<Pulse> decode_pulse(std::string_view bytes) {
  wire::Reader reader(bytes);
  Pulse message;
  if (Status taken = take_pulse(reader, message, "pulse"); !taken) return tl::unexpected(taken.error());
  if (!reader.done()) return damaged("pulse", kCutOff);
  return message;
}

Result<PulseReply> decode_pulse_reply(std::string_view bytes, Reply& refusal) {
  wire::Reader reader(bytes);
  if (Status ok = take_reply(reader, refusal, "answer to pulse"); !ok) return tl::unexpected(ok.error());
  PulseReply message;
  message.id = reader.fixed<std::uint64_t>();
  message.epoch = reader.fixed<std::uint64_t>();
  if (!take_flag(reader, message.backs) || !take_flag(reader, message.agreed)) {
    return damaged("answer to pulse", "what it says of the member set is neither yes nor no");
  }
  message.agreed_version = reader.fixed<std::uint64_t>();
  if (Status taken = take_pulse(reader, message, "answer to pulse"); !taken) {
    return tl::unexpected(taken.error());
  }
  if (!reader.done()) return damaged("answer to pulse", kCutOff);
  return message;
}

Result<bool> decode_debt_reply(std::string_view bytes, Reply& refusal) {
  wire::Reader reader(bytes);
  if (Status ok = take_reply(reader, refusal, "answer to debt"); !ok) return tl::unexpected(ok.error());
  bool owed = false;
  if (!take_flag(reader, owed) || !reader.done()) return damaged("answer to debt", "neither yes nor no");
  return owed;
}

Result<BatchReply> decode_batch_reply(std::string_view bytes, Reply& refusal) {
  wire::Reader reader(bytes);
  if (Status ok = take_reply(reader, refusal, "answer to batch"); !ok) return tl::unexpected(ok.error());
  BatchReply message;
  message.to = reader.number();
  message.members_digest = reader.fixed<std::uint64_t>();
  constexpr std::size_t kConflictBytes = 1 + 8 + 8;
  const std::uint64_t count = reader.count(kConflictBytes);
  if (count > kMostConflicts) return damaged("answer to batch", "too many conflicts");
  message.conflicts.resize(count);
  for (std::size_t i = 0; i < message.conflicts.size(); ++i) {
    Conflict& conflict = message.conflicts[i];
    conflict.index = reader.number();
    conflict.held = take_version(reader);
    if (i > 0 && conflict.index <= message.conflicts[i - 1].index) {
      return damaged("answer to batch", "conflicts out of order");
    }
  }
  if (!reader.done()) return damaged("answer to batch", kCutOff);
  return message;
}

Result<ReadReply> decode_read_reply(std::string_view bytes, Reply& refusal) {
  wire::Reader reader(bytes);
  if (Status ok = take_reply(reader, refusal, "answer to read"); !ok) return tl::unexpected(ok.error());
  ReadReply message;
  const auto state = reader.fixed<std::uint8_t>();
  if (state > static_cast<std::uint8_t>(ReadReply::State::kDeleted)) {
    return damaged("answer to read", "an unknown state");
  }
  message.state = static_cast<ReadReply::State>(state);
  if (!take_flag(reader, message.complete)) {
    return damaged("answer to read", "complete is neither yes nor no");
  }
  message.members_digest = reader.fixed<std::uint64_t>();
  message.flags = reader.fixed<std::uint8_t>();
  message.version = take_version(reader);
  message.value = reader.text();
  if (!reader.done()) return damaged("answer to read", kCutOff);
  return message;
}

bool any_ghost(std::span<const Conflict> conflicts) {
  return std::any_of(conflicts.begin(), conflicts.end(),
                     [](const Conflict& each) { return each.held.origin == 0; });
}

}  // namespace minivault::cluster
