#pragma once

namespace minivault::load {

/// Runs `minivault bench ADDRESS... [flags]`, with the arguments as main() got them, and prints what it
/// found. Returns the exit status: 0 done, 1 not done or requests failed (-errors-ok forgives these), 2 wrong
/// usage. SIGINT ends the run early, with the report of what was done.
int run_bench(int argc, char** argv);

}  // namespace minivault::load
