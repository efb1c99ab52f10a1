#include "tests/support/cluster_load.h"

#include <algorithm>

#include "tests/support/wait.h"

namespace minivault::test {

ClusterLoad::ClusterLoad(const Cluster& cluster, History& history, Options options)
    : cluster_(cluster), history_(history), options_(std::move(options)) {
  for (unsigned i = 0; i < options_.writers; ++i) {
    auto writer = std::make_unique<Writer>();
    writer->number = i;
    writer->random.seed(options_.seed + i);
    writers_.push_back(std::move(writer));
  }
  for (const auto& writer : writers_)
    writer->thread = std::jthread([this, &writer = *writer] { run(writer); });
}

ClusterLoad::~ClusterLoad() {
  stopping_ = true;
}

void ClusterLoad::stop() {
  stopping_ = true;
  for (const auto& writer : writers_) {
    if (writer->thread.joinable()) writer->thread.join();
  }
}

void ClusterLoad::run(Writer& writer) {
  while (!stopping_) {
    const std::size_t choice = writer.random();
    const unsigned node = options_.nodes.empty() ? static_cast<unsigned>(choice % cluster_.size())
                                                 : options_.nodes[choice % options_.nodes.size()];
    client::Connection* const connection = connection_to(writer, cluster_.port(node));
    if (connection != nullptr) {
      run_pipeline(writer, *connection);
    } else {
      std::this_thread::sleep_for(milliseconds(1));  // down: not as fast as the machine can try
    }
  }
}

client::Connection* ClusterLoad::connection_to(Writer& writer, std::uint16_t port) {
  if (port == 0) return nullptr;
  const auto known = writer.connections.find(port);
  if (known != writer.connections.end() && known->second.usable()) return &known->second;
  if (known != writer.connections.end()) writer.connections.erase(known);
  client::Options options;
  options.request_timeout = kPatience;
  auto opened = client::Connection::open({"127.0.0.1", port}, options);
  return opened ? &writer.connections.emplace(port, std::move(*opened)).first->second : nullptr;
}

void ClusterLoad::run_pipeline(Writer& writer, client::Connection& connection) {
  std::vector<Request> requests;
  const std::uint64_t count = 1 + writer.random() % options_.pipeline;
  for (std::uint64_t i = 0; i < count; ++i) requests.push_back(next_request(writer, connection));
  for (const Request& request : requests) {
    const Result<std::string> answer = connection.receive();
    take_answer(writer, request, answer, connection.usable());
  }
}

ClusterLoad::Request ClusterLoad::next_request(Writer& writer, client::Connection& connection) {
  const bool is_shared = options_.shared_keys > 0 && writer.random() % 5 == 0;
  const std::uint64_t number = writer.random() % (is_shared ? options_.shared_keys : options_.keys);
  Request request;
  const std::string owner = is_shared ? "shared" : "writer" + std::to_string(writer.number);
  request.key = options_.prefix + owner + "/" + std::to_string(number);
  const std::uint64_t dice = writer.random() % 8;
  if (dice == 0) {
    (void)connection.queue_get(request.key);
    return request;
  }
  History::State state;
  if (dice != 1) {
    state = std::to_string(writer.number) + '.' + std::to_string(++writer.writes) + '.';
    state->append(writer.random() % 300, static_cast<char>('a' + writer.writes % 26));
  }
  request.write = history_.begin(request.key, state);
  (void)(state ? connection.queue_set(request.key, *state) : connection.queue_remove(request.key));
  return request;
}

void ClusterLoad::take_answer(Writer& writer, const Request& request, const Result<std::string>& answer,
                              bool connected) {
  if (!request.write) {
    if (!answer || history_.was_written(request.key, *answer)) return;
    const std::scoped_lock lock(mutex_);
    violations_.push_back(request.key + ": read what nobody wrote: " + answer->substr(0, 40));
    return;
  }
  if (answer) {
    history_.end(*request.write, Outcome::kDone);
    ++writer.done;
    return;
  }
  history_.end(*request.write,
               answer.error().code == Code::kOutcomeUnknown ? Outcome::kUnknown : Outcome::kRefused);
  if (connected) ++failed_;
}

void ClusterLoad::await_done(std::uint64_t count, milliseconds limit) {
  std::vector<std::uint64_t> goals;
  for (const auto& writer : writers_) goals.push_back(writer->done + count);
  eventually(
      "every writer gets " + std::to_string(count) + " more writes acknowledged",
      [&] {
        return std::equal(writers_.begin(), writers_.end(), goals.begin(),
                          [](const auto& writer, std::uint64_t goal) { return writer->done >= goal; });
      },
      limit);
}

std::uint64_t ClusterLoad::done() const {
  std::uint64_t sum = 0;
  for (const auto& writer : writers_) sum += writer->done;
  return sum;
}

std::vector<std::string> ClusterLoad::violations() const {
  const std::scoped_lock lock(mutex_);
  return violations_;
}

}  // namespace minivault::test
