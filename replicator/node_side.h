#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "common/client/connection.h"
#include "common/cluster/reconcile.h"

namespace minivault::replicator {

/// A node as one side of a comparison: one connection is a comparison, another takes records.
class NodeSide final : public cluster::Side {
 public:
  NodeSide(client::Connection comparison, client::Connection pushes)
      : comparison_(std::move(comparison)), pushes_(std::move(pushes)) {}

  /// Says hello on both connections, as whoever `hello` says, and begins the comparison. Errors: kUnavailable
  /// (not reachable, busy, or refused), kUnauthorized, kCorrupt.
  [[nodiscard]] Result<cluster::CompareReply> begin(const cluster::Hello& hello);

  Result<cluster::RangesPage> split(const cluster::SplitRequest& request) override;
  Result<cluster::RangesPage> sums(const cluster::SumsRequest& request) override;
  Result<std::vector<cluster::Fingerprint>> bucket_sums(const cluster::Span& span) override;
  Result<cluster::ItemsPage> items(const cluster::Span& span) override;
  Result<cluster::ItemsPage> crowd(const cluster::PageRequest& request) override;
  Result<cluster::ItemsPage> lookup(const cluster::LookupRequest& request) override;
  Result<cluster::RecordsPage> records(const cluster::PageRequest& request) override;
  Result<cluster::RecordsPage> fetch(const std::vector<std::string>& keys) override;
  void look_ahead(const cluster::PageRequest& request) override;
  /// Returns while the node still works on it: what goes wrong the next push tells, or settle().
  Status push(const std::vector<cluster::Record>& records) override;
  Ghosts take_refused() override { return std::exchange(refused_, {}); }
  Status settle() override;

  /// Messages in both directions, without their frames.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] Status tell(client::Connection& connection, std::string_view kind,
                            const std::string& message);
  [[nodiscard]] Result<std::string> told(client::Connection& connection);
  [[nodiscard]] Status push_told();
  [[nodiscard]] Result<std::string_view> ask(std::string_view kind, std::string_view request);
  [[nodiscard]] Result<std::string_view> asked();

  client::Connection comparison_;
  client::Connection pushes_;
  std::deque<Ghosts> under_way_;  ///< what each push brought that no answer has come to
  Ghosts refused_;
  std::string answer_;  ///< what the views of a page look into
  std::uint64_t bytes_ = 0;
};

}  // namespace minivault::replicator
