#include "tests/replicator/membership_model.h"

#include <algorithm>

#include "replicator/majority.h"

namespace minivault::replicator::membership_model {
namespace {

bool chance(Random& random, unsigned percent) {
  return random() % 100 < percent;
}

/// So many runs until a newborn majority waits for nobody else.
constexpr unsigned kBirthPatience = 12;
constexpr std::uint64_t kWriteTimeout = 40;

}  // namespace

std::size_t Node::copies_needed() const {
  return cluster::copies_needed(roster().configured(), members_.members().size());
}

std::set<NodeId> Node::counted() const {
  std::set<NodeId> all{id_};
  for (const auto& call : calls_) {
    const bool counts = call->reachable && call->believed && call->digest == members_.digest();
    if (counts && members_.find(call->id) != nullptr) all.insert(call->id);
  }
  return all;
}

Roster Node::roster() const {
  std::vector<Contact> contacts;
  const std::uint64_t digest = members_.digest();
  for (const auto& call : calls_) {
    contacts.push_back({.address = call->address,
                        .id = call->id,
                        .reachable = call->reachable,
                        .is_itself = call->is_itself,
                        .failures = call->failures,
                        .recorded = call->id != 0 && call->believed && call->digest == digest,
                        .backs = call->backed_digest != 0 && call->backed_digest == call->digest,
                        .agreed = call->agreed_digest != 0 && call->agreed_digest == call->digest,
                        .agreed_version = call->agreed_version});
  }
  return {memory(), {list_, names_[0], aliases_}, std::move(contacts)};
}

/// What `other` wrote itself is in this log too, as what another node wrote.
void Node::copy(const Node& other) {
  members_ = other.members_;
  agreed_ = other.agreed_;
  held_ = other.held_;
  positions_ = other.positions_;
  debts_ = other.debts_;
}

void Node::start() {
  up_ = true;
  ++life_;
  agreed_ = agreed_as(id_, agreed_);
  (void)members_.introduce(id_, names_[0]);
  look();
}

void Node::stop() {
  up_ = false;
  calls_.clear();
  aliases_.clear();
  introductions_.clear();
  filled_from_.clear();
  runs_ = 0;
  published_digest_ = backed_digest_ = agreed_digest_ = told_agreed_version_ = 0;
  decided_ = own_.size();
}

void Node::forget(NodeId id) {
  (void)members_.forget(id);
  look();
}

void Node::look() {
  std::erase_if(aliases_, [this](const Alias& alias) { return members_.find(alias.id) == nullptr; });
  for (const std::string& address : roster().missing()) {
    calls_.push_back(std::make_unique<Call>());
    calls_.back()->address = address;
  }
  const Roster all = roster();
  for (std::size_t i = all.contacts().size(); i-- > 0;) {
    if (!all.is_wanted(all.contacts()[i])) calls_.erase(calls_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  publish();
  find_completeness();
}

void Node::publish() {
  const Accord accord = roster().accord();
  if (accord.agreed && memory().is_changing()) agreed_ = members_;
  published_digest_ = members_.digest();
  backed_digest_ = accord.backs ? published_digest_ : 0;
  told_agreed_version_ = memory().agreed_version();
  agreed_digest_ = accord.agreed ? published_digest_ : 0;
  decide_writes();
}

void Node::run(Random& random) {
  ++runs_;
  if (chance(random, 70)) pick_up_introductions();
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    if (!chance(random, 70)) continue;
    Call& call = *calls_[i];
    if (call.answers.empty()) {
      ask(call, random);
    } else {
      take(call);
      if (published_digest_ != members_.digest() || !has_agreed()) publish();
      decide_writes();
    }
  }
  if (chance(random, 60)) look();
}

void Node::pick_up_introductions() {
  for (const auto& [id, address] : std::exchange(introductions_, {})) {
    if (id == id_ || members_.is_forgotten(id)) continue;
    const bool is_called = std::any_of(calls_.begin(), calls_.end(), [&, wanted = address](const auto& call) {
      return call->address == wanted;
    });
    if (roster().find(id) != SIZE_MAX || is_called) continue;
    calls_.push_back(std::make_unique<Call>());
    calls_.back()->address = address;
  }
}

Answer Node::say(Answer::Kind kind) const {
  Answer answer;
  answer.kind = kind;
  answer.id = id_;
  answer.life = life_;
  answer.name = names_[0];
  answer.complete = complete_;
  answer.digest = members_.digest();
  if (kind == Answer::Kind::kHello) answer.members = members_;
  answer.has_agreed = cluster::has_agreed(agreed_, id_);
  answer.agreed = agreed_digest_ == answer.digest;
  answer.backs = answer.agreed || backed_digest_ == answer.digest;
  answer.agreed_version = told_agreed_version_;
  return answer;
}

void Node::ask(Call& call, Random& random) {
  Node* there = network_->at(call.address);
  if (there == nullptr || !network_->can_talk(id_, there->id_)) return end(call);
  if (call.reachable && (call.id != there->id_ || call.life != there->life_)) end(call);
  if (there == this) {
    call.is_itself = true;
    call.believed = false;
    return;
  }
  if (there->members_.is_forgotten(id_)) {
    call.answers.push_back(there->say(Answer::Kind::kForgotten));
    return;
  }
  if (!call.reachable || call.digest != members_.digest() || !call.believed) {
    if (!call.reachable && call.is_waiting) call.believed = true;
    call.answers.push_back(there->say(Answer::Kind::kHello));
    there->introductions_.emplace_back(id_, names_[0]);
  }
  if (!call.reachable) return;
  call.answers.push_back(there->say(Answer::Kind::kPulse));
  if (!call.believed || !call.knows_us || there->members_.find(id_) == nullptr) return;
  // The stream: a first contact jumps, as if the ring had lost everything; later what is undecided is sent
  // again.
  const auto [position, is_first] = there->positions_.try_emplace(id_, own_.size());
  if (is_first) there->debts_.insert(id_);
  if (std::exchange(call.begins, false)) {
    call.jumped = is_first ? own_.size() : 0;
    call.acked = position->second = std::min(position->second, is_first ? own_.size() : decided_);
  }
  if (chance(random, 70)) {
    for (; position->second < own_.size(); ++position->second) there->held_.insert(own_[position->second]);
    Answer batch = there->say(Answer::Kind::kBatch);
    batch.write = position->second;
    call.answers.push_back(batch);
  }
  const bool is_due = !complete_ || debts_.contains(call.id) || chance(random, 2);
  if (!is_due || !chance(random, 30) || there->members_.is_forgotten(id_)) return;
  held_.insert(there->held_.begin(), there->held_.end());
  there->held_.insert(held_.begin(), held_.end());
  debts_.erase(call.id);
  call.answers.push_back(there->say(Answer::Kind::kRepaired));
}

void Node::end(Call& call) {
  call.reachable = false;
  call.answers.clear();
  if (!call.is_waiting) ++call.failures;
}

void Node::take(Call& call) {
  while (!call.answers.empty()) {
    const Answer answer = call.answers.front();
    call.answers.pop_front();
    if (answer.kind == Answer::Kind::kForgotten) {
      call.is_waiting = false;
      return end(call);
    }
    if (answer.kind == Answer::Kind::kHello) {
      if (call.id != answer.id) {
        call.digest = call.backed_digest = call.agreed_digest = call.agreed_version = 0;
        call.acked = 0;
      }
      call.id = answer.id;
      call.life = answer.life;
      call.is_waiting = false;
      call.believed = met(call, answer);
      if (!call.believed) return end(call);
      call.digest = answer.digest;
      call.complete = answer.complete;
      call.knows_us = answer.members.find(id_) != nullptr;
      call.begins = call.begins || !call.reachable;
      call.reachable = true;
      call.failures = 0;
      continue;
    }
    if (answer.kind == Answer::Kind::kRepaired) {
      repaired_with(answer.id, answer.complete);
      continue;
    }
    call.digest = answer.digest;
    if (answer.kind == Answer::Kind::kBatch) {
      call.acked = std::max(call.acked, answer.write);
      continue;
    }
    call.knows_us = call.knows_us || call.digest == members_.digest();
    call.complete = answer.complete;
    call.backed_digest = answer.backs ? call.digest : 0;
    call.agreed_digest = answer.agreed ? call.digest : 0;
    call.agreed_version = answer.agreed_version;
  }
}

bool Node::met(Call& call, const Answer& hello) {
  if (members_.is_forgotten(hello.id)) return false;
  const bool has_twin = std::any_of(calls_.begin(), calls_.end(), [&](const auto& other) {
    return other.get() != &call && other->id == hello.id && other->life != hello.life && other->reachable;
  });
  if (has_twin) return false;
  members_ = memory().merged(hello.members, hello.id);
  return take_in(call, hello);
}

bool Node::take_in(Call& call, const Answer& hello) {
  const auto place =
      std::find_if(calls_.begin(), calls_.end(), [&](const auto& each) { return each.get() == &call; });
  const Meeting meeting =
      roster().meet(static_cast<std::size_t>(place - calls_.begin()), hello.id, hello.name, hello.has_agreed);
  for (const NodeId gone : meeting.replaced) {
    network_->replaced.push_back({id_, gone, hello.id});
    (void)members_.forget(gone);
  }
  std::erase_if(aliases_, [&](const Alias& alias) { return alias.address == call.address; });
  if (meeting.is_known_elsewhere) {
    aliases_.push_back({call.address, hello.id});
    return false;
  }
  if (meeting.is_expected_elsewhere) return false;
  for (const std::size_t stale : meeting.stale) end(*calls_[stale]);
  if (members_.find(hello.id) != nullptr) return true;
  const Accord accord = roster().accord();
  if (accord.agreed && memory().is_changing()) agreed_ = members_;
  call.is_waiting = memory().is_changing();
  return !call.is_waiting && members_.introduce(hello.id, call.address).has_value();
}

void Node::write() {
  const std::size_t write = network_->begin_write();
  own_.push_back(write);
  held_.insert(write);
}

void Node::decide_writes() {
  if (!has_agreed() || published_digest_ != members_.digest()) return;
  const std::size_t copies = copies_needed();
  for (; decided_ < own_.size(); ++decided_) {
    std::set<NodeId> by{id_};
    for (const auto& call : calls_) {
      const bool counts = call->believed && call->digest == published_digest_ && call->acked > decided_ &&
                          call->jumped <= decided_;
      if (counts && members_.find(call->id) != nullptr) by.insert(call->id);
    }
    const bool given_up = network_->now() > network_->begun(own_[decided_]) + kWriteTimeout;
    if (by.size() < copies && !given_up) return;
    if (by.size() < copies) continue;
    network_->acknowledge(own_[decided_], id_, by);
  }
}

void Node::repaired_with(NodeId id, bool was_complete) {
  if (!complete_) filled_from_[id] |= was_complete;
  find_completeness();
}

void Node::find_completeness() {
  if (complete_ || !has_agreed()) return;
  const bool is_alone = list_.empty() && members_.members().size() == 1;
  std::vector<Source> others;
  for (const auto& call : calls_) {
    if (call->is_itself) continue;
    const bool streams = call->reachable && call->believed && call->knows_us;
    const bool repaired = filled_from_.contains(call->id) && !debts_.contains(call->id);
    others.push_back({.is_streaming = streams,
                      .is_complete = call->complete && members_.find(call->id) != nullptr,
                      .gave_all = repaired});
  }
  const auto sources = std::count_if(filled_from_.begin(), filled_from_.end(), [&](const auto& each) {
    return each.second && members_.find(each.first) != nullptr;
  });
  complete_ = is_alone || is_filled({.others = others,
                                     .members = members_.members().size(),
                                     .needed = copies_needed() - 1,
                                     .sources = static_cast<std::size_t>(sources),
                                     .has_lost = !members_.forgotten().empty(),
                                     .has_waited = runs_ > kBirthPatience});
}

Node& Network::add(std::vector<std::string> names, std::vector<std::string> list) {
  nodes_.push_back(std::make_unique<Node>(*this, ++last_id_, std::move(names), std::move(list)));
  return *nodes_.back();
}

void Network::lose(NodeId id) {
  std::erase_if(nodes_, [id](const auto& node) { return node->id() == id; });
}

Node* Network::find(NodeId id) const {
  for (const auto& node : nodes_) {
    if (node->id() == id) return node.get();
  }
  return nullptr;
}

Node* Network::at(const std::string& address) const {
  for (const auto& node : nodes_) {
    const std::vector<std::string>& names = node->names();
    if (node->is_up() && std::find(names.begin(), names.end(), address) != names.end()) return node.get();
  }
  return nullptr;
}

bool Network::can_talk(NodeId a, NodeId b) const {
  return side_.contains(a) == side_.contains(b);
}

void Network::acknowledge(std::size_t write, NodeId taken_by, std::set<NodeId> by) {
  acknowledged_.push_back({write, taken_by, std::move(by), begun_[write], now_});
}

}  // namespace minivault::replicator::membership_model
