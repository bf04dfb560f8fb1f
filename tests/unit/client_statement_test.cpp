// What a balance snapshot proves of a history, from a file that holds all the evidence.
#include <gtest/gtest.h>

#include <set>

#include "client/history.h"
#include "ledger/codec/btfs.h"
#include "tests/unit/client_ledger.h"

namespace windlass::client {
namespace {

bool is_of(const core::Posting& posting, std::uint64_t account) {
  if (const auto* plain = std::get_if<core::AccountPosting>(&posting)) return plain->account.value == account;
  const auto* closing = std::get_if<core::ClosingPosting>(&posting);
  return closing && closing->payer.account.value == account;
}

class StatementTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t payer = 0, recipient = 1;

  StatementTest() : closed_(ledger.play()), open_(open_channel()) {
    ledger.apply_receipt(open_, 20);
    ledger.seal();
  }
  std::uint64_t open_channel() {
    return ledger.apply(
        ledger.payer,
        core::OpenChannel{
            core::AssetId{1}, ledger.recipient.public_key(), 40, TinyLedger::day_one + core::day_us, {}, {}});
  }

  // Of 70, from the payer to the recipient.
  std::string historical_commit() const {
    auto party = [](int field, const SecretKey& key) {
      std::string address = codec::btfs::address_of(key.public_key());
      std::string inner = std::string("\x0a") + static_cast<char>(address.size()) + address;
      return std::string(1, static_cast<char>(field << 3 | 2)) + static_cast<char>(inner.size()) + inner;
    };
    return party(1, ledger.payer) + party(2, ledger.recipient) + "\x18\x46\x20\x01";
  }
  // All that the ledger would say of the account now.
  pb::StatementFile file(std::uint64_t account) const {
    pb::StatementFile out;
    out.set_format("windlass/statement/v1");
    auto own = ledger.chain([=](const core::Posting& posting) { return is_of(posting, account); });
    out.mutable_own()->Assign(own.begin(), own.end());
    out.mutable_account()->set_key(
        std::string(view((account == payer ? ledger.payer : ledger.recipient).public_key())));
    out.mutable_account()->set_number(account);
    out.mutable_account()->set_last_sequence(own.front().sequence());
    for (auto id : channels_) {
      auto& channel = *out.add_channels();
      channel.set_channel(id);
      auto entries = ledger.chain([=](const core::Posting& posting) {
        const auto* of_channel = std::get_if<core::ChannelPosting>(&posting);
        return of_channel && of_channel->channel.value == id;
      });
      channel.mutable_entries()->Assign(entries.begin(), entries.end());
    }
    out.mutable_checkpoint()->set_note(ledger.checkpoint_note(ledger.size()));
    for (std::uint64_t i = 0; i < ledger.size(); ++i) {
      *out.add_inclusions() = ledger.include(i);
      out.mutable_inclusions()->rbegin()->clear_checkpoint();
    }
    *out.mutable_statement() = ledger.statement(account);
    return out;
  }

  Result<Verified> verify(const pb::StatementFile& file,
                          const std::optional<log::VerifierKey>& auditor = std::nullopt) const {
    return verify_history(*evidence_from(file), history_of(file), {ledger.vkey(), auditor, nullptr, 1}, {});
  }
  void expect_fault(const pb::StatementFile& file, const std::string& words) const {
    auto verified = verify(file);
    ASSERT_FALSE(verified) << words;
    EXPECT_NE(verified.error().message.find(words), std::string::npos) << verified.error().message;
  }

