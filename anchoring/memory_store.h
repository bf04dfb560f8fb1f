// The store without a database: for tests and simulations. Several processes are several stores over one
// MemoryTables.
#pragma once

#include <functional>
#include <map>

#include "anchoring/store.h"

namespace windlass::anchoring {

struct MemoryTables {
  std::map<std::int64_t, Anchor> anchors;
  std::map<std::pair<Hash, std::uint32_t>, Deposit> deposits;  // by transaction id and log
  std::optional<BlockPlace> cursor;
  std::map<std::pair<core::ChannelId, int>, Payment> payments;  // by withdrawal and attempt
  std::map<tron::Address, DepositAddress> addresses;            // what the server has handed out
  std::map<std::pair<tron::Address, core::AssetId>, core::Int128> holdings;
  std::int64_t sweep_fees_sun = 0;
  std::map<Hash, Sweep> sweeps;
  std::vector<PublishedTerms> terms;
  std::map<std::int64_t, ExchangeDeposit> exchange_deposits;        // by id
  std::map<std::int64_t, ExchangeWithdrawal> exchange_withdrawals;  // by id
  Controls controls;
  std::uint64_t epoch = 0;
  // Called before and after each write; what it throws is a process that died there.
  std::function<void(std::string_view write, bool done)> on_write;
};

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(MemoryTables& tables) : tables_(tables) {}

  // Takes the lease from whoever holds it: nobody waits in memory.
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
  Controls controls() override { return tables_.controls; }
  void save_stopped() override;

 private:
  template <typename Change>
  void write(std::string_view what, Change change);

  std::int64_t next_exchange_id(std::int64_t now_us) const;

  MemoryTables& tables_;
  std::uint64_t epoch_ = 0;
};

}  // namespace windlass::anchoring
