#include <iostream>

#include "common/admin/commands.h"
#include "common/admin/dump_line.h"
#include "common/admin/guard.h"
#include "common/admin/line_sorter.h"
#include "common/admin/progress.h"
#include "common/admin/source.h"

namespace minivault::admin {
namespace {

Status print(std::string_view text) {
  if (std::cout.write(text.data(), static_cast<std::streamsize>(text.size()))) return {};
  return fail(Code::kIo, "standard output cannot be written");
}

}  // namespace

int run_dump(const Arguments& arguments) {
  std::ios::sync_with_stdio(false);
  Progress progress("dump", "records", 0);
  LineSorter sorter(print);
  std::uint64_t records = 0;
  note_place(arguments.operands[0]);
  const auto begin = [&](const archive::Header& header) -> Status {
    progress.set_total(header.records);
    return {};
  };
  const auto visit = [&](const archive::Record& record) -> Status {
    progress.update(++records);
    if (record.operation != store::Operation::kSet) return {};
    note_place(arguments.operands[0], record.key);
    std::string line;
    append_dump_line(line, record);
    return sorter.add(record.key, std::move(line));
  };
  Status done = read_records(arguments.operands[0], arguments, begin, visit);
  if (done) done = sorter.flush();
  return done ? kDone : not_done(done.error().message);
}

}  // namespace minivault::admin
