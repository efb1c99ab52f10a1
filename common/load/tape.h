#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/load/codec.h"
#include "common/load/key_choice.h"
#include "common/load/values.h"

namespace minivault::load {

/// Requests, encoded once, before the run: one after the other, so that a batch is one stretch of bytes which
/// is handed to the kernel as it is. Connections play it from different places, round and round. Unchanged
/// after it was made: any thread.
class Tape {
 public:
  struct Asked {
    std::uint64_t key = 0;
    bool get = false;
    bool wait = false;  ///< for replicas: nobody counts its answer
  };

  static constexpr std::uint64_t kRequests = 1U << 19U;

  struct Mix {
    Distribution distribution = Distribution::kUniform;
    std::uint64_t keys = 0;
    unsigned get_percent = 100;
    std::uint64_t seed = 1;
    std::uint64_t requests = kRequests;  ///< no more than this are needed
  };

  /// Requests for keys drawn at random: as many as fit kBytes, kRequests at most, a whole number of batches
  /// of `batch`, each with what the codec sends behind a pipeline.
  [[nodiscard]] static Tape random(const Codec& codec, const Values& values, const Mix& mix,
                                   std::size_t batch);
  /// A SET of each key of [first_key, last_key) in order, fewer where they would go far beyond kBytes: size()
  /// tells.
  [[nodiscard]] static Tape fill(const Codec& codec, const Values& values, std::uint64_t first_key,
                                 std::uint64_t last_key);

  [[nodiscard]] std::size_t size() const { return asked_.size(); }
  [[nodiscard]] Asked asked(std::size_t request) const { return asked_[request]; }
  /// REQUIRES: first + count <= size().
  [[nodiscard]] std::string_view bytes(std::size_t first, std::size_t count) const;

 private:
  static constexpr std::size_t kBytes = 64U << 20U;

  void append(const Codec& codec, const Values& values, Asked asked);
  /// What was asked by the bytes behind the last request.
  void add(Asked asked);

  std::string bytes_;
  std::vector<std::uint64_t> begins_{0};  ///< of each request, and the end of the last
  std::vector<Asked> asked_;
};

}  // namespace minivault::load
