#pragma once

#include <string_view>

#include "common/config/config.h"

namespace minivault::worker {

/// What a request does to the store, as far as authority is concerned.
enum class Access { kPublic, kRead, kWrite, kPeer };

/// Who may do what: the table of `-authmode`. Health is kPublic; SYNC is kPeer and always needs the key.
class AccessRules {
 public:
  explicit AccessRules(const Config& config) : key_(config.auth_key), mode_(config.auth_mode) {}

  [[nodiscard]] bool needs_key(Access access) const;
  /// Compares without telling by its duration how much was right. True where no key is configured.
  [[nodiscard]] bool is_key(std::string_view offered) const;

 private:
  std::string_view key_;
  AuthMode mode_;
};

}  // namespace minivault::worker
