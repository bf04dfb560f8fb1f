// The ledger's state: what replaying its entries gives. Pure data; apply.h holds the rules.
#pragma once

#include <absl/container/inlined_vector.h>

#include <map>

#include "ledger/core/command.h"
#include "ledger/core/table.h"

namespace windlass::core {

struct Balance {
  AssetId asset;
  Amount available = 0;
  Amount locked = 0;  // the deposits of its open channels, in full
  Amount held = 0;    // for withdrawals under way
  bool operator==(const Balance&) const = default;
};

struct NonceUse {
  std::uint64_t nonce = 0;
  Sequence sequence;
  bool operator==(const NonceUse&) const = default;
};

// Most accounts have one asset, and many pay no more than once in a while.
constexpr std::size_t inlined_balances = 1, inlined_nonces = 1;
struct Account {
  AccountNumber number;
  Key key{};  // now; rotations change it
  std::uint32_t roles = 0;
  std::uint32_t open_channels = 0;                          // that it pays for; its withdrawals under way too
  Sequence last = no_sequence;                              // the newest entry that touched it
  absl::InlinedVector<Balance, inlined_balances> balances;  // by asset number
  absl::InlinedVector<NonceUse, inlined_nonces> nonces;     // by nonce, at most max_kept_nonces
  bool refuses_btfs = false;                                // RefuseBtfs, for good
  bool operator==(const Account&) const = default;

  // Zero where it never had any.
  Balance balance(AssetId asset) const;
  // Made where there is none yet.
  Balance& change_balance(AssetId asset);
};

// What an amount that was set aside by an entry, and stays so until another entry ends it, is for. All of
// these are kept as channels: set aside is `deposit`, what it was used up by is `claimed`.
enum class Purpose : std::uint8_t {
  channel = 0,     // the recipient's, as far as receipts claim it: part of the payer's `locked`
  withdrawal = 1,  // leaves for the chain: part of the payer's `held`; payer and recipient are its owner
  deposit = 2,     // nobody's until it is assigned: part of the asset's `unassigned`; payer and recipient are
                   // the gateway that credited it
  btfs_channel = 3,  // of the historical protocol: like a channel, but without receipts and expiry
};

struct Channel {
  ChannelId id;
  Purpose purpose = Purpose::channel;
  AccountNumber payer;
  AccountNumber recipient;
  Key receipt_key{};
  AssetId asset;
  Amount deposit = 0;
  Amount claimed = 0;
  Amount fee = 0;  // of a withdrawal: the gateway's part of the deposit
  TimeUs expires_us = 0;
  std::string content;  // of a withdrawal: its destination, 21 bytes
  bool open = true;
  Sequence last = no_sequence;   // the newest entry that touched it
  Sequence claim = no_sequence;  // the newest entry that claimed from it; of a withdrawal: that approved it
  Hash history{};  // SHA256(old || sequence || salted leaf of the posting), from zero; kept by whoever seals
                   // entries
  bool operator==(const Channel&) const = default;
};

// What an allocation takes beside what is asked for.
constexpr std::size_t bytes_around_an_allocation = 16;
inline std::size_t heap_bytes(const Account& account) {
  auto of = [](const auto& vector, std::size_t inlined) {
    if (vector.capacity() <= inlined) return std::size_t{0};
    return vector.capacity() * sizeof(vector[0]) + bytes_around_an_allocation;
  };
  return of(account.balances, inlined_balances) + of(account.nonces, inlined_nonces);
}
inline std::size_t heap_bytes(const Channel& channel) {
  constexpr std::size_t inlined = 15;  // by libstdc++
  if (channel.content.capacity() <= inlined) return 0;
  return channel.content.capacity() + bytes_around_an_allocation;
}

// Which account a key belongs to, or belonged to.
struct KeyEntry {
  Key key{};
  AccountNumber account;
  Sequence rotated_at = no_sequence;  // the entry that rotated it away
  bool current() const { return rotated_at == no_sequence; }
  bool operator==(const KeyEntry&) const = default;
};

// The entry that a historical client's message became: by its id it is known when it comes again.
struct BtfsUse {
  Hash id{};
  Sequence sequence;
  bool operator==(const BtfsUse&) const = default;
};

// What was credited of an asset in one day: the core itself bounds what a gateway gone wrong could make.
struct DailyCredit {
  std::int64_t day = 0;  // since 1970, by the entries' time
  Amount amount = 0;
  bool operator==(const DailyCredit&) const = default;
};

// What is small and always in memory.
struct Globals {
  Sequence next;  // of the next entry
  TimeUs last_time_us = 0;
  std::uint64_t accounts = 0;
  std::uint64_t open_channels = 0;               // and withdrawals under way
  std::vector<Asset> assets;                     // asset n stands at n - 1
  std::vector<AssetTotals> totals;               // likewise
  std::vector<DailyCredit> daily_credits;        // likewise
  std::map<std::uint32_t, ChainCursor> cursors;  // by chain: the last credit's place
  bool operator==(const Globals&) const = default;
};

class State {
 public:
  // Complete: holds everything, nothing is ever loaded. Otherwise a cache over storage (table.h).
  explicit State(bool complete)
      : keys(complete), accounts(complete), channels(complete), btfs_uses(complete) {}

  Globals globals;
  Table<Key, KeyEntry> keys;
  Table<AccountNumber, Account> accounts;
  Table<ChannelId, Channel> channels;
  Table<Hash, BtfsUse> btfs_uses;

  const Asset* asset(AssetId number) const;
  // The one that historical clients mean: TRON's TRC-10 1002000.
  const Asset* btfs_asset() const;
  // Nothing where there is none of this id, or it is something else.
  const Channel* find(ChannelId id, Purpose purpose) const;
  // The account that `key` belongs or belonged to.
  const KeyEntry* key_entry(const Key& key) const { return keys.find(key); }
  const Account& account(AccountNumber number) const;  // it exists
};

}  // namespace windlass::core
