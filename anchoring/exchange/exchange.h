// protocol.Exchange, as the clients of the historical BTFS ledger call it (docs/btfs.md): deposits and
// withdrawals of TRC-10 BTT. Their requests are unsigned and their ids no secret, so neither decides where
// money goes.
//
//   deposit:     prepared -> signed -> landed or failed     or dropped, where nobody signs; or expired
//   withdrawal:  prepared -> bound to a channel             or dropped, where no Withdraw follows
//
// What the user signs is a transfer from its own address to custody, like any other: the scan of solidified
// blocks finds it, credits it (gateway/scanner.h) and tells what became of it. The ledger turns the channel
// into a withdrawal of the same id, which the payer pays and settles (gateway/payer.h); a channel that
// nothing came of is closed in the user's favour.
//
// Every answer has a Response; its words say what was wrong and what would be right. Exceptions are the
// store's.
#pragma once

#include <btfs/exchange.pb.h>
#include <windlass/v1/exchange.pb.h>

#include "anchoring/ledger_client.h"
#include "anchoring/store.h"

namespace windlass::anchoring {

// What the historical clients print, in micro-BTT: they take no figures from the answer.
constexpr core::Amount least_exchange_deposit = 10'000'000;
constexpr core::Amount least_exchange_withdrawal = 1'000'000'000;
constexpr core::Amount most_exchanged = 1'000'000'000'000;
// Anybody can prepare for anybody: what was prepared and never used is bounded, of each key and in all.
constexpr std::size_t prepared_per_user = 16;
constexpr std::size_t prepared_in_all = 10'000;
// The client signs at once; from then on it may land.
constexpr std::int64_t exchange_deposit_life_ms = 10 * 60 * 1000;
// The client opens its channel and asks for the withdrawal at once. What no Withdraw followed goes back.
constexpr core::TimeUs exchange_withdrawal_life_us = core::hour_us;
constexpr std::int64_t exchange_cleaning_interval_ms = 60'000;
// Deposits sent in one step, so that the others in the thread go on meanwhile.
constexpr std::size_t exchange_sent_per_step = 32;

struct ExchangeOptions {
  tron::Address custody;
  core::Amount minimum_withdrawal = least_exchange_withdrawal;
};

// Not thread-safe: it belongs to the thread that has the store.
class Exchange {
 public:
  // `gateway_key` signs channel states, and holds the gateway's role on the ledger. `terms`: what the gateway
  // pays out now.
  Exchange(ExchangeOptions options, SecretKey gateway_key, const Clock& clock, tron::Chain& chain,
           LedgerClient& ledger, Store& store, core::TermsOf terms);

  protocol::PrepareDepositResponse prepare_deposit(const protocol::PrepareDepositRequest& request);
  protocol::DepositResponse deposit(const protocol::DepositRequest& request);
  protocol::ConfirmDepositResponse confirm_deposit(const protocol::ConfirmDepositRequest& request);
  protocol::PrepareWithdrawResponse prepare_withdraw(const protocol::PrepareWithdrawRequest& request);
  v1::AcceptWithdrawalResponse accept_withdrawal(const protocol::WithdrawRequest& request);
  protocol::QueryTransactionResponse query_transaction(const protocol::QueryTransactionRequest& request);
  protocol::ActivateAccountResponse activate_account(const protocol::ActivateAccountRequest& request);

  // Called by the scan with every solidified block, in order, before its cursor moves behind it.
  void meet(const tron::Block& block);
  // Sends what is signed and in no block, drops what was prepared and not used, gives back what channels to
  // the gateway hold that no Withdraw followed. A text says what is wrong.
  tl::expected<void, std::string> step();

 private:
  using Code = protocol::Response::return_code;
  struct Refusal {
    Code code;
    std::string words;
  };
  template <typename T>
  using Result = tl::expected<T, Refusal>;
  template <typename Answer, typename Fill>
  static Answer answer(Fill fill);
  static tl::unexpected<Refusal> refuse(Code code, std::string words) {
    return tl::unexpected(Refusal{code, std::move(words)});
  }

  // --- deposits
  Result<ExchangeDeposit> deposit_of(const protocol::PrepareDepositRequest& request);
  Result<ExchangeDeposit> make_deposit(const PublicKey& user, const protocol::PrepareDepositRequest& request);
  Result<void> check_can_pay(const tron::Address& user, core::Amount amount, ByteView raw_data);
  Result<void> sign(ExchangeDeposit& deposit, const protocol::TronTransaction& transaction);
  Result<std::string> send(const ExchangeDeposit& deposit);
  Result<ExchangeDeposit> find_deposit(std::int64_t id);
  // The sequence of its credit, once there is one.
  std::optional<core::Sequence> credit_of(const ExchangeDeposit& deposit);
  void save(const ExchangeDeposit& deposit);
  void drop_deposit(std::int64_t id);
  tl::expected<void, std::string> send_all();
  // --- withdrawals
  Result<ExchangeWithdrawal> withdrawal_of(const protocol::PrepareWithdrawRequest& request);
  Result<void> check_payable(core::AssetId asset, core::Amount amount);
  Result<void> accept(const protocol::WithdrawRequest& request, v1::AcceptWithdrawalResponse& out);
  Result<void> bind(ExchangeWithdrawal withdrawal, core::ChannelId channel);
  tl::expected<void, std::string> give_back_idle();
  tl::expected<void, std::string> give_back(const BtfsChannel& channel);
  void drop_unused_withdrawals();
  // --- both
  Result<core::Asset> btt();
  bool is_given_back(const ExchangeWithdrawal& withdrawal);
  void query(const ExchangeDeposit& deposit, protocol::QueryTransactionResponse& out);
  void query(const ExchangeWithdrawal& withdrawal, protocol::QueryTransactionResponse& out);

  ExchangeOptions options_;
  SecretKey key_;
  const Clock& clock_;
  tron::Chain& chain_;
  LedgerClient& ledger_;
  Store& store_;
  core::TermsOf terms_;
  // What the store has of these, of which this process is the only writer.
  std::map<std::int64_t, ExchangeDeposit> open_deposits_;
  std::map<std::int64_t, ExchangeWithdrawal> open_withdrawals_;
  // What a restart may forget.
  std::map<std::int64_t, std::int64_t> sent_ms_;  // deposits, and when they were sent last
  std::int64_t cleaned_ms_ = 0;
  tl::expected<void, std::string> cleaned_;  // how that went
  std::int64_t last_timestamp_ms_ = 0;  // no two transactions have the same: their ids could be the same too
};

}  // namespace windlass::anchoring
