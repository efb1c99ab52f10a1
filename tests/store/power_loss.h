#pragma once

#include <cppunit/TestAssert.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/store/recovery.h"
#include "tests/store/engine.h"
#include "tests/store/faulty_disk.h"
#include "tests/store/shared_object.h"
#include "tests/support/wait.h"

/// What power_loss_test writes, what it owes for that, and what a start must find of it.
namespace minivault::test::power_loss {

inline constexpr unsigned kWriters = 3;
inline constexpr unsigned kKeysEach = 8;
inline constexpr unsigned kKeys = kWriters * kKeysEach;
inline constexpr std::uint64_t kRingBytes = 256 << 10;
inline constexpr milliseconds kInterval{40};
inline constexpr milliseconds kSlack{120};  // between a promise and its note on a busy machine

inline std::string key_of(unsigned n) {
  return "key " + std::to_string(n);
}

/// What the processes write into the recording. The numbers of a key grow; each key has one writer.
struct Note {
  enum class Kind : std::uint32_t {
    kAttempt,       ///< `number` of `key` is about to be written
    kWritten,       ///< … was, and lies below `end`
    kAcknowledged,  ///< … was told to be safe, or seen by a read that was answered
  };
  Kind kind;
  std::uint32_t key;
  std::uint64_t number;
  store::Lsn end;
  std::uint64_t hlc;
};

inline void take_note(DiskRecorder& recorder, const Note& note) {
  recorder.note({reinterpret_cast<const char*>(&note), sizeof note});
}

struct Ledger {
  std::array<std::atomic<std::uint64_t>, kKeys> numbers;  ///< last attempted
};

/// Deletes carry a number too; which numbers are deletes follows from the number.
inline bool is_delete(std::uint64_t number) {
  return number % 7 == 3;
}

inline void await_durable(store::Store& store, store::Lsn end, milliseconds patience = kPatience) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (store.durable() < end && store.failure() == shared::Failure::kNone &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
  }
}

inline void read_one(store::Store& store, DiskRecorder& recorder, std::mt19937_64& random) {
  const unsigned n = random() % kKeys;
  Note seen{Note::Kind::kAcknowledged, n, 0, 0, 0};
  in_turn(store, [&] {
    const store::Found found = store.get(key_of(n)).value();
    seen.end = found.answer_after;
    if (found.present) seen.number = number_of(found.value);
  });
  await_durable(store, seen.end);
  if (seen.number != 0 && store.durable() >= seen.end) take_note(recorder, seen);
}

struct Order {
  unsigned key;
  std::size_t bytes;
};

