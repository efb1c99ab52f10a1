#pragma once

#include "common/admin/arguments.h"

/// One function a command: runs it, prints what it has to say, returns the exit status. The number of
/// operands is right.
namespace minivault::admin {

inline constexpr int kDone = 0;
inline constexpr int kNotDone = 1;
inline constexpr int kWrongUsage = 2;

int run_check(const Arguments& arguments);
int run_dump(const Arguments& arguments);
int run_load(const Arguments& arguments);
int run_backup(const Arguments& arguments);
int run_restore(const Arguments& arguments);
int run_new_id(const Arguments& arguments);
int run_cluster(const Arguments& arguments);
int run_repair(const Arguments& arguments);
int run_top(const Arguments& arguments);
int run_status(const Arguments& arguments);
int run_reload(const Arguments& arguments);
int run_drain(const Arguments& arguments);
/// All that stands behind the word: a node's flags are among it.
int run_config(std::span<const std::string_view> words);

/// `minivault: why` on standard error.
int not_done(const std::string& why);

}  // namespace minivault::admin
