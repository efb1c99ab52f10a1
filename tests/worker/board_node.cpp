#include "tests/worker/board_node.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <stdexcept>

#include "common/core/clock.h"
#include "common/process/roles.h"
#include "common/store/node_clock.h"
#include "tests/support/bytes.h"
#include "tests/support/frames.h"
#include "tests/support/processes.h"
#include "tests/support/wait.h"

namespace minivault::test {
namespace {

void end(pid_t pid) {
  if (pid == 0) return;
  ::kill(pid, SIGKILL);
  ::kill(pid, SIGCONT);
  ::waitpid(pid, nullptr, 0);
}

template <typename Reply>
Reply decoded(Result<Reply> reply) {
  if (!reply) throw std::runtime_error("answer: " + reply.error().message);
  return std::move(*reply);
}

}  // namespace

BoardNode::BoardNode(Config config) : config_(std::move(config)) {
  config_.data_directory = directory_.path();
  std::ofstream(directory_.file("minivault.lock"));  // who compares takes turns by it
  config_.log_bytes = 16 << 20;
  listener_ = listen_on_loopback(SOCK_NONBLOCK);
  config_.public_url = address();
  auto region = shared::Region::create(config_.log_bytes / 64);
  if (!region) throw std::runtime_error(region.error().message);
  region_.emplace(std::move(*region));
  board().needed.store(0);
  board().epoch.store(1);
  board().complete.store(1);
  checkpointer_ = fork_child(kCheckpointerSlot, shared::Role::kCheckpointer);
  await_ready(kCheckpointerSlot);
  // As a replicator does, and a sync after it.
  shared::AppendLock& append = state().append;
  append.clock_offset.store(store::hlc_of_us(wall_minus_boot_us()));
  append.hlc_ceiling.store(store::next_hlc_ceiling(store::node_clock(append), append.last_hlc.load()));
  worker_ = fork_child(kWorkerSlot, shared::Role::kWorker);
  await_ready(kWorkerSlot);
  know(FakePeer::kId);
}

BoardNode::~BoardNode() {
  end(worker_);
  end(checkpointer_);
}

pid_t BoardNode::fork_child(unsigned slot, shared::Role role) {
  shared::ChildSlot& mine = region_->slot(slot);
  mine.role.store(role);
  mine.state.store(shared::ChildState::kStarting);
  state().slots_used.store(slot + 1);
  const pid_t pid = ::fork();
  if (pid != 0) {
    mine.pid.store(pid);
    return pid;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const ChildContext context{config_, *region_, slot, listener_.fd.get(), -1};
  ::_exit(role == shared::Role::kWorker ? run_worker(context) : run_checkpointer(context));
}

void BoardNode::await_ready(unsigned slot) {
  eventually("the child is ready",
             [&] { return region_->slot(slot).state.load() == shared::ChildState::kReady; });
}

void BoardNode::set_quorum(shared::Lsn lsn) const {
  board().quorum.store(lsn);
  ring_worker();
}

void BoardNode::set_needed(std::uint32_t peers) const {
  board().needed.store(peers);
  ring_worker();
}

void BoardNode::set_peer(unsigned place, const BoardNode& other) const {
  set_peer(place, other.id(), other.address());
}

void BoardNode::set_peer(unsigned place, std::uint64_t id, const std::string& address) const {
  shared::PeerPlace& peer = board().peers[place];
  peer.texts.fetch_add(1);
  peer.address[address.copy(peer.address, sizeof peer.address - 1)] = '\0';
  peer.texts.fetch_add(1);
  peer.node_id.store(id);
  peer.state.store(shared::PeerState::kStreaming);
}

std::string BoardNode::in_store(const std::function<std::string(store::Store&)>& work) const {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  state().slots_used.store(kStoreSlot + 1);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto store = store::Store::open(*region_, config_, kStoreSlot);
    if (!store) ::_exit(1);
    store->begin_turn();
    const std::string said = work(*store);
    const bool told = ::write(in.get(), said.data(), said.size()) == static_cast<ssize_t>(said.size());
    store->end_turn();
    ::_exit(told ? 0 : 1);
  }
  in.reset();
  std::string said(4096, '\0');
  said.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(out.get(), said.data(), said.size()))));
  int status = 0;
  ::waitpid(pid, &status, 0);
  region_->clear_slot(kStoreSlot);
  if (status != 0) throw std::runtime_error("the store's process failed");
  return said;
}

