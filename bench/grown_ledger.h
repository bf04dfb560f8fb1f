// A ledger that is old already: entries written straight into the journal by the code that the writer uses,
// but for their signatures, which nobody verifies again but a full audit: they are random.
#pragma once

#include <filesystem>

#include "ledger/codec/command.h"
#include "ledger/log/note.h"

namespace windlass::bench {

constexpr core::AssetId asset{1};
constexpr core::Amount wealth = 1'000'000'000;  // of each account, before it opens channels
constexpr core::Amount deposit = 10'000'000;    // in each channel

struct Growth {
  std::uint64_t accounts = 3;   // at least
  std::uint64_t channels = 0;   // channel i is opened by account i % accounts, for the one after it
  std::uint64_t transfers = 0;  // among all accounts but the first
  std::uint64_t watched = 0;    // of these, spread evenly, by the first account

  std::uint64_t entries() const { return 1 + accounts + channels + transfers; }
  bool operator==(const Growth&) const = default;
};

// Keys are a function of their number, so that ten million need not be kept. They are consecutive: each
// public key is the one before and the generator, an eighth of the work of its own multiplication.
SecretKey secret_key(std::uint64_t account);
std::vector<core::Key> public_keys(std::uint64_t accounts);  // of the first so many
// Credits follow genesis, and channels the credits.
inline core::ChannelId channel_id(const Growth& growth, std::uint64_t channel) {
  return {1 + growth.accounts + channel};
}
inline std::uint64_t payer_of(const Growth& growth, std::uint64_t channel) {
  return channel % growth.accounts;
}
inline std::uint64_t recipient_of(const Growth& growth, std::uint64_t channel) {
  return (channel + 1) % growth.accounts;
}

// `url` is the server role's, of an empty ledger. Tiles and a checkpoint, signed by `signer`, come with it,
// so that the server has nothing to rebuild when it starts.
void grow(const std::string& url, const std::filesystem::path& log_directory, const log::NoteSigner& signer,
          const core::Genesis& genesis, const SecretKey& gateway, const Growth& growth);

}  // namespace windlass::bench