/// Commits the orders as one batch and notes what becomes of it. False: there was no room for `patience`.
inline bool write_all(store::Store& store, DiskRecorder& recorder, Ledger& ledger,
                      const std::vector<Order>& orders, milliseconds patience = kPatience) {
  store::Batch batch;
  std::vector<Note> notes;
  std::vector<std::string> kept;
  kept.reserve(2 * orders.size());
  for (const Order& order : orders) {
    const std::uint64_t number = ledger.numbers[order.key].fetch_add(1) + 1;
    store::Write write;
    write.key = kept.emplace_back(key_of(order.key));
    write.operation = is_delete(number) ? store::Operation::kDelete : store::Operation::kSet;
    if (!is_delete(number)) write.value = kept.emplace_back(stamped(number, order.bytes));
    batch.add(write);
    notes.push_back({Note::Kind::kAttempt, order.key, number, 0, 0});
    take_note(recorder, notes.back());
  }
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!in_turn(store, [&] { return store.commit(batch); })) {
    if (store.failure() != shared::Failure::kNone || std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  for (std::size_t i = 0; i < notes.size(); ++i) {
    notes[i].kind = Note::Kind::kWritten;
    notes[i].end = batch.result(i).end;
    notes[i].hlc = batch.result(i).version.hlc;
    take_note(recorder, notes[i]);
  }
  const store::Lsn wanted = batch.result(notes.size() - 1).answer_after;
  await_durable(store, wanted, patience);
  for (Note& note : notes) {
    note.kind = Note::Kind::kAcknowledged;
    if (store.durable() >= wanted) take_note(recorder, note);
  }
  return true;
}

inline std::vector<Order> some_orders(unsigned writer, std::mt19937_64& random) {
  std::vector<Order> orders(1 + random() % 6);
  for (Order& order : orders) {
    order.key = writer * kKeysEach + random() % kKeysEach;
    order.bytes = random() % 16 == 0 ? random() % 12'000 : random() % 600;
  }
  return orders;
}

enum class Mode { kAlways, kInterval, kNone };

using Numbers = std::array<std::uint64_t, kKeys>;  ///< of each key's value, 0 where there is none

/// What a node's files held when it was started, and where its log ended.
struct Recovered {
  Numbers numbers{};
  store::Lsn log_end = 0;
};

/// What is owed to the clients of the node at the moment of a cut.
class Debt {
 public:
  void apply(const DiskEvent& event, std::string_view bytes) {
    Note note{};
    std::memcpy(&note, bytes.data(), sizeof note);
    Key& key = keys_[note.key];
    if (note.kind == Note::Kind::kAttempt) return key.writes.push_back({note.number, 0, 0});
    if (note.kind == Note::Kind::kAcknowledged) key.acknowledged = std::max(key.acknowledged, note.number);
    for (Write& write : key.writes) {
      if (write.number != note.number) continue;
      if (note.kind == Note::Kind::kWritten) write.end = note.end;
      if (note.kind == Note::Kind::kAcknowledged && write.told_ns == 0) write.told_ns = event.time_ns;
    }
    highest_end_ = std::max(highest_end_, note.end);
    highest_hlc_ = std::max(highest_hlc_, note.hlc);
  }

  void check(const Recovered& found, Mode mode) const {
    for (unsigned n = 0; n < kKeys; ++n) check_key(n, found.numbers[n], found.log_end, mode);
    if (mode == Mode::kInterval) check_span(found.log_end);
  }

  [[nodiscard]] store::Lsn highest_end() const { return highest_end_; }
  [[nodiscard]] std::uint64_t highest_hlc() const { return highest_hlc_; }

 private:
  struct Write {
    std::uint64_t number;
    store::Lsn end;         ///< 0: nobody knows whether it was written
    std::uint64_t told_ns;  ///< when it was acknowledged; 0: not
  };
  struct Key {
    std::vector<Write> writes;
    std::uint64_t acknowledged = 0;
  };

  /// The newest write below the log's end, or one of those after it that may or may not have been written.
  void check_key(unsigned n, std::uint64_t found, store::Lsn log_end, Mode mode) const {
    const std::uint64_t owed = mode == Mode::kAlways ? keys_[n].acknowledged : 0;
    std::string wanted;
    const auto fits = [&](std::uint64_t number) {
      wanted += ' ' + std::to_string(number) + (is_delete(number) ? " (absent)" : "");
      return number >= owed && found == (is_delete(number) ? 0 : number);
    };
    for (std::size_t i = keys_[n].writes.size(); i > 0; --i) {
      const Write& write = keys_[n].writes[i - 1];
      if (write.end > log_end) continue;
      if (fits(write.number)) return;
      if (write.end != 0) return complain(n, found, owed, wanted);
    }
    if (!fits(0)) complain(n, found, owed, wanted);
  }

  static void complain(unsigned n, std::uint64_t found, std::uint64_t owed, const std::string& wanted) {
    CPPUNIT_FAIL(key_of(n) + " holds number " + std::to_string(found) + ", acknowledged was " +
                 std::to_string(owed) + ", possible is" + wanted);
  }

  /// What was acknowledged and is lost was acknowledged within one interval.
  void check_span(store::Lsn log_end) const {
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;
    for (const Key& key : keys_) {
      for (const Write& write : key.writes) {
        if (write.told_ns == 0 || write.end <= log_end) continue;
        first_ns = first_ns == 0 ? write.told_ns : std::min(first_ns, write.told_ns);
        last_ns = std::max(last_ns, write.told_ns);
      }
    }
    const milliseconds lost((last_ns - first_ns) / 1'000'000);
    CPPUNIT_ASSERT_MESSAGE(std::to_string(lost.count()) + " ms of acknowledged writes are lost",
                           lost <= kInterval + kSlack);
  }

  std::array<Key, kKeys> keys_;
  store::Lsn highest_end_ = 0;
  std::uint64_t highest_hlc_ = 0;
};

inline store::Lsn end_of_log(const Config& config) {
  const auto base = store::Base::open_writer(config.data_directory);
  CPPUNIT_ASSERT_MESSAGE(base ? "" : base.error().message, base.has_value());
  const auto scene = store::survey(*base, config, store::Ring::Access::kRead);
  CPPUNIT_ASSERT_MESSAGE(scene ? "" : scene.error().message, scene.has_value());
  return scene->log.end;
}

/// Recovers `directory` as a start does; what it holds then.
inline Recovered recovered(const Config& config, const Debt& debt) {
  Recovered found;
  found.log_end = end_of_log(config);
  auto region = shared::Region::create(config.log_bytes / 64);
  CPPUNIT_ASSERT(region.has_value());
  const shared::State& state = region->state();
  const auto store = store::recover(region->state(), region->index_words(), config);
  CPPUNIT_ASSERT_MESSAGE(store ? "" : store.error().message, store.has_value());
  CPPUNIT_ASSERT_MESSAGE("an LSN is handed out again", state.marks.tail.load() >= debt.highest_end());
  CPPUNIT_ASSERT_MESSAGE("a version is handed out again", state.append.last_hlc.load() >= debt.highest_hlc());
  std::uint64_t keys = 0;
  const auto snapshot = store->base.snapshot();
  CPPUNIT_ASSERT(snapshot.has_value());
  const Status scanned = snapshot->scan("", [&](std::string_view key, const store::BaseRecord& record) {
    if (record.operation == store::Operation::kDelete) return true;
    found.numbers.at(std::stoul(std::string(key.substr(4)))) = number_of(record.value);
    return ++keys > 0;
  });
  CPPUNIT_ASSERT_MESSAGE(scanned ? "" : scanned.error().message, scanned.has_value());
  CPPUNIT_ASSERT_EQUAL(keys, snapshot->meta().value().keys);
  return found;
}

/// A key whose place in order says nothing of `number`.
inline std::string scattered(std::uint64_t number) {
  return std::to_string(number * 0x9E3779B97F4A7C15ULL) + '/' + std::to_string(number);
}

/// Keys that scattered() made in order: where one is, all before it are.
inline void assert_no_holes(const std::string& directory) {
  Config config;
  config.data_directory = directory;
  config.log_bytes = 32 * kRingBytes;
  auto region = shared::Region::create(config.log_bytes / 64);
  const auto store = store::recover(region->state(), region->index_words(), config);
  CPPUNIT_ASSERT_MESSAGE(store ? "" : store.error().message, store.has_value());
  std::uint64_t keys = 0;
  std::uint64_t beyond_last = 0;
  const Status scanned =
      store->base.snapshot()->scan("", [&](std::string_view key, const store::BaseRecord&) {
        beyond_last =
            std::max<std::uint64_t>(beyond_last, 1 + std::stoull(std::string(key.substr(key.find('/') + 1))));
        return ++keys > 0;
      });
  CPPUNIT_ASSERT_MESSAGE(scanned ? "" : scanned.error().message, scanned.has_value());
  CPPUNIT_ASSERT_EQUAL(beyond_last, keys);
}

}  // namespace minivault::test::power_loss
