#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/cluster/message.h"
#include "common/store/store.h"
#include "worker/client.h"
#include "worker/peer_calls.h"
#include "worker/read_choice.h"
#include "worker/services.h"

namespace minivault::worker {

/// What other nodes are asked for one request of a client, and what they said. The client's; answers that
/// come after it has gone find nobody.
struct PeerRead {
  /// One node's part in it, under its number in `choice`.
  struct Voice {
    std::string address;
    bool is_self = false;
    bool asked = false;   ///< an answer is on its way
    bool pushed = false;  ///< the newest record is on its way there
    bool rests = false;   ///< it did not take the newest record just now: not pushed before the next look
  };

  explicit PeerRead(Client& asking) : client(&asking) {}

  Client* client;
  bool of_quorum = false;  ///< else one complete node is enough
  std::string key;
  std::uint64_t deadline_ms = 0;
  std::uint64_t ask_again_ms = 0;
  std::vector<Voice> voices;
  ReadChoice choice;
  bool done = false;
  std::string error;
  HeardRecord answer;            ///< of a quorum, once it is done
  shared::Lsn answer_after = 0;  ///< of what was read or written here for it
};

/// Reads that this node cannot answer alone: those of a quorum (REPLICATION.md rule 8), and what a node that
/// is still being filled lacks (rule 6). Asks all peers it knows, again and again where one does not answer,
/// until there is an answer or -write-timeout has passed.
class PeerReads {
 public:
  /// The client's read is done: it goes on.
  using Resume = std::function<void(Client&)>;

  PeerReads(Services& services, PeerCalls& calls, Resume resume)
      : services_(&services), calls_(&calls), resume_(std::move(resume)) {}

  /// No peers: what this node holds is what a majority holds.
  [[nodiscard]] bool is_alone() const;

  struct Answer {
    std::string error;   ///< empty: `found` is the answer
    store::Found found;  ///< looks into the client's PeerRead
  };
  /// The newest record that a majority holds; nullptr: not yet known, the client waits and asks once more.
  /// Good until client.peer_read is reset.
  [[nodiscard]] const Answer* ask_quorum(Client& client, std::string_view key);

  enum class Fetched {
    kAsked,   ///< the client waits and asks once more
    kHere,    ///< what a complete node holds of the key is in this node's store now
    kNobody,  ///< no complete node answered in time
  };
  /// Gets what this node may lack of the key. Whoever got kHere resets client.peer_read when it is done.
  [[nodiscard]] Fetched fetch(Client& client, std::string_view key);

  /// Asks again, and gives up. To be called every turn.
  void run(std::uint64_t now_ms);
  [[nodiscard]] std::uint64_t next_look_ms() const;

 private:
  using Read = std::shared_ptr<PeerRead>;

  void start(Client& client, std::string_view key, bool of_quorum);
  void find_self(PeerRead& read);
  void hear_self(PeerRead& read, std::size_t voice);
  void find_voices(PeerRead& read) const;
  void ask(const Read& read);
  void ask(const Read& read, std::size_t voice);
  void heard(PeerRead& read, std::size_t voice, const Result<std::string_view>& message);
  void decide(const Read& read);
  void decide_quorum(const Read& read);
  void spread(const Read& read);
  void push(const Read& read, std::size_t voice);
  void pushed(const Read& read, std::size_t voice, const store::Version& version,
              const Result<std::string_view>& answer);
  enum class Adopted { kTaken, kHasNewer, kIsGhost, kNotNow };
  [[nodiscard]] Adopted adopt(PeerRead& read);
  void adopt(PeerRead& read, std::size_t self);
  void finish(PeerRead& read, std::string error);
  [[nodiscard]] std::string unanswered(const PeerRead& read) const;

  Services* services_;
  PeerCalls* calls_;
  Resume resume_;
  std::vector<std::weak_ptr<PeerRead>> reads_;
  Answer answer_;
};

}  // namespace minivault::worker
