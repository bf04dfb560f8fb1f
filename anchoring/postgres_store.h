// The store in Postgres (migrations/0002_anchoring.sql), as role windlass_anchor. The lease is an advisory
// lock of this session and the epoch that it raised; each write checks the epoch in its own transaction, so a
// process whose session died unnoticed, and whose lock another has, writes nothing.
#pragma once

#include "anchoring/store.h"
#include "ledger/journal/postgres.h"

namespace windlass::anchoring {

// Throws journal::DatabaseError; after one, make a new store and acquire again.
class PostgresStore final : public Store {
 public:
  explicit PostgresStore(const std::string& url);

  bool acquire() override;
  std::optional<Anchor> open_anchor() override;
  std::optional<Anchor> newest_solidified() override;
  std::vector<Anchor> newest_anchors(std::int64_t since_us, std::size_t limit) override;
  std::int64_t add_anchor(const Anchor& anchor) override;
  void save_anchor(const Anchor& anchor) override;
  std::optional<BlockPlace> cursor() override;
  void save_cursor(const BlockPlace& cursor, const AddressChanges& changes) override;
  std::map<tron::Address, DepositAddress> deposit_addresses(const std::set<tron::Address>& of) override;
  AddressTotals address_totals() override;
  std::optional<Deposit> deposit(const Hash& transaction_id, std::uint32_t log) override;
  void save_deposit(const Deposit& deposit) override;
  std::map<core::AssetId, core::ChainAmount> deposited_since(std::int64_t since_us) override;
  std::vector<Payment> open_payments() override;
  std::optional<Payment> newest_payment(core::ChannelId withdrawal) override;
  std::map<core::AssetId, core::ChainAmount> paid_since(std::int64_t since_us) override;
  std::map<core::AssetId, core::ChainAmount> signed_since(std::int64_t since_us) override;
  void add_payment(const Payment& payment) override;
  void save_payment(const Payment& payment) override;
  void publish_terms(const std::vector<PublishedTerms>& terms) override;
  std::vector<ExchangeDeposit> open_exchange_deposits() override;
  std::optional<ExchangeDeposit> exchange_deposit(std::int64_t id) override;
  std::optional<ExchangeDeposit> exchange_deposit(const PublicKey& user, std::int64_t out_tx_id) override;
  std::int64_t add_exchange_deposit(const ExchangeDeposit& deposit) override;
  void save_exchange_deposit(const ExchangeDeposit& deposit) override;
  void drop_exchange_deposit(std::int64_t id) override;
  std::vector<ExchangeWithdrawal> open_exchange_withdrawals() override;
  std::optional<ExchangeWithdrawal> exchange_withdrawal(std::int64_t id) override;
  std::optional<ExchangeWithdrawal> exchange_withdrawal(const PublicKey& user,
                                                        std::int64_t out_tx_id) override;
  std::optional<ExchangeWithdrawal> exchange_withdrawal(core::ChannelId channel) override;
  std::int64_t add_exchange_withdrawal(const ExchangeWithdrawal& withdrawal) override;
  void save_exchange_withdrawal(const ExchangeWithdrawal& withdrawal) override;
  void drop_exchange_withdrawal(std::int64_t id) override;
  std::vector<Holding> holdings(core::AssetId asset, core::ChainAmount minimum, std::size_t limit) override;
  std::vector<Sweep> open_sweeps() override;
  void add_sweep(const Sweep& sweep) override;
  void save_sweep(const Sweep& sweep) override;
  Controls controls() override;
  void save_stopped() override;

  // For the operator's commands, which hold no lease: changes what controls() answers, at once and for good.
  Controls change_controls(const std::function<void(Controls&)>& change);

 private:
  template <typename Write>
  auto fenced(Write write);
  std::map<core::AssetId, core::ChainAmount> sums(const journal::Statement& statement, std::int64_t since_us);

  journal::Connection connection_;
  std::int64_t epoch_ = 0;
};

}  // namespace windlass::anchoring
