#include "client/dev/faucet.h"

#include <fmt/format.h>

#include <thread>

#include "anchoring/tron/trc20.h"
#include "ops/key_file.h"

namespace windlass::dev {
namespace {

constexpr std::int64_t expiry_ms = 60'000;
constexpr std::int64_t token_fee_limit_sun = 100'000'000;  // a token's transfer takes some 3 TRX
constexpr std::chrono::milliseconds poll_interval{100};

using client::Failure;

client::Failure of_chain(const tron::ChainError& error) {
  return {Failure::Kind::later, error.message, {}, {}};
}

std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

// Whether it stands in a block; a transaction that failed there is a failure.
client::Result<bool> has_landed(tron::Chain& chain, const Hash& txid, bool solid) {
  auto number = chain.inclusion(txid, solid);
  if (!number) return tl::unexpected(of_chain(number.error()));
  if (!*number) return false;
  auto block = solid ? chain.solidified_block(**number) : chain.block(**number);
  if (!block) return tl::unexpected(of_chain(block.error()));
  if (!*block) return false;
  for (const auto& transaction : (*block)->transactions)
    if (transaction.txid == txid && !transaction.succeeded)
      return client::fail(Failure::Kind::refused, "transaction " + to_hex(txid) + " failed on the chain");
  return true;
}

}  // namespace

Wallet::Wallet(tron::Chain& chain, SecretKey key)
    : chain_(chain), key_(std::move(key)), address_(tron::address_of(key_.public_key())) {}

client::Result<tron::SignedTransaction> Wallet::sign(const tron::Address& to, const std::string& token,
                                                     core::ChainAmount amount,
                                                     tron::TransactionFrame frame) const {
  if (auto contract = tron::address_from_base58(token)) {
    frame.fee_limit_sun = token_fee_limit_sun;
    return tron::sign_call({address_, *contract, tron::trc20::transfer_call(to, amount)}, frame, key_);
  }
  if (amount > std::numeric_limits<std::int64_t>::max())
    return client::usage_error("that is more than one transfer on the chain can move");
  return tron::sign_transfer({address_, to, static_cast<std::int64_t>(amount), token}, frame, key_);
}

client::Result<Hash> Wallet::send(const tron::Address& to, const std::string& token, core::ChainAmount amount,
                                  std::string memo) {
  auto reference = chain_.solidified_head();
  if (!reference) return tl::unexpected(of_chain(reference.error()));
  // Two equal transfers in the same millisecond would be one transaction.
  last_ms_ = std::max(last_ms_ + 1, now_ms());
  tron::TransactionFrame frame{*reference, last_ms_, last_ms_ + expiry_ms, std::move(memo)};
  auto transaction = sign(to, token, amount, std::move(frame));
  if (!transaction) return tl::unexpected(transaction.error());
  auto answer = chain_.broadcast(transaction->bytes);
  if (!answer) return tl::unexpected(of_chain(answer.error()));
  if (!answer->result)
    return client::fail(Failure::Kind::refused,
                        fmt::format("the TRON node refused the transfer from {} to {}: {}",
                                    tron::to_base58(address_), tron::to_base58(to), answer->message));
  return transaction->txid;
}

client::Result<void> wait_for(tron::Chain& chain, const std::vector<Hash>& txids, bool solid,
                              std::chrono::milliseconds patience) {
  auto until = std::chrono::steady_clock::now() + patience;
  for (const Hash& txid : txids) {
    for (;;) {
      auto landed = has_landed(chain, txid, solid);
      if (!landed) return tl::unexpected(landed.error());
      if (*landed) break;
      if (std::chrono::steady_clock::now() >= until)
        return client::fail(Failure::Kind::later, "transaction " + to_hex(txid) + " is still not in " +
                                                      (solid ? "a solidified block" : "a block"));
      std::this_thread::sleep_for(poll_interval);
    }
  }
  return {};
}

tron::Node connect_node(const Settings& settings) {
  return tron::Node({.full = settings.tron_address(), .solidity = settings.tron_address()});
}

client::Result<SecretKey> faucet_key(const Settings& settings) {
  auto key = ops::read_key_file(settings.key_file("faucet"));
  if (!key) return client::usage_error(key.error());
  return *std::move(key);
}

core::ChainAmount chain_amount(const client::pb::Asset& asset, std::int64_t units) {
  return static_cast<core::ChainAmount>(units) * asset.chain_units();
}

}  // namespace windlass::dev
