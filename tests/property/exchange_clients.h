// Clients of the historical BTFS ledger in a storm: they deposit and withdraw through protocol.Exchange as
// such clients do, and as they should not: never, twice, late, without having heard the answer, with what is
// another's.
#pragma once

#include "tests/seeded.h"
#include "tests/unit/anchoring_world.h"

namespace windlass::test {

class ExchangeClients {
 public:
  using Withdrawals = std::map<core::ChannelId, PublicKey>;
  // Those that the ledger makes of channels are put among `withdrawals`, with their owners.
  ExchangeClients(Seeded& random, World& world, Withdrawals& withdrawals);

  // Their first funds, on the chain and on the ledger.
  void fund();
  // One of them asks for something. Throws what ends the process that is asked.
  void act(anchoring::Exchange& exchange);

  // Which of them has this address; null: none.
  const SecretKey* owner_of(const tron::Address& address) const;
  // One more deposit, signed for the Exchange alone, in the calm: it must land. While `reach` was told no, no
  // TRON node answers.
  void deposit_in_calm(anchoring::Exchange& exchange, const std::function<void(bool reachable)>& reach);
  // Nothing waits for time alone to pass: a deposit to expire, or a channel to be given back.
  bool is_settled() const;
  // A deposit is signed and may still land.
  bool is_landing() const;

  void check_send(ByteView transaction, const tron::ChainTransaction& parsed) const;
  void check_block();
  void check_end(anchoring::Exchange& exchange);

  // How often what came of it.
  const std::map<std::string, std::uint64_t>& figures() const { return figures_; }

 private:
  // What one client wants, and how far it has come.
  struct Deposit {
    const SecretKey* user;
    std::int64_t out_tx_id;
    core::Amount amount;
    std::int64_t id = 0;  // since it was prepared, as the rest
    std::string raw_data;
    Hash txid{};
    std::int64_t expiration_ms = 0;
    bool heard = false;        // its client knows the above
    bool signed_away = false;  // somebody has its user's signature: it may land
    bool accepted = false;     // by the Exchange, which may forget it no more
    bool must_land = false;
    std::optional<bool> landed;  // as its client was told, for good
    bool given_up = false;
  };
  struct Withdrawal {
    const SecretKey* user;
    std::int64_t out_tx_id;
    core::Amount amount;
    std::int64_t id = 0;
    core::TimeUs prepared_us = 0;
    bool heard = false;
    core::ChannelId channel;  // since it was opened
    bool given_up = false;
  };
  struct Channel {
    const SecretKey* user;
    core::Amount amount;
    core::TimeUs opened_us;
    std::optional<std::int64_t> withdrawal;  // that the gateway has bound it to
    bool given_back = false;
  };

  const SecretKey& some_user() { return users_[random_.below(users_.size())]; }
  void begin_deposit();
  void proceed(Deposit& deposit, anchoring::Exchange& exchange);
  void prepare(Deposit& deposit, anchoring::Exchange& exchange);
  void sign(Deposit& deposit, anchoring::Exchange& exchange);
  void confirm(Deposit& deposit, anchoring::Exchange& exchange);
  void check_confirmed(const Deposit& deposit, const protocol::ConfirmDepositResponse& answer) const;

  void begin_withdrawal();
  void proceed(Withdrawal& withdrawal, anchoring::Exchange& exchange);
  void prepare(Withdrawal& withdrawal, anchoring::Exchange& exchange);
  core::ChannelId open(const SecretKey& user, core::Amount amount);
  void withdraw(Withdrawal& withdrawal, anchoring::Exchange& exchange);
  void withdraw(std::int64_t id, core::ChannelId channel, const Withdrawal& by,
                anchoring::Exchange& exchange);
  void check_bound(std::int64_t id, core::ChannelId channel);
  void check_told(const Withdrawal& withdrawal, anchoring::Exchange& exchange) const;

  Seeded& random_;
  World& world_;
  Withdrawals& withdrawals_;
  std::vector<SecretKey> users_;
  std::int64_t last_out_tx_id_ = 0;
  std::vector<Deposit> deposits_;
  std::vector<Withdrawal> asked_;
  std::map<core::ChannelId, Channel> channels_;
  std::set<std::int64_t> checked_;  // deposits of which it is final what became of them
  std::map<std::string, std::uint64_t> figures_;
};

}  // namespace windlass::test
