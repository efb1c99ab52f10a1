#include "common/admin/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/admin/directory.h"
#include "common/archive/reader.h"
#include "common/client/http_client.h"

namespace minivault::admin {
namespace {

tl::unexpected<Error> about(const std::string& what, const Error& error) {
  return fail(error.code, what + ": " + error.message);
}

Status read_archive(const std::string& name, archive::Source source, const Begin& begin, const Visit& visit) {
  Result<archive::Reader> reader = archive::Reader::open(std::move(source));
  if (!reader) return about(name, reader.error());
  if (Status begun = begin(reader->header()); !begun) return begun;
  while (true) {
    const Result<std::optional<archive::Record>> record = reader->next();
    if (!record) return about(name, record.error());
    if (!*record) return {};
    if (Status visited = visit(**record); !visited) return visited;
  }
}

Status read_file(const std::string& path, const Begin& begin, const Visit& visit) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(path, errno);
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  const auto source = [&file](std::span<char> room) -> Result<std::size_t> {
    ssize_t got = 0;
    do {
      got = ::read(file.get(), room.data(), room.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) return fail_errno("read", errno);
    return static_cast<std::size_t>(got);
  };
  return read_archive(path, source, begin, visit);
}

Status read_node(const client::Address& address, const Arguments& arguments, const Begin& begin,
                 const Visit& visit) {
  Result<client::HttpClient> node =
      client::HttpClient::connect(address, arguments.auth_key, arguments.time_out);
  if (!node) return tl::unexpected(node.error());
  node->queue({.method = "GET", .target = "/_/backup"});
  const Result<client::HttpAnswer> answer = node->receive_head();
  if (!answer) return about(address.text(), answer.error());
  if (answer->status != 200) return fail(Code::kUnavailable, address.text() + ": " + answer->error());
  return read_archive(
      address.text(), [&](std::span<char> room) { return node->read_body(room); }, begin, visit);
}

Status read_directory(const std::string& path, const Begin& begin, const Visit& visit) {
  const Result<Directory> directory = Directory::open(path);
  if (!directory) return tl::unexpected(directory.error());
  if (Status whole = directory->holds_all(); !whole) return about(path, whole.error());
  if (Status begun = begin(directory->header()); !begun) return begun;
  return directory->visit(visit);
}

}  // namespace

Status read_records(const std::string& from, const Arguments& arguments, const Begin& begin,
                    const Visit& visit) {
  struct stat facts {};
  const bool exists = from.find("://") == std::string::npos && ::stat(from.c_str(), &facts) == 0;
  if (exists && S_ISDIR(facts.st_mode)) return read_directory(from, begin, visit);
  if (exists) return read_file(from, begin, visit);
  if (const Result<client::Address> address = client::parse_address(from)) {
    return read_node(*address, arguments, begin, visit);
  }
  return fail(Code::kNotFound, from + ": no such directory or file, and no address like host:3000");
}

}  // namespace minivault::admin
