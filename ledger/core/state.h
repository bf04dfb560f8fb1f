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

struct Account {
  AccountNumber number;
  Key key{};  // now; rotations change it
  std::uint32_t roles = 0;
  std::uint32_t open_channels = 0;           // that it pays for
  Sequence last = no_sequence;               // the newest entry that touched it
  absl::InlinedVector<Balance, 1> balances;  // by asset number
  absl::InlinedVector<NonceUse, 1> nonces;   // by nonce, at most max_kept_nonces
  bool operator==(const Account&) const = default;

  // Zero where it never had any.
  Balance balance(AssetId asset) const;
  // Made where there is none yet.
  Balance& change_balance(AssetId asset);
};

struct Channel {
  ChannelId id;
  AccountNumber payer;
  AccountNumber recipient;
  Key receipt_key{};
  AssetId asset;
  Amount deposit = 0;
  Amount claimed = 0;
  TimeUs expires_us = 0;
  std::string content;
  bool open = true;
  Sequence last = no_sequence;   // the newest entry that touched it
  Sequence claim = no_sequence;  // the newest entry that claimed from it
  Hash history{};  // SHA256(old || sequence || salted leaf of the posting), from zero; kept by whoever seals
                   // entries
  bool operator==(const Channel&) const = default;
};

// Which account a key belongs to, or belonged to.
struct KeyEntry {
  Key key{};
  AccountNumber account;
  Sequence rotated_at = no_sequence;  // the entry that rotated it away
  bool current() const { return rotated_at == no_sequence; }
  bool operator==(const KeyEntry&) const = default;
};

// What is small and always in memory.
struct Globals {
  Sequence next;  // of the next entry
  TimeUs last_time_us = 0;
  std::uint64_t accounts = 0;
  std::uint64_t open_channels = 0;
  std::vector<Asset> assets;                     // asset n stands at n - 1
  std::vector<AssetTotals> totals;               // likewise
  std::map<std::uint32_t, ChainCursor> cursors;  // by chain: the last credit's place
  bool operator==(const Globals&) const = default;
};

class State {
 public:
  // Complete: holds everything, nothing is ever loaded. Otherwise a cache over storage (table.h).
  explicit State(bool complete) : keys(complete), accounts(complete), channels(complete) {}

  Globals globals;
  Table<Key, KeyEntry> keys;
  Table<AccountNumber, Account> accounts;
  Table<ChannelId, Channel> channels;

  const Asset* asset(AssetId number) const;
  // The account that `key` belongs or belonged to.
  const KeyEntry* key_entry(const Key& key) const { return keys.find(key); }
  const Account& account(AccountNumber number) const;  // it exists
};

}  // namespace windlass::core
