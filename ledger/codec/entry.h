// Entries as they are stored and as the log commits to them. docs/formats.md describes every byte.
#pragma once

#include <algorithm>
#include <array>

#include "ledger/codec/envelope.h"
#include "ledger/core/apply.h"
#include "ledger/core/limits.h"
#include "ledger/log/merkle.h"

namespace windlass::codec {

// Genesis, seals, roles and assets are everybody's: their contents are shown whole, secret included.
constexpr std::array public_kinds{core::Kind::genesis, core::Kind::seal, core::Kind::set_roles,
                                  core::Kind::set_asset};
constexpr bool is_public(core::Kind kind) {
  return std::find(public_kinds.begin(), public_kinds.end(), kind) != public_kinds.end();
}

// The leaf: what the log commits to. Fixed layout, big-endian.
//   u8 version (1) || u64 sequence || i64 time_us || u16 kind || 32 SHA256(salt || envelope) || 32 postings
//   root
struct Leaf {
  core::Sequence sequence;
  core::TimeUs time_us = 0;
  core::Kind kind{};
  Hash envelope_hash{};
  Hash postings_root{};
  std::string encode() const;
  static std::optional<Leaf> decode(ByteView bytes);
};
constexpr std::size_t leaf_bytes = 1 + 8 + 8 + 2 + 32 + 32;

// 32 random bytes of each entry, from which its salts follow: SHA256(secret || u32 index), 0 for the
// envelope, 1 + i for posting i. Whoever has the secret can open the whole entry; a salt opens one part of
// it.
using Secret = Hash;
using Salt = Hash;
Salt salt(const Secret& secret, std::uint32_t index);

// Postings, fixed layouts:
//   account: u8 1 || u64 account || u32 asset || i64 available || i64 locked || i64 held || u64 previous
//   closing: u8 3 || the same || u64 channel || 32 history
//   channel: u8 2 || u64 channel || i64 deposit || i64 claimed || u64 previous
constexpr std::size_t account_posting_bytes = 1 + 8 + 4 + 3 * 8 + 8;
constexpr std::size_t closing_posting_bytes = account_posting_bytes + 8 + 32;
constexpr std::size_t channel_posting_bytes = 1 + 8 + 8 + 8 + 8;
std::string encode_posting(const core::Posting& posting);
std::optional<core::Posting> decode_posting(ByteView bytes);
// One after the other, as `entries.postings` holds them.
std::string encode_postings(const std::vector<core::Posting>& postings);
std::optional<std::vector<core::Posting>> decode_postings(ByteView bytes);
// The sequence that touched the account (or channel) before, as the posting says.
core::Sequence previous_of(const core::Posting& posting);

Hash posting_leaf_hash(const Salt& salt, ByteView posting);  // SHA256(0x00 || salt || posting)
// SHA256(old || u64 sequence || posting leaf hash): chains all that happened to an account or a channel.
Hash extend_history(const Hash& old, core::Sequence sequence, const Hash& posting_leaf);

// An accepted command with all that is stored of it.
struct Entry {
  core::Sequence sequence;
  core::TimeUs time_us = 0;
  core::Kind kind{};
  std::string envelope;
  Secret secret{};
  std::vector<core::Posting> postings;
  log::Tree posting_tree;  // over their salted hashes: the leaf commits to its root, proofs show its paths
  Leaf leaf;
  Hash leaf_hash{};
};

// What apply() just accepted, its hashes still missing: extends the touched channel's history in the state
// and writes it into a closing posting. In sequence order, right after apply().
Entry make_entry(core::State& state, const core::Command& command, core::Outcome outcome,
                 std::string envelope, core::TimeUs time_us, const Secret& secret);
// Computes the posting tree, the leaf and its hash: from the entry alone, so on any thread.
void seal(Entry& entry);
// Both at once.
Entry seal_entry(core::State& state, const core::Command& command, core::Outcome outcome,
                 std::string envelope, core::TimeUs time_us, const Secret& secret);

// Who a chain of entries belongs to, and whose chains an entry continues: pairs of that and the sequence
// before
// (-1: none), in the order of the postings. For walking histories in SQL; nothing hashes it.
std::int64_t link_of(core::AccountNumber account);
std::int64_t link_of(core::ChannelId channel);
std::vector<std::int64_t> links_of(const std::vector<core::Posting>& postings);

// The postings' salted leaf hashes, in order.
std::vector<Hash> posting_leaf_hashes(const std::vector<core::Posting>& postings, const Secret& secret);

// An account's leaf in a balance snapshot; fixed width.
//   u8 version (1) || 33 key || 21 TRON address || 32 balances root || u64 last sequence || 32 nonces hash ||
//   32 open channels root || 32 extra || 32 history hash
// Extra: zero, or SHA256 of the byte 01 where the account refuses what historical clients sign.
struct AccountLeaf {
  core::Key key{};
  ByteArray<21> address{};
  Hash balances_root{};
  core::Sequence last;
  Hash nonces_hash{};
  Hash channels_root{};
  Hash extra{};
  Hash history{};
  std::string encode() const;
  static std::optional<AccountLeaf> decode(ByteView bytes);
};
constexpr std::size_t account_leaf_bytes = 1 + 33 + 21 + 32 + 8 + 32 + 32 + 32 + 32;
// `open_channels` are those that it pays for.
AccountLeaf make_account_leaf(const core::Account& account, std::vector<const core::Channel*> open_channels,
                              const Hash& history);
// RFC 6962 root over {u32 asset || i64 available || i64 locked || i64 held} by asset, all-zero ones left out.
Hash balances_root(const core::Account& account);
// SHA256 of the kept pairs {u64 nonce || u64 sequence}, lowest first.
Hash nonces_hash(const core::Account& account);
// RFC 6962 root over {u64 id || i64 deposit || i64 claimed || u64 last sequence || 32 history} by id.
Hash channels_root(std::vector<const core::Channel*> open);

// The worst cases, so that no limit is passed by surprise: a list of 1,024 payments.
constexpr std::size_t max_envelope_bytes =
    4 + core::max_command_bytes + 1 + 4 * (1 + 33 + 1 + max_der_signature_bytes);
constexpr std::size_t max_postings = core::max_list_payments + 1;
constexpr std::size_t max_postings_bytes = max_postings * account_posting_bytes;
static_assert(leaf_bytes <= 65'535, "an entry bundle's lengths are 16 bits");
static_assert(core::max_list_payments * (33 + 9) + 128 + core::max_memo_bytes <= core::max_command_bytes,
              "the largest list must fit a command");
static_assert(max_envelope_bytes + max_postings_bytes <= 128 * 1024,
              "an entry stays far below a gRPC message and a TOAST datum");

}  // namespace windlass::codec
