// What can be asked of the ledger, decoded. The codec makes these from signed bytes; their static limits
// (lengths, signs) have been checked by then.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ledger/core/types.h"

namespace windlass::core {

// Kinds as they stand in leaves: stable numbers.
enum class Kind : std::uint16_t {
  genesis = 0,
  seal = 1,
  receipt = 2,
  transfer = 3,
  transfer_list = 4,
  open_channel = 5,
  top_up_channel = 6,
  close_channel = 7,
  rotate_key = 8,
  credit = 9,
  set_roles = 10,
  set_asset = 11,
  withdraw = 12,
  settle_withdrawal = 13,
  approve_withdrawal = 14,
  assign_deposit = 15,
  refuse_btfs = 16,
  btfs_transfer = 17,
  btfs_open_channel = 18,
  btfs_close_channel = 19,
  btfs_withdraw = 20,
  btfs_rotate_key = 21,
  book_chain_fees = 22,
};
constexpr Kind last_kind = Kind::book_chain_fees;
std::string_view name(Kind kind);

enum Role : std::uint32_t {
  role_operator = 1,
  role_gateway = 2,
  role_anchor = 4,
  role_auditor = 8,
  all_roles = 15
};

struct Receipt {
  ChannelId channel;
  Amount cumulative = 0;
};
struct Transfer {
  AssetId asset;
  Key recipient{};
  Amount amount = 0;
};
struct Payment {
  Key recipient{};
  Amount amount = 0;
};
struct TransferList {
  AssetId asset;
  std::vector<Payment> payments;
};
struct OpenChannel {
  AssetId asset;
  Key recipient{};
  Amount amount = 0;
  TimeUs expires_us = 0;
  Key receipt_key{};
  std::string content;  // 0, 20 or 32 bytes
};
struct TopUpChannel {
  ChannelId channel;
  Amount amount = 0;      // may be 0
  TimeUs expires_us = 0;  // 0: as it is
};
struct CloseChannel {
  ChannelId channel;
  struct LastReceipt {
    Receipt receipt;
    Key signer{};
  };
  std::optional<LastReceipt> last_receipt;
};
struct RotateKey {
  Key new_key{};
};

// Where on its chain a deposit stands: credits of one chain come in this order.
struct ChainCursor {
  std::uint64_t block = 0;
  std::uint32_t transaction = 0;
  std::uint32_t log = 0;
  auto operator<=>(const ChainCursor&) const = default;
};
struct Credit {
  AssetId asset;
  ChainAmount amount = 0;
  std::optional<Key> owner;
  std::uint32_t chain = 0;
  ChainCursor at;
};
// A deposit that was nobody's, by the sequence of its credit.
struct AssignDeposit {
  ChannelId deposit;
  Key owner{};
};

using ChainAddress = ByteArray<21>;
// Holds amount + fee until the gateway has paid `amount` out to `destination`, or cannot any more. Its id is
// the entry's sequence.
struct Withdraw {
  AssetId asset;
  Amount amount = 0;  // that arrives
  Amount fee = 0;     // the gateway's, where it pays
  ChainAddress destination{};
};
struct SettleWithdrawal {
  ChannelId withdrawal;
  bool paid = false;  // or given back
  // What the chain took for the transaction: the gateway's own account bears it. Zero: nothing.
  AssetId fee_asset;
  ChainAmount chain_fee = 0;
};
// What the chain took for all that the gateway moved of its own so far, in one sum as of receipts: so it can
// be booked again at any time, and nothing twice. The gateway's own account bears what was not booked yet.
struct BookChainFees {
  AssetId asset;
  ChainAmount cumulative = 0;
};
// A second signature for what is above the operator's threshold.
struct ApproveWithdrawal {
  ChannelId withdrawal;
};

// --- what clients of the historical BTFS ledger sign (docs/btfs.md). It names no ledger, no time and no
// nonce, so each is told from a repetition by an id of its own, and an account may refuse to be bound by any
// more of it.

// From now on, for good: nothing that is signed in that way takes from the signer's account, or gives it a
// channel.
struct RefuseBtfs {};
struct BtfsTransfer {
  Key recipient{};
  Amount amount = 0;
  Hash id{};  // of the signed message
};
// A channel without receipts or expiry, which its two parties close.
struct BtfsOpenChannel {
  Key recipient{};
  Amount amount = 0;
  Hash id{};  // of payer and payer_id
};
// How a channel ends.
struct BtfsChannelState {
  ChannelId channel;
  Key from{}, to{};  // its payer and recipient
  Amount from_balance = 0, to_balance = 0;
};
// Its recipient signs, and its payer too, but where everything goes back. (That a payer who leaves everything
// to the other might sign alone would be as fair, but a withdrawal begins with just such a state, for whoever
// sees it to use.)
struct BtfsCloseChannel {
  BtfsChannelState state;
  bool from_signed = false;
};
// Turns a channel to the gateway into a withdrawal of the same id: both parties signed both ends, everything
// to the gateway where it pays, everything back where it cannot.
struct BtfsWithdraw {
  BtfsChannelState paid;       // the other end is the reverse of it
  Amount fee = 0;              // that the gateway keeps of it
  ChainAddress destination{};  // the payer's own
};
struct BtfsRotateKey {
  Key new_key{};
};

struct SetRoles {
  Key key{};
  std::uint32_t roles = 0;
};
struct Asset {
  AssetId number;
  std::string symbol;
  std::uint32_t chain = 0;
  std::string token;
  std::uint32_t decimals = 0;
  std::uint64_t chain_units = 0;  // in one ledger unit
  Amount minimum_first_credit = 0;
  Amount minimum_channel = 0;
  Amount maximum_daily_credit = 0;  // 0: no bound
  bool operator==(const Asset&) const = default;
};
struct SetAsset {
  Asset asset;
};
struct Genesis {
  Key operator_key{};
  std::vector<SetRoles> roles;
  std::vector<Asset> assets;
};

// Sums over the whole ledger; the seal carries them, the invariants compare them.
struct AssetTotals {
  AssetId asset;
  Amount available = 0;
  Amount locked = 0;  // in channels: deposits less claims
  Amount held = 0;
  Amount unassigned = 0;
  ChainAmount dust = 0;
  ChainAmount credited = 0;
  ChainAmount paid = 0;
  ChainAmount chain_fees = 0;  // of `paid`, what BookChainFees booked
  bool operator==(const AssetTotals&) const = default;
};
struct Seal {
  std::vector<AssetTotals> totals;
  std::uint64_t accounts = 0;
};

using Body = std::variant<Genesis, Seal, Receipt, Transfer, TransferList, OpenChannel, TopUpChannel,
                          CloseChannel, RotateKey, Credit, SetRoles, SetAsset, Withdraw, SettleWithdrawal,
                          ApproveWithdrawal, AssignDeposit, RefuseBtfs, BtfsTransfer, BtfsOpenChannel,
                          BtfsCloseChannel, BtfsWithdraw, BtfsRotateKey, BookChainFees>;

struct Command {
  Key signer{};  // of a rotation: the old key. Unused by genesis and seals
  std::uint64_t nonce = 0;
  TimeUs expires_us = 0;  // of a historical client's: 0 where it never does
  Body body;
  Kind kind() const { return static_cast<Kind>(body.index()); }
};

}  // namespace windlass::core
