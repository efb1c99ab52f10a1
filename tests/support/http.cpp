#include "tests/support/http.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace minivault::test {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// Splits `HTTP/1.1 200 OK\r\nName: value\r\n…\r\n\r\n`, and is strict: a test must notice a sloppy answer.
HttpResponse parse_head(const std::string& head) {
  HttpResponse response;
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 14) throw std::runtime_error("no status line: " + head);
  response.status = std::stoi(head.substr(9, 3));
  std::size_t line = head.find("\r\n") + 2;
  while (head.compare(line, 2, "\r\n") != 0) {
    const std::size_t end = head.find("\r\n", line);
    const std::size_t colon = head.find(": ", line);
    if (colon == std::string::npos || colon > end) throw std::runtime_error("bad header line in: " + head);
    const std::string name = lower(head.substr(line, colon - line));
    if (!response.headers.emplace(name, head.substr(colon + 2, end - colon - 2)).second) {
      throw std::runtime_error("header twice: " + name);
    }
    line = end + 2;
  }
  return response;
}

std::string receive_chunks(RawConnection& connection) {
  std::string body;
  for (;;) {
    const std::size_t size = std::stoul(connection.receive_through("\r\n"), nullptr, 16);
    body += connection.receive(size);
    if (connection.receive(2) != "\r\n") throw std::runtime_error("a chunk does not end where it says");
    if (size == 0) return body;
  }
}

}  // namespace

std::string HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

std::string http_request(std::string_view method, std::string_view target, const Headers& headers) {
  std::string request;
  request.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\n");
  for (const std::string& line : headers) request += line + "\r\n";
  return request + "\r\n";
}

std::string http_upload(std::string_view method, std::string_view target, std::string_view body,
                        const Headers& headers) {
  Headers all = headers;
  const bool framed = std::any_of(headers.begin(), headers.end(), [](const std::string& line) {
    return line.starts_with("Content-Length") || line.starts_with("Transfer-Encoding");
  });
  if (!framed) all.push_back("Content-Length: " + std::to_string(body.size()));
  return http_request(method, target, all).append(body);
}

HttpResponse receive_http(RawConnection& connection, bool has_body) {
  HttpResponse response = parse_head(connection.receive_through("\r\n\r\n"));
  if (!has_body || response.status < 200 || response.status == 204 || response.status == 304) return response;
  if (response.header("transfer-encoding") == "chunked") {
    response.body = receive_chunks(connection);
  } else if (response.headers.contains("content-length")) {
    response.body = connection.receive(std::stoul(response.header("content-length")));
  } else {
    throw std::runtime_error("a response without a length");
  }
  return response;
}

HttpResponse http(std::uint16_t port, std::string_view request) {
  RawConnection connection(port);
  connection.send(request);
  return receive_http(connection, !request.starts_with("HEAD "));
}

rapidjson::Document parse_json(std::string_view text) {
  rapidjson::Document document;
  document.Parse(text.data(), text.size());
  if (document.HasParseError()) throw std::runtime_error("not JSON: " + std::string(text.substr(0, 500)));
  return document;
}

}  // namespace minivault::test
