#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace minivault::admin {

/// Runs `work` in a child process and returns its exit status. LMDB trusts its file: pages that are damaged
/// in the right places make it read where nothing is. Then the child dies, and this says so, with what
/// note_place() said last, and returns 1.
int run_guarded(const std::function<int()>& work);

/// Where the work is: a few words, kept for run_guarded() to tell. Costs a copy.
void note_place(std::string_view what, std::string_view key = {});

}  // namespace minivault::admin
