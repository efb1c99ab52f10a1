#pragma once

#include <array>
#include <map>
#include <random>
#include <string>

#include "common/store/base_page_account.h"
#include "tests/store/base_support.h"
#include "tests/support/base_pages.h"

/// What the tests of the account of a base's pages share.
namespace minivault::store::base_account_support {

using namespace base_support;
using test::BasePages;

/// What a base holds: key, value.
using Model = std::map<std::string, std::string>;

/// What is told of a file, a line each; else why it cannot be looked at.
inline std::string account(const std::string& file, base::PageAccount* drawn = nullptr) {
  std::string told;
  const auto result = base::account_for_pages(file, {[&](const std::string& what) {
                                                       told += what + "\n";
                                                       return true;
                                                     },
                                                     {}});
  if (result && drawn != nullptr) *drawn = *result;
  return result ? told : result.error().message;
}

inline std::string random_key(std::mt19937_64& random) {
  std::string key = "key " + std::to_string(random() % 3'000);
  if (random() % 10 == 0) key = std::string(480 + random() % 200, 'k') + key;
  return key;
}

inline std::string random_value(std::mt19937_64& random) {
  static constexpr std::array<std::size_t, 6> kSizes{0, 20, 200, 2'500, 9'000, 300'000};
  const auto kind = random() % 40;
  return std::string(kSizes[kind == 0 ? 5 : kind % 5] + random() % 100,
                     static_cast<char>('a' + random() % 26));
}

/// A commit of anything; `model` is what the base then holds.
inline void write(Base& base, std::mt19937_64& random, std::uint64_t hlc, Model& model) {
  auto transaction = must(base.begin());
  const auto changes = random() % 200;
  for (std::size_t i = 0; i < changes; ++i) {
    const std::string key = random_key(random);
    if (random() % 3 != 0) {
      const std::string value = random_value(random);
      must(transaction.apply(key, set(hlc, value), true));
      model[key] = value;
    } else {
      must(transaction.apply(key, tombstone(hlc), random() % 2 == 0));
      model.erase(key);
    }
  }
  if (random() % 4 == 0) (void)must(transaction.sweep("", 5'000, hlc - 1));
  const std::string text = std::to_string(hlc);
  BaseRecord note = set(hlc, text);
  note.operation = Operation::kNote;
  must(transaction.apply_note("note", note));
  must(transaction.commit());
}

inline Model make_base(const std::string& directory, std::mt19937_64& random, unsigned commits) {
  Model model;
  auto base = must(Base::open_writer(directory, kMapBytes));
  for (unsigned i = 0; i < commits; ++i) write(base, random, i + 2, model);
  return model;
}

}  // namespace minivault::store::base_account_support