  TinyLedger ledger;
  std::uint64_t closed_, open_;
  std::vector<std::uint64_t> channels_{closed_, open_};
};

// A channel that a historical client opened is one of the account's, and stays so as a withdrawal.
TEST_F(StatementTest, CoversWhatHistoricalClientsSignedAndTheirRefusal) {
  ledger.apply(ledger.payer, core::SetRoles{ledger.recipient.public_key(), core::role_gateway});
  std::string commit = historical_commit();
  auto by = [](const SecretKey& key, ByteView message) {
    return codec::Signed{std::string(view(key.public_key())), codec::btfs::sign(key, message)};
  };
  auto id = ledger.apply(codec::make_btfs_open_channel(commit, by(ledger.payer, commit)).value());
  channels_.push_back(id);
  ledger.seal();
  auto opened = verify(file(payer));
  EXPECT_TRUE(opened) << opened.error().message;

  auto state = [&](core::Amount from, core::Amount to) {
    return codec::btfs::encode(codec::btfs::ChannelState{static_cast<std::int64_t>(id),
                                                         1,
                                                         {ledger.payer.public_key(), from},
                                                         {ledger.recipient.public_key(), to}});
  };
  std::string paid = state(0, 70), back = state(70, 0);
  ledger.apply(codec::make_btfs_withdraw({paid, back, by(ledger.payer, paid), by(ledger.payer, back),
                                          by(ledger.recipient, paid), by(ledger.recipient, back), 5})
                   .value());
  ledger.apply(ledger.payer, core::RefuseBtfs{});
  ledger.seal();
  for (auto account : {payer, recipient}) {
    auto verified = verify(file(account));
    EXPECT_TRUE(verified) << verified.error().message;
  }
}

TEST_F(StatementTest, HoldsForPayerAndRecipient) {
  for (auto account : {payer, recipient}) {
    auto verified = verify(file(account));
    ASSERT_TRUE(verified) << verified.error().message;
    ASSERT_TRUE(verified->snapshot);
    EXPECT_EQ(verified->snapshot->seal.value, ledger.seal_sequence());
    EXPECT_EQ(verified->snapshot->newer, 0U);
  }
}

TEST_F(StatementTest, SaysWhatIsNewerThanTheSnapshot) {
  ledger.apply_receipt(open_, 30);
  ledger.credit(ledger.payer, 5);
  auto verified = verify(file(payer));
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->snapshot->newer, 2U);
}

TEST_F(StatementTest, ShowsThatAnEntryWasLeftOutOfItsChain) {
  // The recipient's newest entry before the snapshot is skipped, as if the ledger had linked around it.
  auto shortened = file(recipient);
  shortened.mutable_own()->DeleteSubrange(0, 1);
  shortened.mutable_account()->set_last_sequence(shortened.own(0).sequence());
  expect_fault(shortened, "is left out");
  auto channel = file(payer);
  channel.mutable_channels(1)->mutable_entries()->DeleteSubrange(0, 1);
  expect_fault(channel, "its open channels, or what happened to one of them, are others");
  auto none = file(payer);
  none.mutable_channels()->RemoveLast();
  expect_fault(none, "its open channels");
}

TEST_F(StatementTest, RefusesAnotherAccountsOrAnotherSnapshotsLeaf) {
  auto other = file(payer);
  *other.mutable_statement() = ledger.statement(recipient);
  expect_fault(other, "another account's");
  auto older = file(payer);
  older.mutable_statement()->set_snapshot_sequence(older.statement().snapshot_sequence() - 1);
  expect_fault(older, "is not a seal that names it");
}

TEST_F(StatementTest, AcceptsAnAuditorsWordForTheSnapshotOnly) {
  log::NoteSigner auditor("audits.example", Ed25519SecretKey::generate());
  auto checkpoint = ledger.checkpoint(ledger.size());
  auto audited = file(payer);
  log::AuditStatement statement{checkpoint.origin, checkpoint.size, checkpoint.root,
                                audited.statement().snapshot_sequence(),
                                *to_array<32>(audited.statement().snapshot_root())};
  auto with = [&](const log::AuditStatement& said, const log::NoteSigner& by) {
    auto out = audited;
    auto& audit = *out.add_audits();
    audit.set_vkey(auditor.verifier().text());
    audit.set_note(by.sign(said.text()));
    auto& same = *out.add_consistencies();
    same.set_old_size(checkpoint.size);
    same.set_size(checkpoint.size);
    return out;
  };
  auto verified = verify(with(statement, auditor), auditor.verifier());
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->snapshot->audited_size, checkpoint.size);

  EXPECT_FALSE(verify(audited, auditor.verifier()));  // said nothing
  EXPECT_FALSE(verify(with(statement, log::NoteSigner("audits.example", Ed25519SecretKey::generate())),
                      auditor.verifier()));
  auto another_root = statement;
  another_root.snapshot_root[0] ^= 1;
  EXPECT_FALSE(verify(with(another_root, auditor), auditor.verifier()));
  auto another_log = statement;
  another_log.root[0] ^= 1;
  EXPECT_FALSE(verify(with(another_log, auditor), auditor.verifier()));
}

TEST_F(StatementTest, NoFieldCanBeChangedUnseen) {
  // What nothing rests on: of how many postings a path leads through one is not committed to, only their root
  // is.
  const std::set<std::string> unproven = {"format", "own.postings.count", "channels.entries.postings.count"};
  for_each_tampered<pb::StatementFile>(file(payer),
                                       [&](const std::string& field, const pb::StatementFile& changed) {
                                         if (unproven.contains(field)) return;
                                         EXPECT_FALSE(verify(changed)) << field;
                                       });
}

}  // namespace
}  // namespace windlass::client
