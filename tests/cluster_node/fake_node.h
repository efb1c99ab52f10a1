#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/cluster/message.h"
#include "common/core/unique_fd.h"
#include "tests/support/loopback_listener.h"
#include "tests/support/raw_connection.h"

namespace minivault::test {

/// A node as others see it, and no store behind it: answers what a replicator says, with words of the test's
/// own. Whatever it is sent it claims to hold. Any thread may call.
class FakeNode {
 public:
  struct Words {
    cluster::NodeId id = 0xFA4E'0000'0000'0001;
    bool refuses = false;                           ///< every hello
    cluster::Reply reason = cluster::Reply::kBusy;  ///< of that
    bool knows_another_set = false;                 ///< so it says, whatever it is told
    bool hellos_are_older = false;                  ///< than its pulses: they tell of a set with it alone
    std::uint64_t acks_beyond = 0;                  ///< the end of what it was sent
    bool conflicts_once = false;  ///< the next record is older than what it holds; then it holds answers
    store::Version holds = {};    ///< of every key: what is older is in conflict
    bool loses_answer = false;    ///< of the next batch with records, once: held, and the line breaks
    bool holds_no_clock = false;  ///< the first record of each batch is older than what no clock says
    bool holds_answers = false;   ///< of batches with records
    bool drops_ghosts = false;    ///< the first record of each batch
    bool lacks = false;           ///< something of the caller's, until they have repaired
    bool knows_no_debts = false;  ///< nor what one is
    bool complete = true;
    bool compares = false;            ///< as a node that holds nothing; else it is busy
    bool holds_comparisons = false;   ///< each at its beginning
    bool refuses_batches = false;     ///< with records, for `reason`; it takes what is empty
    bool ends_streams = false;        ///< closes what brings it a batch with records
    bool has_removed_caller = false;  ///< whom it refuses as forgotten, but for the batches of its stream
    cluster::NodeId forgets = 0;      ///< a node that its hellos say was forgotten; nothing else does
    bool knows_more = false;          ///< of the caller's stream than that one ever sent
    std::uint64_t holds_up_to = 0;    ///< HLC value: of its own stream and the caller's; 0: it tells nothing
    std::uint64_t largest_value = 64 << 20;
  };
  struct Record {
    std::string key;
    store::Version version;
    std::uint64_t vouched = 0;  ///< BatchHead::hlc of its batch
  };

  FakeNode();
  ~FakeNode();
  FakeNode(const FakeNode&) = delete;
  FakeNode& operator=(const FakeNode&) = delete;

  [[nodiscard]] std::uint16_t port() const { return listener_.port; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(listener_.port); }
  void say(const std::function<void(Words&)>& change);
  /// Says hello to the node at that port, as this one; and, where that is not 0, that all of its stream up to
  /// this HLC value is there: a batch without records.
  void call(std::uint16_t port, std::uint64_t vouched = 0);
  /// Says hello to the node at that port, and pushes a record.
  void bring(std::uint16_t port, const std::string& key, const store::Version& version,
             const std::string& value);

  [[nodiscard]] unsigned hellos() const { return hellos_; }
  [[nodiscard]] unsigned pulses() const { return pulses_; }
  [[nodiscard]] unsigned debts() const { return debts_; }      ///< that were asked after
  [[nodiscard]] unsigned repairs() const { return repairs_; }  ///< that were asked for
  /// … by whoever did not say who it is, and since when, as the hello of its stream did.
  [[nodiscard]] unsigned nameless_repairs() const { return nameless_repairs_; }
  [[nodiscard]] unsigned batches() const { return batches_; }  ///< with records
  [[nodiscard]] bool last_stream_jumped() const { return jumped_; }
  [[nodiscard]] std::vector<Record> records() const;
  /// BatchHead::hlc of the newest batch that had any since the stream began.
  [[nodiscard]] std::uint64_t vouched() const { return vouched_; }
  /// What was the newer version of the record that was in conflict.
  [[nodiscard]] store::Version conflicting() const;

 private:
  struct Caller {
    cluster::NodeId id = 0;
    cluster::Position position = {};  ///< how far its stream is held, as it was last told
    std::uint64_t epoch = 0;
    std::uint64_t previous_epoch = 0;
  };

  void run();
  void serve(int fd);
  [[nodiscard]] std::string answer(std::string_view kind, std::string_view message, bool& is_nameless);
  [[nodiscard]] std::string hello(std::string_view message, bool& is_nameless);
  [[nodiscard]] std::string pulse();
  [[nodiscard]] std::string debt();
  [[nodiscard]] std::string batch(std::string_view message);
  [[nodiscard]] std::string compare(std::string_view kind, std::string_view message);
  [[nodiscard]] std::uint64_t digest() const;
  /// Says hello to the node at that port, and then this, unless it is empty.
  void call(std::uint16_t port, std::string_view kind, const std::string& message) const;

  LoopbackListener listener_;
  std::atomic<unsigned> hellos_ = 0;
  std::atomic<unsigned> pulses_ = 0;
  std::atomic<unsigned> debts_ = 0;
  std::atomic<unsigned> batches_ = 0;
  std::atomic<unsigned> repairs_ = 0;
  std::atomic<unsigned> nameless_repairs_ = 0;
  std::atomic<bool> jumped_ = false;
  std::atomic<std::uint64_t> vouched_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  ///< guarded by mutex_, as all below
  Words words_;
  Caller caller_;
  cluster::MemberSet members_;
  std::vector<Record> records_;
  store::Version conflicting_;
  std::vector<int> sockets_;
  std::vector<std::jthread> servers_;
  std::jthread acceptor_;  ///< last: starts when all else is there
};

}  // namespace minivault::test