void BoardNode::know(std::uint64_t id, std::uint64_t since_hlc) const {
  cluster::MemberSet known;
  if (!known.introduce(id, "127.0.0.1:1")) throw std::runtime_error("not introduced");
  write_note(cluster::kMembersNote, known.encode(), {since_hlc, 1});
}

void BoardNode::write_note(std::string_view name, std::string_view value,
                           const store::Version& version) const {
  (void)in_store([&](store::Store& store) {
    store::Write write;
    write.version = version;
    write.operation = store::Operation::kNote;
    write.key = name;
    write.value = value;
    store::Batch batch;
    batch.add(write);
    if (!store.commit(batch)) ::_exit(1);
    return std::string();
  });
}

std::string BoardNode::note(std::string_view name) const {
  return in_store([&](store::Store& store) {
    const auto found = store.note(name);
    if (!found) ::_exit(1);
    return std::string(found->value);
  });
}

void BoardNode::await_durable() const {
  eventually("the log is durable", [this] { return state().marks.durable.load() >= tail(); });
}

std::uint64_t BoardNode::worker_peak_memory() const {
  return peak_resident_bytes(worker_);
}

void BoardNode::stop_worker() const {
  suspend(worker_);
}
void BoardNode::continue_worker() const {
  ::kill(worker_, SIGCONT);
}

void BoardNode::hold_disk() const {
  suspend(checkpointer_);
}
void BoardNode::release_disk() const {
  ::kill(checkpointer_, SIGCONT);
}

void FakePeer::send(std::string_view kind, std::string_view message) {
  connection_.send(keyed_frame('\4', kind) + little_endian(message.size(), 4) + '\0' + std::string(message));
}

std::string FakePeer::receive() {
  const std::string head = connection_.receive(5);
  if (head[0] != '\0') throw std::runtime_error("answered with status FF");
  std::size_t size = 0;
  for (unsigned i = 0; i < 4; ++i) size |= std::size_t{static_cast<std::uint8_t>(head[1 + i])} << 8 * i;
  return connection_.receive(size);
}

std::string FakePeer::ask(std::string_view kind, std::string_view message, bool compressed) {
  if (!compressed) {
    send(kind, message);
  } else {
    const std::string frame = zstd_frame(std::string(message));
    connection_.send(keyed_frame('\4', kind) + little_endian(frame.size(), 4) + '\1' + frame);
  }
  return receive();
}

cluster::Hello FakePeer::hello_message(bool dial_back) const {
  cluster::Hello hello;
  hello.dial_back = dial_back;
  hello.id = id_;
  hello.epoch = epoch_;
  hello.address = "peer.example:3000";
  hello.clock_us = 1;
  hello.largest_value = 1 << 20;
  return hello;
}

cluster::HelloReply FakePeer::hello(bool dial_back) {
  cluster::Reply refusal{};
  return decoded(
      cluster::decode_hello_reply(ask(cluster::kHello, cluster::encode(hello_message(dial_back))), refusal));
}

cluster::BatchReply FakePeer::begin(std::uint64_t from, bool jump, std::uint64_t hlc) {
  const cluster::BatchWriter writer(id_);
  cluster::Reply refusal{};
  return decoded(cluster::decode_batch_reply(
      ask(cluster::kBatch, writer.finish({epoch_, jump, from, from, hlc})), refusal));
}

std::string FakePeer::batch_message(std::uint64_t from, std::uint64_t to,
                                    const std::vector<Entry>& entries) const {
  cluster::BatchWriter writer(id_);
  std::uint64_t hlc = 0;
  for (const Entry& entry : entries) {
    writer.add({entry.value ? store::Operation::kSet : store::Operation::kDelete,
                0,
                {entry.hlc, id_},
                entry.key,
                entry.value ? std::string_view(*entry.value) : std::string_view()});
    hlc = entry.hlc;
  }
  return writer.finish({epoch_, false, from, to, hlc});
}

cluster::BatchReply FakePeer::batch(std::uint64_t from, std::uint64_t to, const std::vector<Entry>& entries) {
  cluster::Reply refusal{};
  const std::string answer = ask(cluster::kBatch, batch_message(from, to, entries));
  return decoded(cluster::decode_batch_reply(answer, refusal));
}

std::uint64_t hlc_now(std::uint64_t step) {
  return (wall_ms() << store::kHlcCounterBits) + step;
}

cluster::Reply refusal_in(std::string_view answer) {
  return answer.empty() ? cluster::Reply::kMalformed : static_cast<cluster::Reply>(answer.front());
}

}  // namespace minivault::test
