#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/client/socket.h"
#include "common/load/codec.h"
#include "common/load/tape.h"

namespace minivault::load {

/// Where all connections of a thread receive into, one after the other. What one leaves unread it keeps
/// itself.
class Inbox {
 public:
  Inbox() : bytes_(kRoom) {}

  /// Room for at least kRoom / 2 bytes behind `front`, and for `whole` bytes in all; `front` is copied there.
  [[nodiscard]] std::span<char> room_behind(std::string_view front, std::uint64_t whole);
  [[nodiscard]] std::string_view filled(std::size_t bytes) const { return {bytes_.data(), bytes}; }

 private:
  static constexpr std::size_t kRoom = 128U << 10U;

  std::vector<char> bytes_;
};

/// One connection playing a tape: it knows what was sent, what was answered, and what of both is half done.
/// One thread. Every error means that this connection is of no more use.
class Lane {
 public:
  explicit Lane(client::Socket socket) : socket_(std::move(socket)) {}

  /// From request `first` of `tape` on, round and round, until `limit` requests were sent. REQUIRES:
  /// outstanding() == 0.
  void play(const Tape& tape, std::size_t first, std::uint64_t limit);

  [[nodiscard]] int fd() const { return socket_.fd(); }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  [[nodiscard]] std::uint64_t outstanding() const { return sent_ - answered_; }
  [[nodiscard]] std::uint64_t may_send() const { return limit_ - sent_; }
  /// What the oldest request without an answer asked.
  [[nodiscard]] Tape::Asked asked() const { return tape_->asked((first_ + answered_) % tape_->size()); }

  /// Sends the next `count` requests, fewer at the end of the tape: how many, none where bytes before the
  /// tape's end wait yet. What the kernel does not take waits for flush(). With an error, none counts as
  /// sent.
  [[nodiscard]] Result<std::uint64_t> send(std::uint64_t count);
  [[nodiscard]] Status flush();

  struct Received {
    std::size_t bytes = 0;
    bool more = false;  ///< the room was filled: there may be more to read
  };
  /// Receives once and calls take(answer) for each answer that is complete, while asked() is still its
  /// request. With `whole` each answer has its value; else those that come in pieces have none. Errors:
  /// kUnavailable, and kCorrupt for bytes that are no answer or that nobody asked for.
  template <typename Take>
  [[nodiscard]] Result<Received> receive(Codec& codec, Inbox& inbox, bool whole, Take take);

 private:
  /// Takes off what belongs to an answer whose value nobody wants; true when `input` goes on after it.
  template <typename Take>
  [[nodiscard]] bool skip(std::string_view& input, Take& take);
  template <typename Take>
  [[nodiscard]] Status take_all(std::string_view input, Codec& codec, bool whole, Take& take);

  client::Socket socket_;
  const Tape* tape_ = nullptr;
  std::size_t first_ = 0;
  std::uint64_t limit_ = 0;
  std::uint64_t sent_ = 0;  ///< requests, the last perhaps only in part
  std::uint64_t answered_ = 0;
  std::string_view unsent_;   ///< of the tape, what the kernel did not take yet
  std::string rest_;          ///< the beginning of an answer
  std::uint64_t wanted_ = 0;  ///< its whole size, as far as known
  std::uint64_t skip_ = 0;    ///< bytes still to come of an answer that is not kept
  Answer skipped_;
};

template <typename Take>
Result<Lane::Received> Lane::receive(Codec& codec, Inbox& inbox, bool whole, Take take) {
  const std::span<char> room = inbox.room_behind(rest_, whole ? wanted_ : 0);
  const auto got = socket_.read_some(room);
  if (!got) return tl::unexpected(got.error());
  if (*got == 0) return Received{};
  std::string_view input = inbox.filled(rest_.size() + *got);
  if (skip(input, take)) {
    if (const Status taken = take_all(input, codec, whole, take); !taken)
      return tl::unexpected(taken.error());
  }
  return Received{*got, *got == room.size()};
}

template <typename Take>
bool Lane::skip(std::string_view& input, Take& take) {
  if (skip_ == 0) return true;
  const std::uint64_t here = std::min<std::uint64_t>(skip_, input.size());
  input.remove_prefix(here);
  skip_ -= here;
  if (skip_ > 0) return false;
  take(skipped_);
  ++answered_;
  return true;
}

template <typename Take>
Status Lane::take_all(std::string_view input, Codec& codec, bool whole, Take& take) {
  wanted_ = 0;
  while (!input.empty()) {
    const Answer answer = codec.parse(input);
    if (answer.kind == Answer::Kind::kBad)
      return fail(Code::kCorrupt, "an answer is not one of this protocol");
    if (outstanding() == 0) return fail(Code::kCorrupt, "an answer that nobody asked for");
    const bool unknown = answer.kind == Answer::Kind::kUnknown;
    if (unknown || (whole && answer.size > input.size())) {
      wanted_ = answer.size;
      break;
    }
    if (answer.size > input.size()) {
      skip_ = answer.size - input.size();
      skipped_ = answer;
      input = {};
      break;
    }
    take(answer);
    ++answered_;
    input.remove_prefix(answer.size);
  }
  rest_.assign(input);
  return {};
}

}  // namespace minivault::load
