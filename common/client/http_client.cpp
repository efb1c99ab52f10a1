#include "common/client/http_client.h"

#include <rapidjson/document.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <limits>

namespace minivault::client {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kLargestHead = 64 * 1024;

/// The value of a header, "" where there is none.
std::string_view header_in(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!std::equal(name.begin(), name.end(), line.begin(), [&](char b, char a) { return same(a, b); }))
      continue;
    std::string_view value = line.substr(name.size() + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    return value;
  }
  return {};
}

template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string HttpAnswer::error() const {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(body.data(), body.size());
  if (!document.HasParseError() && document.IsObject() && document.HasMember("error") &&
      document["error"].IsString()) {
    return {document["error"].GetString(), document["error"].GetStringLength()};
  }
  return "HTTP status " + std::to_string(status);
}

Result<HttpClient> HttpClient::connect(const Address& address, std::string_view auth_key,
                                       std::chrono::milliseconds time_out) {
  Result<Socket> socket = Socket::connect(address, Deadline(time_out));
  if (!socket) return tl::unexpected(socket.error());
  return HttpClient(std::move(*socket), auth_key, time_out);
}

HttpClient::HttpClient(Socket socket, std::string_view auth_key, std::chrono::milliseconds time_out)
    : socket_(std::move(socket)), time_out_(time_out) {
  if (!auth_key.empty()) authorization_ = "Authorization: Bearer " + std::string(auth_key) + "\r\n";
}

void HttpClient::queue(const Request& request) {
  if (sent_ == outgoing_.size()) {
    outgoing_.clear();
    sent_ = 0;
  }
  outgoing_.append(request.method)
      .append(" ")
      .append(request.target)
      .append(" HTTP/1.1\r\nHost: minivault\r\n");
  outgoing_.append(authorization_).append(request.headers);
  if (!request.content_type.empty()) {
    outgoing_.append("Content-Type: ").append(request.content_type).append("\r\nContent-Length: ");
    outgoing_.append(std::to_string(request.body.size())).append("\r\n");
  }
  outgoing_.append("\r\n").append(request.body);
}

/// Sends and receives what can be now, after waiting until something can.
Status HttpClient::exchange() {
  const bool to_write = sent_ < outgoing_.size();
  if (Status ready = socket_.wait(to_write, Deadline(time_out_)); !ready) {
    return ready.error().code == Code::kTimedOut ? fail(Code::kTimedOut, "the node does not answer") : ready;
  }
  if (consumed_ > 0) incoming_.erase(0, std::exchange(consumed_, 0));
  const std::size_t before = incoming_.size();
  incoming_.resize(before + kReadBytes);
  const Result<std::size_t> got = socket_.read_some(std::span(incoming_).subspan(before));
  incoming_.resize(before + got.value_or(0));
  if (!got) return tl::unexpected(got.error());
  if (!to_write) return {};
  const Result<std::size_t> sent = socket_.write_some(std::string_view(outgoing_).substr(sent_));
  // An answer may still be there to be read: a node that refuses a request says so and closes.
  if (!sent && *got == 0) return tl::unexpected(sent.error());
  sent_ += sent.value_or(0);
  return {};
}

Result<HttpAnswer> HttpClient::read_head() {
  std::size_t end = 0;
  while ((end = incoming_.find("\r\n\r\n", consumed_)) == std::string::npos) {
    if (incoming_.size() - consumed_ > kLargestHead) return fail(Code::kCorrupt, "the answer is not HTTP");
    if (Status done = exchange(); !done) return tl::unexpected(done.error());
  }
  const std::string head = incoming_.substr(consumed_, end + 2 - consumed_);
  consumed_ = end + 4;
  HttpAnswer answer;
  const auto status =
      head.starts_with("HTTP/1.1 ") && head.size() > 12 ? number_in<int>(head.substr(9, 3)) : std::nullopt;
  if (!status) return fail(Code::kCorrupt, "the answer is not HTTP");
  answer.status = *status;
  answer.retry_after_seconds = number_in<unsigned>(header_in(head, "retry-after")).value_or(0);
  chunks_.reset();
  body_left_ = 0;
  if (header_in(head, "transfer-encoding") == "chunked") {
    chunks_.emplace(protocol::ChunkDecoder::Limits{std::numeric_limits<std::uint64_t>::max(), kLargestHead});
  } else if (const auto length = number_in<std::uint64_t>(header_in(head, "content-length"))) {
    body_left_ = *length;
  }
  return answer;
}

Result<HttpAnswer> HttpClient::receive() {
  Result<HttpAnswer> answer = read_head();
  if (!answer) return answer;
  if (Status got = read_rest(answer->body); !got) return tl::unexpected(got.error());
  return answer;
}

Result<HttpAnswer> HttpClient::receive_head() {
  Result<HttpAnswer> answer = read_head();
  if (!answer || answer->status == 200) return answer;
  if (Status got = read_rest(answer->body); !got) return tl::unexpected(got.error());
  return answer;
}

Status HttpClient::read_rest(std::string& body) {
  std::array<char, 4'096> room;
  while (true) {
    const Result<std::size_t> got = read_body(room);
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) return {};
    body.append(room.data(), *got);
  }
}

Result<std::size_t> HttpClient::read_body(std::span<char> room) {
  while (body_taken_ == body_.size() && (chunks_ || body_left_ > 0)) {
    if (Status got = read_more_body(); !got) return tl::unexpected(got.error());
  }
  const std::size_t size = std::min(room.size(), body_.size() - body_taken_);
  std::memcpy(room.data(), body_.data() + body_taken_, size);
  body_taken_ += size;
  return size;
}

/// Moves what has come of the body to body_, or waits for more.
Status HttpClient::read_more_body() {
  body_.clear();
  body_taken_ = 0;
  const std::string_view input = std::string_view(incoming_).substr(consumed_);
  if (!chunks_) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), body_left_));
    body_.assign(input.substr(0, size));
    consumed_ += size;
    body_left_ -= size;
    return body_.empty() ? exchange() : Status();
  }
  const protocol::ChunkDecoder::Step step = chunks_->decode(input, body_);
  consumed_ += step.consumed;
  if (step.kind == protocol::ChunkDecoder::Step::Kind::kError)
    return fail(Code::kCorrupt, std::string(step.error));
  if (step.kind == protocol::ChunkDecoder::Step::Kind::kDone) chunks_.reset();
  return body_.empty() && chunks_ ? exchange() : Status();
}

std::string target_of(std::string_view key) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string target = "/_/kv/";
  for (const char letter : key) {
    const auto byte = static_cast<unsigned char>(letter);
    if (std::isalnum(byte) != 0 || letter == '-' || letter == '_' || letter == '.' || letter == '~') {
      target += letter;
    } else {
      target += '%';
      target += kHex[byte >> 4];
      target += kHex[byte & 15];
    }
  }
  return target;
}

}  // namespace minivault::client
