#include <cinttypes>
#include <cstdio>

#include "common/admin/commands.h"
#include "common/admin/guard.h"
#include "common/admin/new_file.h"
#include "common/admin/progress.h"
#include "common/admin/source.h"
#include "common/archive/writer.h"

namespace minivault::admin {
namespace {

/// What comes is verified and written anew: a file exists only if all of it was right.
Status write_backup(const Arguments& arguments, NewFile& file, archive::Writer& writer,
                    archive::Header& header) {
  const std::string& from = arguments.operands[0];
  Progress progress("backup", "records", 0);
  const auto begin = [&](const archive::Header& found) {
    header = found;
    progress.set_total(found.records);
    return writer.begin(found);
  };
  const auto visit = [&](const archive::Record& record) {
    progress.update(writer.counts().records() + 1);
    note_place(from, record.key);
    return writer.add(record);
  };
  note_place(from);
  if (Status read = read_records(from, arguments, begin, visit); !read) return read;
  if (Status finished = writer.finish(); !finished) return finished;
  return file.publish();
}

}  // namespace

int run_backup(const Arguments& arguments) {
  Result<NewFile> file = NewFile::create(arguments.operands[1]);
  if (!file) return not_done(file.error().message);
  archive::Writer writer([&file](std::string_view bytes) { return file->write(bytes); });
  archive::Header header;
  const Status written = write_backup(arguments, *file, writer, header);
  if (!written) return not_done(written.error().message);
  std::printf("%s: %" PRIu64 " keys as of LSN %" PRIu64 " of node %016" PRIx64 ", %" PRIu64 " bytes\n",
              arguments.operands[1].c_str(), writer.counts().keys, header.lsn, header.node_id, file->size());
  return kDone;
}

}  // namespace minivault::admin
