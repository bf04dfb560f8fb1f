// The ledger's rules a second time, written to be seen to be right and for nothing else: ordered maps, plain
// loops, 128-bit sums, nothing stored that can be counted. It shares the core's words (commands, answers,
// errors, limits) and none of its code: the property tests hold the core against it.
#pragma once

#include <map>
#include <set>

#include "ledger/core/apply.h"

namespace windlass::core {

// What the gateway says before the entry of that number: in these tests it changes its mind with every one.
std::optional<WithdrawalTerms> some_terms(AssetId asset, Sequence next);
inline TermsOf terms_at(const State& state) {
  return [next = state.globals.next](AssetId asset) { return some_terms(asset, next); };
}

class Model {
 public:
  struct Account {
    Key key{};  // now
    std::uint32_t roles = 0;
    std::map<AssetId, Int128> available;
    std::set<ChannelId> paying_for;                 // open channels
    std::set<ChannelId> withdrawing;                // withdrawals under way
    std::map<std::uint64_t, Sequence> used_nonces;  // all of them, with the entries that used them
    std::vector<Sequence> entries;                  // that touched it
    bool refuses_btfs = false;
  };
  struct Channel {
    OpenChannel terms;  // as now: top-ups change amount and expiry. Of a historical one: the payer's key
                        // stands as the receipts'
    std::uint64_t payer = 0;
    std::uint64_t recipient = 0;
    Int128 claimed = 0;
    bool open = true;
    bool btfs = false;              // opened by a historical client
    std::vector<Sequence> entries;  // that touched it
    std::vector<Sequence> claims;   // those of them that claimed
  };

  struct Withdrawal {
    Withdraw terms;
    std::uint64_t owner = 0;
    bool open = true, paid = false;
    std::vector<Sequence> entries, approvals;
    std::optional<Channel> was;  // the historical channel that it came from
  };
  struct Deposit {  // of nobody
    AssetId asset;
    Amount amount = 0;
    std::uint64_t gateway = 0;
    bool assigned = false;
    std::vector<Sequence> entries;
  };

  Outcome apply(const Command& command, TimeUs now_us);

  std::uint64_t size() const { return size_; }  // entries
  const std::vector<Account>& accounts() const { return accounts_; }
  // Historical ones too, until they become withdrawals.
  const std::map<ChannelId, Channel>& channels() const { return channels_; }
  const std::map<ChannelId, Withdrawal>& withdrawals() const { return withdrawals_; }
  const std::map<ChannelId, Deposit>& deposits() const { return deposits_; }
  const std::vector<Asset>& assets() const { return assets_; }
  // Whose `key` is or was.
  std::optional<std::uint64_t> owner(const Key& key) const;
  const std::map<Key, std::uint64_t>& owners() const { return owners_; }
  bool rotated_away(const Key& key) const { return rotations_.contains(key); }
  Int128 available(std::uint64_t account, AssetId asset) const;
  ChainAmount chain_fees(AssetId asset) const;  // booked so far
  Int128 locked(std::uint64_t account, AssetId asset) const;
  Int128 held(std::uint64_t account, AssetId asset) const;
  Int128 unassigned(AssetId asset) const;
  Balance balance(std::uint64_t account, AssetId asset) const;
  std::map<std::uint64_t, Sequence> kept_nonces(std::uint64_t account) const;
  std::vector<AssetTotals> totals() const;
  const std::map<std::uint32_t, ChainCursor>& cursors() const { return cursors_; }
  std::optional<AssetId> btfs_asset() const;
  // The entries that messages of historical clients became, by the messages' ids.
  const std::map<Hash, Sequence>& btfs_uses() const { return btfs_uses_; }

  // How `state` differs from this, in words; nothing when it does not. `account` exists here, and something
  // is set aside as `channel`.
  std::optional<std::string> difference_of_account(const State& state, std::uint64_t account) const;
  std::optional<std::string> difference_of_channel(const State& state, ChannelId channel) const;
  std::optional<std::string> difference(const State& state) const;  // in anything at all

 private:
  using Faults = std::set<Error>;  // all that apply; the first in the order of errors is the answer

