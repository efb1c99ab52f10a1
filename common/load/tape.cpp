#include "common/load/tape.h"

#include <algorithm>
#include <random>

namespace minivault::load {

Tape Tape::random(const Codec& codec, const Values& values, const Mix& mix, std::size_t batch) {
  KeyChoice choice(mix.distribution, mix.keys, mix.seed);
  std::mt19937_64 random(mix.seed + 1);
  std::uniform_int_distribution<unsigned> percent(0, 99);
  const std::uint64_t wanted = std::min(mix.requests, kRequests);
  Tape tape;
  do {
    for (std::size_t i = 0; i < batch; ++i) {
      tape.append(codec, values, {choice.next(), percent(random) < mix.get_percent});
    }
    if (codec.append_wait(tape.bytes_)) tape.add({.wait = true});
  } while (tape.bytes_.size() < kBytes && tape.size() < wanted);
  return tape;
}

Tape Tape::fill(const Codec& codec, const Values& values, std::uint64_t first_key, std::uint64_t last_key) {
  Tape tape;
  for (std::uint64_t key = first_key; key < last_key && tape.bytes_.size() < kBytes; ++key) {
    tape.append(codec, values, {key, false});
  }
  return tape;
}

std::string_view Tape::bytes(std::size_t first, std::size_t count) const {
  return std::string_view(bytes_).substr(begins_[first], begins_[first + count] - begins_[first]);
}

void Tape::append(const Codec& codec, const Values& values, Asked asked) {
  std::string key;
  Values::append_key(key, asked.key);
  if (asked.get) {
    codec.append_get(bytes_, key);
  } else {
    std::string value;
    values.append_value(value, asked.key);
    codec.append_set(bytes_, key, value);
  }
  add(asked);
}

void Tape::add(Asked asked) {
  begins_.push_back(bytes_.size());
  asked_.push_back(asked);
}

}  // namespace minivault::load
