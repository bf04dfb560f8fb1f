// Which transactions of a block are deposits, and whose. What decides is what the chain executed and checked:
// contract type, contractRet, custody as the recipient, and the token's id or the contract that logged it
// (names can be anybody's).
#pragma once

#include <algorithm>
#include <set>

#include "anchoring/store.h"

namespace windlass::anchoring {

constexpr std::uint32_t tron_chain = 1;  // Asset.chain and Credit.chain in command.proto

// Who is who on the chain.
struct Parties {
  tron::Address custody;  // deposits go to it
  tron::Address anchor;  // anchors come from it, perhaps to custody: no deposits, or each would need the next
  // Those of accounts, and what is sent on from them to custody is no deposit. Only those that the block
  // touches need be here.
  std::set<tron::Address> deposit_addresses = {};
  std::vector<tron::Address> cold = {};  // hold a part of custody; what comes back from them is no deposit

  bool is_ours(const tron::Address& address) const {
    return address == custody || deposit_addresses.contains(address);
  }
  // What comes from there was ours before.
  bool is_within(const tron::Address& address) const {
    return is_ours(address) || std::find(cold.begin(), cold.end(), address) != cold.end();
  }
};

// A transfer of something to custody or to a deposit address that really happened.
struct Arrival {
  const tron::ChainTransaction* transaction = nullptr;
  std::uint32_t index = 0;  // of the transaction in its block
  std::uint32_t log = 0;    // of a TRC-20 transfer in its transaction; of TRX and TRC-10 there is one
  tron::Address source;
  std::string token;  // as assets name it: nothing for TRX, a TRC-10 id, or the address of a TRC-20 contract
  core::ChainAmount amount = 0;
  tron::Address to;
};

// What the transactions of a solidified block did, one for one in their order: all of them where any ran a
// contract, else none. The error says why that cannot be told (yet).
tl::expected<std::vector<tron::Execution>, std::string> executions_of(tron::Chain& chain,
                                                                      const tron::Block& block);
tl::expected<std::vector<tron::Execution>, std::string> all_executions_of(tron::Chain& chain,
                                                                          const tron::Block& block);
// In `block`, in its order; `executions` are those of executions_of. Contracts log what they please: whether
// the token is one of the ledger's, asset_of tells.
std::vector<Arrival> arrivals(const tron::Block& block, const std::vector<tron::Execution>& executions,
                              const Parties& parties);

// Every address that something came to or left in the block: which of them are deposit addresses, the caller
// looks up.
std::set<tron::Address> addresses_in(const tron::Block& block,
                                     const std::vector<tron::Execution>& executions);
// Whether a transaction of the block took something from a deposit address, or sent TRX there to pay for
// that: what it cost, all executions of the block must tell.
bool sweeps(const tron::Block& block, const Parties& parties);
// Of the ledger's assets. `executions` are those of all transactions where `sweeps`.
AddressChanges address_changes(const tron::Block& block, const std::vector<tron::Execution>& executions,
                               const Parties& parties, const std::vector<core::Asset>& assets);

// The listed asset that `token` is on TRON.
const core::Asset* asset_of(const std::vector<core::Asset>& assets, std::string_view token);

// The key that a memo names: 66 hex digits of either case, 0x before them or not, or the 33 bytes themselves;
// nothing when that is no point on the curve.
std::optional<PublicKey> key_in_memo(ByteView memo);
// Of what came to custody: of the memo, else that of whom it came from, as the signature shows it (not where
// several signed, a key that was merely given permission, or somebody else who had it moved).
std::optional<PublicKey> owner_of(const Arrival& arrival);

}  // namespace windlass::anchoring
