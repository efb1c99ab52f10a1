#include "replicator/node_side.h"

namespace minivault::replicator {

Result<cluster::CompareReply> NodeSide::begin() {
  cluster::Hello hello;
  hello.dial_back = true;  // on nobody's behalf
  for (client::Connection* connection : {&comparison_, &pushes_}) {
    if (Status said = tell(*connection, cluster::kHello, cluster::encode(hello)); !said) {
      return tl::unexpected(said.error());
    }
  }
  return ask(cluster::kCompare, {}).and_then(cluster::decode_compare_reply);
}

Result<std::string_view> NodeSide::ask(std::string_view kind, std::string_view request) {
  Result<std::string> answer = comparison_.sync(kind, request);
  if (!answer) return tl::unexpected(answer.error());
  answer_ = std::move(*answer);
  bytes_ += request.size() + answer_.size();
  return answer_;
}

Result<cluster::RangesPage> NodeSide::split(const cluster::SplitRequest& request) {
  return ask(cluster::kSplit, cluster::encode(request)).and_then(cluster::decode_ranges);
}

Result<cluster::RangesPage> NodeSide::sums(const cluster::SumsRequest& request) {
  return ask(cluster::kSums, cluster::encode(request)).and_then(cluster::decode_ranges);
}

Result<cluster::ItemsPage> NodeSide::items(const cluster::Span& span) {
  return ask(cluster::kItems, cluster::encode(span)).and_then(cluster::decode_items);
}

Result<cluster::RecordsPage> NodeSide::records(const cluster::Span& span) {
  return ask(cluster::kRecords, cluster::encode(span)).and_then(cluster::decode_records);
}

Result<cluster::RecordsPage> NodeSide::fetch(const std::vector<std::string>& keys) {
  return ask(cluster::kFetch, cluster::encode_fetch(keys)).and_then(cluster::decode_records);
}

Status NodeSide::push(const std::vector<cluster::Record>& records) {
  cluster::BatchWriter writer(0);
  for (const cluster::Record& record : records) writer.add(record);
  return tell(pushes_, cluster::kPush, writer.finish_push());
}

/// A message whose answer says nothing but whether it was taken.
Status NodeSide::tell(client::Connection& connection, std::string_view kind, const std::string& message) {
  const Result<std::string> answer = connection.sync(kind, message);
  if (!answer) return tl::unexpected(answer.error());
  bytes_ += message.size() + answer->size();
  if (answer->empty()) return fail(Code::kCorrupt, "an empty answer between nodes");
  if (answer->front() != static_cast<char>(cluster::Reply::kOk)) {
    return fail(Code::kUnavailable, answer->substr(1));
  }
  return {};
}

}  // namespace minivault::replicator
