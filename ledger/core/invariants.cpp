#include "ledger/core/invariants.h"

#include <sstream>

namespace windlass::core {
namespace {

template <typename... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

bool negative(const Balance& b) {
  return b.available < 0 || b.locked < 0 || b.held < 0;
}

struct Sums {
  Int128 available = 0, locked_deposits = 0, held = 0;  // of accounts
  Int128 deposits = 0, unclaimed = 0;                   // of open channels
  Int128 withdrawals = 0, unassigned = 0;               // of what else is set aside
};

}  // namespace

Fault check_conservation(const AssetTotals& totals, const Asset& asset) {
  ChainAmount units = static_cast<ChainAmount>(totals.available) + static_cast<ChainAmount>(totals.locked) +
                      static_cast<ChainAmount>(totals.held) + static_cast<ChainAmount>(totals.unassigned);
  if (units * asset.chain_units + totals.dust != totals.credited - totals.paid)
    return text("asset ", asset.symbol,
                ": what the ledger holds is not what was credited less what was paid");
  return std::nullopt;
}

Fault check_non_negative(const Account& account) {
  for (const auto& balance : account.balances)
    if (negative(balance))
      return text("account ", account.number.value, ": a negative balance in asset ", balance.asset.value);
  return std::nullopt;
}

Fault check_non_negative(const Channel& channel) {
  if (channel.claimed < 0 || channel.claimed > channel.deposit || channel.fee < 0 ||
      channel.fee > channel.deposit)
    return text("channel ", channel.id.value, ": claimed ", channel.claimed, " of a deposit of ",
                channel.deposit);
  return std::nullopt;
}

Fault check_globals(const Globals& globals) {
  if (globals.assets.size() != globals.totals.size() || globals.assets.size() != globals.daily_credits.size())
    return "assets and totals differ in number";
  for (std::size_t i = 0; i < globals.assets.size(); ++i) {
    const auto& t = globals.totals[i];
    if (t.available < 0 || t.locked < 0 || t.held < 0 || t.unassigned < 0)
      return text("asset ", globals.assets[i].symbol, ": a negative total");
    if (t.chain_fees > t.paid)
      return text("asset ", globals.assets[i].symbol, ": more of the chain's fees was booked than paid");
    if (auto fault = check_conservation(t, globals.assets[i])) return fault;
  }
  return std::nullopt;
}

Fault check_whole(const State& state) {
  const auto& globals = state.globals;
  if (auto fault = check_globals(globals)) return fault;
  std::vector<Sums> sums(globals.assets.size());
  absl::flat_hash_map<AccountNumber, std::uint32_t> open_by_payer;
  std::uint64_t accounts = 0, open_channels = 0;
  Fault fault;
  state.channels.for_each([&](ChannelId, const Channel& channel) {
    if (!fault) fault = check_non_negative(channel);
    if (!channel.open) return;
    auto& sum = sums[channel.asset.value - 1];
    if (channel.purpose == Purpose::deposit) {
      sum.unassigned += channel.deposit;
      return;
    }
    ++open_channels;
    ++open_by_payer[channel.payer];
    if (channel.purpose == Purpose::withdrawal) {
      sum.withdrawals += channel.deposit;
      return;
    }
    sum.deposits += channel.deposit;
    sum.unclaimed += channel.deposit - channel.claimed;
  });
  state.accounts.for_each([&](AccountNumber number, const Account& account) {
    ++accounts;
    if (!fault) fault = check_non_negative(account);
    for (const auto& balance : account.balances) {
      auto& sum = sums[balance.asset.value - 1];
      sum.available += balance.available;
      sum.locked_deposits += balance.locked;
      sum.held += balance.held;
    }
    if (!fault && account.open_channels != (open_by_payer.contains(number) ? open_by_payer[number] : 0))
      fault = text("account ", number.value, ": its count of open channels is wrong");
  });
  if (fault) return fault;
  if (accounts != globals.accounts) return "the number of accounts is wrong";
  if (open_channels != globals.open_channels) return "the number of open channels is wrong";
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const auto& sum = sums[i];
    const auto& total = globals.totals[i];
    if (sum.available != total.available || sum.unclaimed != total.locked || sum.held != total.held)
      return text("asset ", globals.assets[i].symbol, ": the totals are not the sums of the accounts");
    if (sum.held != sum.withdrawals)
      return text("asset ", globals.assets[i].symbol,
                  ": what accounts have held is not their withdrawals under way");
    if (sum.unassigned != total.unassigned)
      return text("asset ", globals.assets[i].symbol,
                  ": what is unassigned is not the sum of nobody's deposits");
    if (sum.locked_deposits != sum.deposits)
      return text("asset ", globals.assets[i].symbol,
                  ": what accounts have locked is not their open deposits");
  }
  return std::nullopt;
}

Fault ChainChecker::check(Sequence sequence, const std::vector<Posting>& postings) {
  auto link = [&](auto& heads, auto id, Sequence previous, std::string_view what) -> Fault {
    auto [head, is_new] = heads.try_emplace(id, no_sequence);
    if (head->second != previous)
      return text("entry ", sequence.value, ": the chain of ", what, " ", id.value,
                  " does not link to the entry "
                  "that touched it before");
    return std::nullopt;
  };
  auto account_link = [&](const AccountPosting& posting) {
    return link(accounts_, posting.account, posting.previous, "account");
  };
  for (const auto& posting : postings) {
    Fault fault;
    if (const auto* account = std::get_if<AccountPosting>(&posting)) fault = account_link(*account);
    if (const auto* closing = std::get_if<ClosingPosting>(&posting)) fault = account_link(closing->payer);
    if (const auto* channel = std::get_if<ChannelPosting>(&posting))
      fault = link(channels_, channel->channel, channel->previous, "channel");
    if (fault) return fault;
  }
  for (const auto& posting : postings) {
    if (const auto* account = std::get_if<AccountPosting>(&posting)) accounts_[account->account] = sequence;
    if (const auto* closing = std::get_if<ClosingPosting>(&posting))
      accounts_[closing->payer.account] = sequence;
    if (const auto* channel = std::get_if<ChannelPosting>(&posting)) channels_[channel->channel] = sequence;
  }
  return std::nullopt;
}

}  // namespace windlass::core
