// What historical clients signed, wrapped into commands: kept as it came, signed by whom it says, and nothing
// that a client could send as a command of its own.
#include <btfs/ledger.pb.h>
#include <gtest/gtest.h>
#include <windlass/v1/command.pb.h>

#include "crypto/tron_address.h"
#include "ledger/codec/btfs.h"
#include "ledger/codec/command.h"
#include "ledger/codec/entry.h"
#include "ledger/core/limits.h"

namespace windlass::codec {
namespace {

using namespace std::string_literals;
namespace pb = windlass::v1;

SecretKey secret(std::uint8_t number) {
  ByteArray<32> bytes{};
  bytes[31] = number;
  return SecretKey::from_bytes(view(bytes)).value();
}
const SecretKey alice = secret(1), bob = secret(2), gateway = secret(3);

// Of the other S: as good, and the protocol's own wallet makes it half of the time.
std::string with_high_s(const std::string& der) {
  constexpr std::string_view order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
  auto n = to_array<32>(from_hex(order).value()).value();
  auto compact = signature_from_der(der).value();
  int borrow = 0;
  for (int i = 31; i >= 0; --i) {
    auto at = static_cast<std::size_t>(i);
    int digit = n[at] - compact[32 + at] - borrow;
    borrow = digit < 0 ? 1 : 0;
    compact[32 + at] = static_cast<std::uint8_t>(digit + 256 * borrow);
  }
  return signature_to_der(compact);
}

Signed signed_by(const SecretKey& key, ByteView message) {
  return {std::string(view(key.public_key())), btfs::sign(key, message)};
}
std::string transfer(std::uint64_t nonce = 0, core::TimeUs expires_us = 0) {
  ::ledger::TransferRequest message;
  message.mutable_payer()->set_key(btfs::address_of(alice.public_key()));
  message.mutable_recipient()->set_key(btfs::address_of(bob.public_key()));
  message.set_amount(1'000'000);
  message.set_nonce(nonce);
  message.set_expires_us(expires_us);
  return message.SerializeAsString();
}
std::string commit(std::int64_t payer_id = 7, core::Amount amount = 1'000'000) {
  ::ledger::ChannelCommit message;
  message.mutable_payer()->set_key(btfs::address_of(alice.public_key()));
  message.mutable_recipient()->set_key(btfs::address_of(bob.public_key()));
  message.set_amount(amount);
  message.set_payer_id(payer_id);
  return message.SerializeAsString();
}
std::string state(const SecretKey& to, core::Amount from_balance, core::Amount to_balance,
                  std::int64_t id = 9) {
  return btfs::encode(
      btfs::ChannelState{id, 1, {alice.public_key(), from_balance}, {to.public_key(), to_balance}});
}
std::string public_key(const SecretKey& key) {
  ::ledger::PublicKey message;
  message.set_key(btfs::address_of(key.public_key()));
  return message.SerializeAsString();
}
BtfsWithdrawal withdrawal(core::Amount fee = 10) {
  std::string paid = state(gateway, 0, 1'000), back = state(gateway, 1'000, 0);
  return {paid,
          back,
          signed_by(alice, paid),
          signed_by(alice, back),
          signed_by(gateway, paid),
          signed_by(gateway, back),
          fee};
}

std::vector<Decoded> all_kinds() {
  std::vector<Decoded> all;
  all.push_back(make_btfs_transfer(transfer(), signed_by(alice, transfer())).value());
  all.push_back(make_btfs_open_channel(commit(), signed_by(alice, commit())).value());
  auto agreed = state(bob, 400, 600);
  all.push_back(make_btfs_close_channel(agreed, signed_by(bob, agreed), signed_by(alice, agreed)).value());
  all.push_back(make_btfs_close_channel(agreed, signed_by(bob, agreed), std::nullopt).value());
  all.push_back(make_btfs_withdraw(withdrawal()).value());
  all.push_back(make_btfs_rotate_key(public_key(bob), public_key(alice), signed_by(alice, public_key(bob)),
                                     signed_by(bob, public_key(alice)))
                    .value());
  return all;
}

const SigningTag tag("test.example/log", Hash{});

template <typename Body>
const Body& body_of(const Decoded& decoded) {
  return std::get<Body>(decoded.command.body);
}
// As it would be read back from the journal, after `change` was made to what the ledger wrapped.
template <typename Change>
tl::expected<Decoded, std::string> read_after(const Decoded& decoded, Change change) {
  Envelope envelope = decoded.envelope;
  pb::Command command;
  command.ParseFromString(envelope.command);
  change(command, envelope.signers);
  envelope.command = command.SerializeAsString();
  return decode_stored(envelope.encode());
}

TEST(BtfsCommand, ReadsBackWhatItWrapped) {
  for (const auto& made : all_kinds()) {
    SCOPED_TRACE(core::name(made.command.kind()));
    auto read = decode_stored(made.envelope.encode());
    ASSERT_TRUE(read) << read.error();
    EXPECT_EQ(read->command.kind(), made.command.kind());
    EXPECT_EQ(read->command.signer, made.command.signer);
    EXPECT_EQ(read->historical_messages, made.historical_messages);
    EXPECT_EQ(read->signatures().size(), made.envelope.signers.size());
    EXPECT_EQ(verify_signatures(*read, tag), core::Error::none);
    EXPECT_LE(made.envelope.encode().size(), max_envelope_bytes);
  }
}

// Historical signatures name no ledger.
TEST(BtfsCommand, SignaturesHoldOnEveryLedger) {
  SigningTag another("another.example/log", Hash{});
  for (const auto& made : all_kinds()) EXPECT_EQ(verify_signatures(made, another), core::Error::none);
}

TEST(BtfsCommand, SaysWhatWasAskedFor) {
  auto paid = make_btfs_transfer(transfer(5, 77), signed_by(alice, transfer(5, 77))).value();
  EXPECT_EQ(paid.command.signer, alice.public_key());
  EXPECT_EQ(paid.command.nonce, 5u);
  EXPECT_EQ(paid.command.expires_us, 77);
  EXPECT_EQ(body_of<core::BtfsTransfer>(paid).recipient, bob.public_key());
  EXPECT_EQ(body_of<core::BtfsTransfer>(paid).amount, 1'000'000);
  EXPECT_EQ(body_of<core::BtfsTransfer>(paid).id, sha256(transfer(5, 77)));

  auto opened = make_btfs_open_channel(commit(), signed_by(alice, commit())).value();
  EXPECT_EQ(body_of<core::BtfsOpenChannel>(opened).id, btfs::commit_id(alice.public_key(), 7));
  EXPECT_EQ(opened.command.expires_us, 0);

  auto agreed = state(bob, 400, 600);
  auto closed = make_btfs_close_channel(agreed, signed_by(bob, agreed), std::nullopt).value();
  const auto& close = body_of<core::BtfsCloseChannel>(closed);
  EXPECT_EQ(closed.command.signer, bob.public_key());
  EXPECT_FALSE(close.from_signed);
  EXPECT_EQ(close.state.channel.value, 9u);
  EXPECT_EQ(close.state.from_balance, 400);
  EXPECT_EQ(close.state.to_balance, 600);

  auto asked = make_btfs_withdraw(withdrawal()).value();
  EXPECT_EQ(body_of<core::BtfsWithdraw>(asked).destination, tron_address(alice.public_key()));
  EXPECT_EQ(body_of<core::BtfsWithdraw>(asked).fee, 10);

  auto rotated = all_kinds().back();
  EXPECT_EQ(rotated.command.signer, alice.public_key());
  EXPECT_EQ(body_of<core::BtfsRotateKey>(rotated).new_key, bob.public_key());
}

TEST(BtfsCommand, AnotherSignatureOfTheSameMessageIsTheSameMessage) {
  Signed low = signed_by(alice, transfer()), high = low;
  high.signature = with_high_s(low.signature);
  ASSERT_NE(high.signature, low.signature);
  auto again = make_btfs_transfer(transfer(), high).value();
  EXPECT_EQ(verify_signatures(again, tag), core::Error::none);
  auto first = make_btfs_transfer(transfer(), low).value();
  EXPECT_EQ(body_of<core::BtfsTransfer>(again).id, body_of<core::BtfsTransfer>(first).id);
  EXPECT_EQ(again.envelope.command, first.envelope.command);
}

TEST(BtfsCommand, TheIdOfAChannelIsOfItsPayerAndPayerId) {
  auto id = [](const std::string& message) {
    return body_of<core::BtfsOpenChannel>(make_btfs_open_channel(message, signed_by(alice, message)).value())
        .id;
  };
  EXPECT_EQ(id(commit(7, 1)), id(commit(7, 2)));
  EXPECT_NE(id(commit(7)), id(commit(8)));
  EXPECT_NE(btfs::commit_id(alice.public_key(), 7), btfs::commit_id(bob.public_key(), 7));
}

TEST(BtfsCommand, RefusesSignaturesThatAreNotThatKeysOverThatMessage) {
  auto error_with = [](const std::string& signature) {
    Signed payer{std::string(view(alice.public_key())), signature};
    return verify_signatures(make_btfs_transfer(transfer(), payer).value(), tag);
  };
  std::string good = btfs::sign(alice, transfer());
  EXPECT_EQ(error_with(good), core::Error::none);
  EXPECT_EQ(error_with(good + '\0'), core::Error::bad_signature_format);
  EXPECT_EQ(error_with(good.substr(1)), core::Error::bad_signature_format);
  EXPECT_EQ(error_with(""), core::Error::bad_signature_format);
  EXPECT_EQ(error_with(btfs::sign(bob, transfer())), core::Error::bad_signature);
  EXPECT_EQ(error_with(btfs::sign(alice, commit())), core::Error::bad_signature);
  // 64 bytes r || s are of Windlass' own form.
  EXPECT_EQ(error_with(std::string(view(signature_from_der(good).value()))),
            core::Error::bad_signature_format);
}

// Each signature is of its own key and message: none may stand where another belongs.
TEST(BtfsCommand, EachSignerSignsItsOwnMessage) {
  for (const auto& made : all_kinds()) {
    SCOPED_TRACE(core::name(made.command.kind()));
    for (std::size_t i = 0; i < made.envelope.signers.size(); ++i) {
      Decoded forged = made;
      forged.envelope.signers[i].signature = btfs::sign(secret(9), made.historical_messages[i]);
      EXPECT_EQ(verify_signatures(forged, tag), core::Error::bad_signature);
      forged.envelope.signers[i].signature = btfs::sign(alice, "another message");
      EXPECT_EQ(verify_signatures(forged, tag), core::Error::bad_signature);
    }
  }
  auto swapped = withdrawal();
  std::swap(swapped.success_from, swapped.failure_from);
  EXPECT_EQ(verify_signatures(make_btfs_withdraw(swapped).value(), tag), core::Error::bad_signature);
}

TEST(BtfsCommand, NamesTheSignersThatItsMessagesName) {
  for (const auto& made : all_kinds()) {
    SCOPED_TRACE(core::name(made.command.kind()));
    auto by_another = [](auto&, auto& signers) { signers[0].key = view(secret(9).public_key()); };
    EXPECT_FALSE(read_after(made, by_another));
    auto one_more = [](auto&, auto& signers) { signers.push_back(signers[0]); };
    EXPECT_FALSE(read_after(made, one_more));
    // (A close without its payer's signature can be read: the core says when that is enough.)
    bool may_miss_one =
        made.command.kind() == core::Kind::btfs_close_channel && made.envelope.signers.size() == 2;
    auto one_less = [](auto&, auto& signers) { signers.pop_back(); };
    EXPECT_EQ(read_after(made, one_less).has_value(), may_miss_one);
    auto too_long = [](auto&, auto& signers) { signers[0].signature.resize(max_der_signature_bytes + 1); };
    EXPECT_FALSE(read_after(made, too_long));
  }
}

// Nobody signed the wrapper: it says nothing that the messages do not.
TEST(BtfsCommand, TheWrapperAddsNothing) {
  for (const auto& made : all_kinds()) {
    SCOPED_TRACE(core::name(made.command.kind()));
    EXPECT_TRUE(read_after(made, [](auto&, auto&) {}));
    EXPECT_FALSE(read_after(made, [](auto& command, auto&) { command.set_nonce(command.nonce() + 1); }));
    auto expires = [](auto& command, auto&) { command.set_expires_us(command.expires_us() + 1); };
    EXPECT_FALSE(read_after(made, expires));
  }
  auto payer_alone = [](auto&, auto& signers) { signers.erase(signers.begin()); };
  EXPECT_FALSE(read_after(all_kinds()[2], payer_alone));
}

// What another process says that clients signed is not trusted to be well formed.
TEST(BtfsCommand, WrapsNothingThatItCouldNotReadBack) {
  EXPECT_EQ(make_btfs_transfer("\xff", signed_by(alice, "\xff")).error(), core::Error::malformed_command);
  EXPECT_EQ(make_btfs_open_channel("\xff", signed_by(alice, "\xff")).error(), core::Error::malformed_command);
  auto long_one = signed_by(alice, transfer());
  long_one.signature.resize(max_der_signature_bytes + 1);
  EXPECT_EQ(make_btfs_transfer(transfer(), long_one).error(), core::Error::bad_signature_format);
  auto unequal = withdrawal();
  unequal.failure_state = state(gateway, 999, 1);
  EXPECT_FALSE(make_btfs_withdraw(unequal));
}

TEST(BtfsCommand, AWithdrawalsStatesAreTheReverseOfEachOther) {
  auto made = make_btfs_withdraw(withdrawal()).value();
  auto with_failure = [&](const std::string& failure) {
    return read_after(
        made, [&](auto& command, auto&) { command.mutable_btfs_withdraw()->set_failure_state(failure); });
  };
  EXPECT_TRUE(with_failure(state(gateway, 1'000, 0)));
  EXPECT_FALSE(with_failure(state(gateway, 999, 1)));
  EXPECT_FALSE(with_failure(state(gateway, 999, 0)));
  EXPECT_FALSE(with_failure(state(gateway, 1'000, 0, 10)));
  EXPECT_FALSE(with_failure(state(bob, 1'000, 0)));
  EXPECT_FALSE(with_failure(state(gateway, 0, 1'000)));
  auto with_fee = [&](core::Amount fee) {
    return read_after(made, [&](auto& command, auto&) { command.mutable_btfs_withdraw()->set_fee(fee); });
  };
  EXPECT_TRUE(with_fee(0));
  EXPECT_TRUE(with_fee(999));
  EXPECT_FALSE(with_fee(1'000));
  EXPECT_FALSE(with_fee(-1));
}

TEST(BtfsCommand, ARotationIsToAnotherKey) {
  auto to_itself = [](auto& command, auto& signers) {
    command.mutable_btfs_rotate_key()->set_new_key(public_key(alice));
    signers[1] = signers[0];
  };
  EXPECT_FALSE(read_after(all_kinds().back(), to_itself));
}

TEST(BtfsCommand, NoClientSendsAWrapperItself) {
  for (const auto& made : all_kinds()) {
    auto submitted = decode_submitted(made.envelope);
    ASSERT_FALSE(submitted);
    EXPECT_EQ(submitted.error(), core::Error::forbidden_command);
  }
}

// --- Windlass' own commands are bound as ever

Envelope own(const core::Body& body) {
  core::Command command{alice.public_key(), 1, 1'000, body};
  return sign(encode_command(command), tag, {&alice});
}

TEST(BtfsCommand, ARefusalIsACommandOfItsAccount) {
  auto decoded = decode_submitted(own(core::RefuseBtfs{}));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->command.kind(), core::Kind::refuse_btfs);
  EXPECT_TRUE(decoded->historical_messages.empty());
  EXPECT_EQ(verify_signatures(*decoded, tag), core::Error::none);
}

TEST(BtfsCommand, OwnCommandsTakeNoHistoricalSignatures) {
  auto error_of = [](Envelope envelope) {
    auto decoded = decode_submitted(std::move(envelope));
    return decoded ? verify_signatures(*decoded, tag) : decoded.error();
  };
  Envelope refusal = own(core::RefuseBtfs{});
  Envelope twice = refusal;
  twice.signers.push_back(twice.signers[0]);
  EXPECT_EQ(error_of(twice), core::Error::wrong_signer_count);
  Envelope unsigned_one = refusal;
  unsigned_one.signers.clear();
  EXPECT_EQ(error_of(unsigned_one), core::Error::wrong_signer_count);
  Envelope in_der = refusal;
  in_der.signers[0].signature = btfs::sign(alice, refusal.command);
  EXPECT_EQ(error_of(in_der), core::Error::bad_signature_format);
}

TEST(BtfsCommand, ARefusalShowsInTheAccountsLeaf) {
  core::Account account{.key = alice.public_key()};
  EXPECT_EQ(make_account_leaf(account, {}, {}).extra, Hash{});
  account.refuses_btfs = true;
  EXPECT_EQ(make_account_leaf(account, {}, {}).extra, sha256("\x01"s));
}

}  // namespace
}  // namespace windlass::codec