  std::optional<Outcome> known_already(const Command& command) const;
  Faults signer_faults(const Command& command) const;
  Faults btfs_signer_faults(const Command& command) const;
  Faults faults(const Genesis&, const Key& signer) const;
  Faults faults(const Seal&, const Key& signer) const;
  Faults faults(const Receipt&, const Key& signer) const;
  Faults faults(const Transfer&, const Key& signer) const;
  Faults faults(const TransferList&, const Key& signer) const;
  Faults faults(const OpenChannel&, const Key& signer) const;
  Faults faults(const TopUpChannel&, const Key& signer) const;
  Faults faults(const CloseChannel&, const Key& signer) const;
  Faults faults(const RotateKey&, const Key& signer) const;
  Faults faults(const Credit&, const Key& signer) const;
  Faults faults(const SetRoles&, const Key& signer) const;
  Faults faults(const SetAsset&, const Key& signer) const;
  Faults faults(const Withdraw&, const Key& signer) const;
  Faults faults(const SettleWithdrawal&, const Key& signer) const;
  Faults faults(const ApproveWithdrawal&, const Key& signer) const;
  Faults faults(const AssignDeposit&, const Key& signer) const;
  Faults faults(const BookChainFees&, const Key& signer) const;
  Faults faults(const RefuseBtfs&, const Key& signer) const;
  Faults faults(const BtfsTransfer&, const Key& signer) const;
  Faults faults(const BtfsOpenChannel&, const Key& signer) const;
  Faults faults(const BtfsCloseChannel&, const Key& signer) const;
  Faults faults(const BtfsWithdraw&, const Key& signer) const;
  Faults faults(const BtfsRotateKey&, const Key& signer) const;
  Faults state_faults(const BtfsChannelState& agreed) const;
  void claim_faults(const Channel& channel, const Receipt& receipt, const Key& signer, Faults& faults) const;
  void payment_faults(AssetId asset, const std::vector<Payment>& payments, const Key& signer,
                      Faults& faults) const;
  void deposit_faults(AssetId asset, Amount amount, const Key& signer, Faults& faults) const;
  void fee_faults(AssetId of, ChainAmount fee, const Key& signer, Faults& faults) const;
  bool life_is_bad(TimeUs expires_us) const;

  void carry_out(const Genesis&, const Key& signer);
  void carry_out(const Seal&, const Key& signer);
  void carry_out(const Receipt&, const Key& signer);
  void carry_out(const Transfer&, const Key& signer);
  void carry_out(const TransferList&, const Key& signer);
  void carry_out(const OpenChannel&, const Key& signer);
  void carry_out(const TopUpChannel&, const Key& signer);
  void carry_out(const CloseChannel&, const Key& signer);
  void carry_out(const RotateKey&, const Key& signer);
  void carry_out(const Credit&, const Key& signer);
  void carry_out(const SetRoles&, const Key& signer);
  void carry_out(const SetAsset&, const Key& signer);
  void carry_out(const Withdraw&, const Key& signer);
  void carry_out(const SettleWithdrawal&, const Key& signer);
  void carry_out(const ApproveWithdrawal&, const Key& signer);
  void carry_out(const AssignDeposit&, const Key& signer);
  void carry_out(const BookChainFees&, const Key& signer);
  void carry_out(const RefuseBtfs&, const Key& signer);
  void carry_out(const BtfsTransfer&, const Key& signer);
  void carry_out(const BtfsOpenChannel&, const Key& signer);
  void carry_out(const BtfsCloseChannel&, const Key& signer);
  void carry_out(const BtfsWithdraw&, const Key& signer);
  void carry_out(const BtfsRotateKey&, const Key& signer);
  void bear_fee(std::uint64_t gateway, AssetId of, ChainAmount fee);
  void close(ChannelId id);
  void claim(ChannelId id, Amount cumulative);

  // Windlass' own; nothing where there is none of that id, or it is a historical client's.
  const Channel* own_channel(ChannelId id) const;
  const Channel* btfs_channel(ChannelId id) const;
  bool exists(AssetId asset) const;
  const Asset& asset(AssetId number) const { return assets_.at(number.value - 1); }
  std::uint64_t find_or_make(const Key& key);
  void name(std::uint64_t account, AssetId asset = no_asset);
  std::vector<Posting> write_entry();
  std::optional<Posting> posting_of_set_aside();
  std::optional<std::string> difference_of_set_aside(const core::Channel& theirs,
                                                     const core::Channel& mine) const;

  std::uint64_t size_ = 0;
  TimeUs now_us_ = 0;
  std::vector<Account> accounts_;
  std::map<Key, std::uint64_t> owners_;  // every key that ever was
  std::map<Key, Sequence> rotations_;    // the entry that rotated a key away
  std::map<ChannelId, Channel> channels_;
  std::vector<Asset> assets_;
  std::map<ChannelId, Withdrawal> withdrawals_;
  std::map<ChannelId, Deposit> deposits_;
  std::map<AssetId, ChainAmount> credited_, dust_, paid_, chain_fees_;
  std::map<std::pair<std::int64_t, AssetId>, Int128> credited_on_;  // a day, in ledger units
  std::map<std::uint32_t, ChainCursor> cursors_;
  std::map<Hash, Sequence> btfs_uses_;

  // Of the entry being written.
  std::set<std::pair<std::uint64_t, AssetId>> named_accounts_;
  std::optional<ChannelId> named_channel_;  // or withdrawal, or deposit
  bool closes_ = false;
};

}  // namespace windlass::core
