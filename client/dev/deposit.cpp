#include "client/dev/deposit.h"

#include <fmt/format.h>

#include <thread>

#include "ledger/codec/entry.h"

namespace windlass::dev {
namespace {

using client::Failure;
using client::Result;
namespace pb = windlass::v1;

constexpr std::chrono::milliseconds poll_interval{100};
constexpr std::chrono::seconds slack{60};
constexpr std::uint32_t looked_at = 1000;  // entries: a deposit's credit is among the newest

// The balance in `asset` that an entry left to the account that asks.
std::optional<std::int64_t> balance_after(const pb::Entry& entry, std::uint64_t account,
                                          std::uint32_t asset) {
  for (const auto& shown : entry.postings()) {
    auto posting = codec::decode_posting(shown.posting());
    if (!posting) continue;
    const auto* after = std::get_if<core::AccountPosting>(&*posting);
    if (const auto* closing = std::get_if<core::ClosingPosting>(&*posting)) after = &closing->payer;
    if (after && after->account.value == account && after->after.asset.value == asset)
      return after->after.available;
  }
  return std::nullopt;
}

// The credit of that amount among the account's newest entries.
std::optional<std::uint64_t> find_credit(const pb::GetHistoryResponse& history, std::uint64_t account,
                                         const client::AssetAmount& amount, std::uint64_t since) {
  std::int64_t before = 0;
  std::optional<std::uint64_t> found;
  for (int i = history.entries_size() - 1; i >= 0; --i) {
    const auto& entry = history.entries(i);
    auto after = balance_after(entry, account, amount.asset);
    if (!after) continue;
    bool is_it = entry.kind() == static_cast<std::uint32_t>(core::Kind::credit) &&
                 entry.sequence() >= since && *after - before == amount.units;
    if (is_it && !found) found = entry.sequence();
    before = *after;
  }
  return found;
}

Result<std::uint64_t> ledger_size(client::Connection& ledger) {
  auto info = ledger.call(&pb::Query::Stub::GetLedger, pb::GetLedgerRequest{});
  if (!info) return tl::unexpected(info.error());
  return info->size();
}

Result<std::optional<pb::Account>> find_account(client::Connection& ledger, const core::Key& key) {
  pb::GetAccountRequest request;
  request.set_key(std::string(view(key)));
  auto account = ledger.call(&pb::Query::Stub::GetAccount, request);
  if (account) return *account;
  if (account.error().reason == "UNKNOWN_KEY") return std::nullopt;
  return tl::unexpected(account.error());
}

}  // namespace

std::chrono::milliseconds landing_patience(const Settings& settings) {
  return std::chrono::milliseconds(3 * settings.block_interval_ms) + slack;
}
std::chrono::milliseconds credit_patience(const Settings& settings) {
  return std::chrono::milliseconds((settings.solid_after + 3) * settings.block_interval_ms) + slack;
}

Result<Hash> send_deposit(client::Connection& ledger, const Settings& settings, Wallet& wallet,
                          const DepositWanted& wanted) {
  auto facts = ledger.facts();
  if (!facts) return tl::unexpected(facts.error());
  const auto& asset = (*facts)->assets.at(wanted.amount.asset);
  auto account = find_account(ledger, wanted.key);
  if (!account) return tl::unexpected(account.error());
  if (*account && (*account)->rotated_at() != 0)
    return client::usage_error("this key was rotated away: a deposit to it would be nobody's");
  if (!*account && wanted.amount.units < asset.minimum_first_credit())
    return client::usage_error(
        fmt::format("the key is new to the ledger: its first deposit must be at least {}",
                    client::format_amount(asset.minimum_first_credit(), asset.number(), (*facts)->assets)));
  auto custody = tron::address_from_base58(settings.custody);
  if (!custody) return client::usage_error("there is no custody address in " + settings.conf().string());
  return wallet.send(*custody, asset.token(), chain_amount(asset, wanted.amount.units), to_hex(wanted.key));
}

Result<std::uint64_t> wait_for_credit(client::Connection& ledger, const DepositWanted& wanted,
                                      std::uint64_t since, std::chrono::milliseconds patience) {
  auto until = std::chrono::steady_clock::now() + patience;
  do {
    auto account = find_account(ledger, wanted.key);
    if (!account) return tl::unexpected(account.error());
    if (*account) {
      pb::GetHistoryRequest request;
      request.set_key(std::string(view(wanted.key)));
      request.set_page_size(looked_at);
      auto history = ledger.call(&pb::Query::Stub::GetHistory, request);
      if (!history) return tl::unexpected(history.error());
      if (auto sequence = find_credit(*history, (*account)->number(), wanted.amount, since)) return *sequence;
    }
    std::this_thread::sleep_for(poll_interval);
  } while (std::chrono::steady_clock::now() < until);
  return client::fail(Failure::Kind::later,
                      "the deposit is not credited yet; is windlass-anchor well? See its log");
}

Result<std::vector<DepositMade>> deposit(client::Connection& ledger, const Settings& settings,
                                         tron::Chain& chain, Wallet& wallet,
                                         const std::vector<DepositWanted>& wanted) {
  auto since = ledger_size(ledger);
  if (!since) return tl::unexpected(since.error());
  std::vector<DepositMade> made;
  std::vector<Hash> sent;
  for (const auto& one : wanted) {
    auto txid = send_deposit(ledger, settings, wallet, one);
    if (!txid) return tl::unexpected(txid.error());
    sent.push_back(*txid);
  }
  if (auto solid = wait_for(chain, sent, true, credit_patience(settings)); !solid)
    return tl::unexpected(solid.error());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    auto sequence = wait_for_credit(ledger, wanted[i], *since, credit_patience(settings));
    if (!sequence) return tl::unexpected(sequence.error());
    made.push_back({*sequence, sent[i]});
  }
  return made;
}

}  // namespace windlass::dev
