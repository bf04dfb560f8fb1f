#include <gtest/gtest.h>

#include "client/audit.h"
#include "client/history.h"
#include "tests/unit/client_ledger.h"

namespace windlass::client {
namespace {

class HistoryOf : public testing::Test {
 protected:
  HistoryOf() : channel(ledger.play()) {}

  std::vector<pb::Entry> account_chain(std::uint64_t number) const {
    return ledger.chain([=](const core::Posting& posting) {
      if (const auto* account = std::get_if<core::AccountPosting>(&posting))
        return account->account.value == number;
      if (const auto* closing = std::get_if<core::ClosingPosting>(&posting))
        return closing->payer.account.value == number;
      return false;
    });
  }
  std::vector<pb::Entry> channel_chain() const {
    return ledger.chain(
        [](const core::Posting& posting) { return std::holds_alternative<core::ChannelPosting>(posting); });
  }
  static Proven<ProvenChain> check(ChainOf kind, std::uint64_t owner, const std::vector<pb::Entry>& entries) {
    return check_chain(kind, owner, entries.front().sequence(), entries);
  }

  TinyLedger ledger;
  std::uint64_t channel;
};

TEST_F(HistoryOf, AccountsAndChannelsHoldsBackToTheirFirstEntry) {
  for (std::uint64_t account : {0U, 1U})
    EXPECT_TRUE(check(ChainOf::account, account, account_chain(account)));
  EXPECT_TRUE(check(ChainOf::channel, channel, channel_chain()));
}

TEST_F(HistoryOf, TheChannelFoldsToWhatItsClosingCommitsTo) {
  auto account = check(ChainOf::account, 0, account_chain(0));
  auto of_channel = check(ChainOf::channel, channel, channel_chain());
  ASSERT_TRUE(account && of_channel);
  EXPECT_EQ(account->closings.at(channel), of_channel->history);
}

TEST_F(HistoryOf, NamesTheEntryThatIsLeftOut) {
  auto entries = channel_chain();
  for (std::size_t i = 1; i < entries.size(); ++i) {
    auto gap = entries;
    gap.erase(gap.begin() + static_cast<std::ptrdiff_t>(i));
    auto chain = check(ChainOf::channel, channel, gap);
    ASSERT_FALSE(chain);
    EXPECT_NE(chain.error().find("entry " + std::to_string(entries[i].sequence()) + " is left out"),
              std::string::npos)
        << chain.error();
  }
}

TEST_F(HistoryOf, NoticesThatTheNewestIsHeldBack) {
  auto entries = channel_chain();
  std::uint64_t newest = entries.front().sequence();
  entries.erase(entries.begin());
  EXPECT_FALSE(check_chain(ChainOf::channel, channel, newest, entries));
}

TEST_F(HistoryOf, RefusesAnEntryOfAnotherChain) {
  auto entries = account_chain(1);
  for (auto& entry : entries) {
    // Without the postings that are the account's own, it proves nothing of it.
    entry.mutable_postings()->DeleteSubrange(0, entry.postings_size());
    EXPECT_FALSE(check(ChainOf::account, 1, entries));
    break;
  }
}

TEST_F(HistoryOf, MergesChainsOnceAndNewestFirst) {
  History history;
  history.own = account_chain(0);
  history.channels[channel] = channel_chain();
  auto merged = history.merged();
  for (std::size_t i = 1; i < merged.size(); ++i) EXPECT_GT(merged[i - 1].sequence(), merged[i].sequence());
  // Genesis, credit, open, two receipts, top-up, close.
  EXPECT_EQ(merged.size(), 7U);
}

}  // namespace
}  // namespace windlass::client
