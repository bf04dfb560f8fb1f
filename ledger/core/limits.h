// Every limit of the ledger's rules, with its reason. Those that an operator may set are in the
// configuration.
#pragma once

#include "ledger/core/types.h"

namespace windlass::core {

// A list's commit costs bytes, not entries: 1,024 payments are about 100 kB of Postgres and a millisecond of
// the writer.
constexpr std::size_t max_list_payments = 1024;
// The largest command: a list of 1,024 keys (33,792 bytes), amounts of at most 9 bytes each, and room for the
// rest.
constexpr std::size_t max_command_bytes = 48 * 1024;
constexpr std::size_t max_memo_bytes = 64;
// Replays are told from repeats by nonces: parallel senders of one account may arrive this far out of order.
constexpr std::size_t max_kept_nonces = 16;
// A captured command is worth nothing a day later; more would keep wallets' clocks irrelevant but replays
// possible.
constexpr TimeUs max_expiry_ahead_us = day_us;
// Between a channel's expiry and the payer's right to close it: the recipient's time to submit its last
// receipt.
constexpr TimeUs channel_grace_us = hour_us;
// Longer deposits are a mistake in the unit of time.
constexpr TimeUs max_channel_life_us = 10 * 366 * day_us;
// An account's snapshot leaf commits to its open channels: this bounds the work for one account.
constexpr std::size_t max_open_channels = 65'536;
constexpr std::size_t max_assets = 1024;
constexpr std::uint32_t max_decimals = 18;
constexpr std::size_t max_symbol_bytes = 12;
// Genesis and SetAsset carry texts; TRON's longest (a base58 contract) is 34.
constexpr std::size_t max_token_bytes = 64;
constexpr std::size_t max_origin_bytes = 200;
constexpr std::size_t max_genesis_roles = 64;

// What amounts of the historical BTFS protocol are of: TRON's TRC-10 of this id (docs/btfs.md).
constexpr std::uint32_t btfs_chain = 1;
constexpr std::string_view btfs_token = "1002000";

}  // namespace windlass::core
