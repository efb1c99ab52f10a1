#include "replicator/node_side.h"

namespace minivault::replicator {
namespace {

/// A page each: the node's disk syncs them together, and the next are fetched meanwhile.
constexpr std::size_t kPushesUnderWay = 4;
/// In place of a version: a delete, which nobody needs to delete.
constexpr store::Version kNoValue{};

}  // namespace

Result<cluster::CompareReply> NodeSide::begin(const cluster::Hello& hello) {
  for (client::Connection* connection : {&comparison_, &pushes_}) {
    if (Status said = tell(*connection, cluster::kHello, cluster::encode(hello)); !said) {
      return tl::unexpected(said.error());
    }
  }
  return ask(cluster::kCompare, {}).and_then(cluster::decode_compare_reply);
}

Result<std::string_view> NodeSide::ask(std::string_view kind, std::string_view request) {
  if (Status queued = comparison_.queue_sync(kind, request); !queued) return tl::unexpected(queued.error());
  bytes_ += request.size();
  return asked();
}

/// The answer to the oldest request.
Result<std::string_view> NodeSide::asked() {
  Result<std::string> answer = comparison_.receive();
  if (!answer) return tl::unexpected(answer.error());
  answer_ = std::move(*answer);
  bytes_ += answer_.size();
  return answer_;
}

Result<cluster::RangesPage> NodeSide::split(const cluster::SplitRequest& request) {
  return ask(cluster::kSplit, cluster::encode(request)).and_then(cluster::decode_ranges);
}

Result<cluster::RangesPage> NodeSide::sums(const cluster::SumsRequest& request) {
  return ask(cluster::kSums, cluster::encode(request)).and_then(cluster::decode_ranges);
}

Result<std::vector<cluster::Fingerprint>> NodeSide::bucket_sums(const cluster::Span& span) {
  return ask(cluster::kBucketSums, cluster::encode(span)).and_then(cluster::decode_bucket_sums);
}

Result<cluster::ItemsPage> NodeSide::items(const cluster::Span& span) {
  return ask(cluster::kItems, cluster::encode(span)).and_then(cluster::decode_items);
}

Result<cluster::ItemsPage> NodeSide::crowd(const cluster::PageRequest& request) {
  return ask(cluster::kCrowd, cluster::encode(request)).and_then(cluster::decode_items);
}

Result<cluster::ItemsPage> NodeSide::lookup(const cluster::LookupRequest& request) {
  return ask(cluster::kLookup, cluster::encode(request)).and_then(cluster::decode_items);
}

Result<cluster::RecordsPage> NodeSide::records(const cluster::PageRequest& request) {
  const bool is_asked = comparison_.outstanding() > 0;
  return (is_asked ? asked() : ask(cluster::kRecords, cluster::encode(request)))
      .and_then(cluster::decode_records);
}

void NodeSide::look_ahead(const cluster::PageRequest& request) {
  const std::string message = cluster::encode(request);
  if (comparison_.queue_sync(cluster::kRecords, message)) bytes_ += message.size();
}

Result<cluster::RecordsPage> NodeSide::fetch(const std::vector<std::string>& keys) {
  return ask(cluster::kFetch, cluster::encode_fetch(keys)).and_then(cluster::decode_records);
}

Status NodeSide::push(const std::vector<cluster::Record>& records) {
  cluster::BatchWriter writer(0);
  Ghosts brought;
  brought.reserve(records.size());
  for (const cluster::Record& record : records) {
    writer.add(record);
    brought.emplace_back(record.key, record.operation == store::Operation::kSet ? record.version : kNoValue);
  }
  while (pushes_.outstanding() >= kPushesUnderWay) {
    if (Status before = push_told(); !before) return before;
  }
  under_way_.push_back(std::move(brought));
  const std::string message = writer.finish_push();
  bytes_ += message.size();
  return pushes_.queue_sync(cluster::kPush, message);
}

Status NodeSide::settle() {
  while (pushes_.outstanding() > 0) {
    if (Status done = push_told(); !done) return done;
  }
  return {};
}

Status NodeSide::push_told() {
  const Result<std::string> answer = told(pushes_);
  if (!answer) return tl::unexpected(answer.error());
  cluster::Reply refusal{};
  const Result<cluster::BatchReply> reply = cluster::decode_batch_reply(*answer, refusal);
  if (!reply) return tl::unexpected(reply.error());
  Ghosts& brought = under_way_.front();
  for (const cluster::Conflict& each : reply->conflicts) {
    if (each.held.origin != 0 || each.index >= brought.size()) continue;
    if (brought[each.index].second != kNoValue) refused_.push_back(std::move(brought[each.index]));
  }
  under_way_.pop_front();
  return {};
}

Status NodeSide::tell(client::Connection& connection, std::string_view kind, const std::string& message) {
  if (Status queued = connection.queue_sync(kind, message); !queued) return queued;
  bytes_ += message.size();
  const Result<std::string> answer = told(connection);
  return answer ? Status() : tl::unexpected(answer.error());
}

/// The answer to a message that was taken.
Result<std::string> NodeSide::told(client::Connection& connection) {
  Result<std::string> answer = connection.receive();
  if (!answer) return tl::unexpected(answer.error());
  bytes_ += answer->size();
  if (answer->empty()) return fail(Code::kCorrupt, "an empty answer between nodes");
  if (answer->front() != static_cast<char>(cluster::Reply::kOk)) {
    return fail(Code::kUnavailable, answer->substr(1));
  }
  return answer;
}

}  // namespace minivault::replicator
