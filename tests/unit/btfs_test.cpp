// What the parsers of the historical ledger's signed messages take and refuse, beyond what its clients ever
// send; and the services' names.
#include "ledger/codec/btfs.h"

#include <btfs/escrow.grpc.pb.h>
#include <btfs/exchange.grpc.pb.h>
#include <btfs/ledger.grpc.pb.h>
#include <gtest/gtest.h>
#include <tron/api.grpc.pb.h>

namespace windlass::codec::btfs {
namespace {

using namespace std::string_literals;

core::Key some_key(std::uint8_t secret) {
  ByteArray<32> bytes{};
  bytes[31] = secret;
  return SecretKey::from_bytes(view(bytes)).value().public_key();
}
const core::Key payer = some_key(1), recipient = some_key(2);

::ledger::TransferRequest transfer() {
  ::ledger::TransferRequest message;
  message.mutable_payer()->set_key(address_of(payer));
  message.mutable_recipient()->set_key(address_of(recipient));
  message.set_amount(1'000'000);
  return message;
}
::ledger::ChannelCommit commit() {
  ::ledger::ChannelCommit message;
  message.mutable_payer()->set_key(address_of(payer));
  message.mutable_recipient()->set_key(address_of(recipient));
  message.set_amount(1'000'000);
  message.set_payer_id(1);
  return message;
}
std::string state() {
  return encode(ChannelState{7, 1, {payer, 0}, {recipient, 1'000'000}});
}
std::string public_key() {
  ::ledger::PublicKey message;
  message.set_key(address_of(payer));
  return message.SerializeAsString();
}

Error error_of_transfer(const std::string& bytes) {
  auto parsed = parse_transfer_request(bytes);
  return parsed ? Error::none : parsed.error();
}
Error error_of_transfer(const ::ledger::TransferRequest& message) {
  return error_of_transfer(message.SerializeAsString());
}

TEST(Btfs, ReadsNonceAndExpiryOfATransfer) {
  auto message = transfer();
  message.set_nonce(~std::uint64_t{0});
  message.set_expires_us(1'790'000'000'000'000);
  TransferRequest expected{payer, recipient, 1'000'000, ~std::uint64_t{0}, 1'790'000'000'000'000};
  EXPECT_EQ(parse_transfer_request(message.SerializeAsString()), expected);
}

TEST(Btfs, RefusesANonceWithoutExpiryAndTheReverse) {
  auto nonce = transfer(), expiry = transfer(), past = transfer();
  nonce.set_nonce(1);
  expiry.set_expires_us(1);
  past.set_nonce(1);
  past.set_expires_us(-1);
  for (const auto& message : {nonce, expiry, past})
    EXPECT_EQ(error_of_transfer(message), Error::half_extension);
}

TEST(Btfs, TakesZerosThatAreWrittenOut) {
  auto legacy = parse_transfer_request(transfer().SerializeAsString());
  EXPECT_EQ(parse_transfer_request(transfer().SerializeAsString() + "\x28\0\x30\0"s), legacy);
  EXPECT_EQ(error_of_transfer(transfer().SerializeAsString() + "\x20\0"s), Error::unknown_field);
}

TEST(Btfs, RefusesAFieldThatComesTwice) {
  std::string bytes = transfer().SerializeAsString();
  EXPECT_EQ(error_of_transfer(bytes + "\x18\x01"), Error::repeated_field);
  EXPECT_EQ(error_of_transfer(bytes + "\x0a\0"s), Error::repeated_field);
  EXPECT_EQ(parse_channel_state(state() + "\x10\x01").error(), Error::repeated_field);
  EXPECT_EQ(parse_public_key(public_key() + public_key()).error(), Error::repeated_field);
}

TEST(Btfs, RefusesUnknownFieldsOfEveryMessageAndWithinThem) {
  for (std::string extra : {"\x38\x01"s, "\xa0\x06\x01"s, "\x1d\0\0\0\0"s, "\x19\0\0\0\0\0\0\0\0"s,
                            "\x3b\x3c"s, "\0\0"s, "\x1a\0"s}) {
    EXPECT_EQ(error_of_transfer(extra + transfer().SerializeAsString()), Error::unknown_field);
    EXPECT_EQ(parse_channel_commit(extra + commit().SerializeAsString()).error(), Error::unknown_field);
    EXPECT_EQ(parse_public_key(extra + public_key()).error(), Error::unknown_field);
  }
  EXPECT_EQ(parse_channel_state("\x28\x01" + state()).error(), Error::unknown_field);
  auto nested = transfer();
  nested.mutable_payer()->GetReflection()->MutableUnknownFields(nested.mutable_payer())->AddVarint(2, 1);
  EXPECT_EQ(error_of_transfer(nested), Error::unknown_field);
}

// Fields 1 and 2, and an amount in these bytes.
std::string with_amount(const std::string& varint) {
  auto message = transfer();
  message.clear_amount();
  return message.SerializeAsString() + "\x18" + varint;
}

TEST(Btfs, TakesLongNumbersThatAreStillNumbers) {
  EXPECT_EQ(parse_transfer_request(with_amount("\x81\x80\0"s))->amount, 1);
  EXPECT_EQ(parse_transfer_request(with_amount("\x81\x80\x80\x80\x80\x80\x80\x80\x80\0"s))->amount, 1);
  EXPECT_EQ(parse_transfer_request(with_amount(std::string(8, '\xff') + '\x7f'))->amount,
            std::numeric_limits<core::Amount>::max());
  EXPECT_EQ(error_of_transfer(with_amount(std::string(9, '\xff') + '\1')), Error::bad_amount);
  EXPECT_EQ(error_of_transfer(with_amount(std::string(9, '\xff') + '\3')), Error::malformed);
  EXPECT_EQ(error_of_transfer(with_amount(std::string(10, '\x80') + '\0')), Error::malformed);
}

// 67, the length of a PublicKey, in two bytes.
TEST(Btfs, RefusesALengthThatIsLongerThanItMustBe) {
  std::string bytes = transfer().SerializeAsString();
  ASSERT_EQ(bytes.substr(0, 2), "\x0a\x43");
  EXPECT_EQ(error_of_transfer(bytes.replace(1, 1, "\xc3\0"s)), Error::malformed);
}

TEST(Btfs, RefusesEveryCutMessage) {
  const std::string bytes = transfer().SerializeAsString();
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_NE(error_of_transfer(bytes.substr(0, length)), Error::none) << length;
}

// The four messages that are signed: whoever signed one has not signed another.
TEST(Btfs, ReadsNoMessageAsAnother) {
  auto extended = transfer();
  extended.set_nonce(1);
  extended.set_expires_us(1);
  const std::string transfers[] = {transfer().SerializeAsString(), extended.SerializeAsString()};
  for (const auto& bytes : transfers) {
    EXPECT_TRUE(parse_transfer_request(bytes));
    EXPECT_FALSE(parse_channel_commit(bytes));
  }
  EXPECT_FALSE(parse_transfer_request(commit().SerializeAsString()));
  for (const auto& bytes : {transfers[0], transfers[1], commit().SerializeAsString(), public_key()})
    EXPECT_FALSE(parse_channel_state(bytes));
  for (const auto& bytes : {transfers[0], transfers[1], commit().SerializeAsString(), state()})
    EXPECT_FALSE(parse_public_key(bytes));
  std::string balance = encode(BalanceResult{1, payer, 1});
  for (const auto& bytes : {state(), public_key(), balance}) {
    EXPECT_FALSE(parse_transfer_request(bytes));
    EXPECT_FALSE(parse_channel_commit(bytes));
  }
  EXPECT_FALSE(parse_channel_state(balance));
  EXPECT_FALSE(parse_public_key(balance));
}

TEST(Btfs, SignsSoThatItVerifies) {
  auto key = SecretKey::generate();
  std::string signature = sign(key, state());
  EXPECT_EQ(verify(key.public_key(), signature, state()), Error::none);
  EXPECT_EQ(verify(payer, signature, state()), Error::wrong_signature);
  EXPECT_EQ(verify(key.public_key(), signature + '\0', state()), Error::bad_signature_encoding);
  EXPECT_EQ(verify(key.public_key(), {}, state()), Error::bad_signature_encoding);
}

TEST(Btfs, ExplainsEveryError) {
  for (int error = 1; error < static_cast<int>(Error::count); ++error)
    EXPECT_FALSE(words(static_cast<Error>(error)).empty());
}

std::map<std::string, std::string> calls(const std::string& service) {
  std::map<std::string, std::string> found;
  const auto* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(service);
  for (int i = 0; descriptor != nullptr && i < descriptor->method_count(); ++i) {
    const auto* method = descriptor->method(i);
    found[method->name()] = method->input_type()->full_name() + " -> " + method->output_type()->full_name();
  }
  return found;
}

TEST(BtfsServices, HaveTheHistoricalNames) {
  EXPECT_STREQ(::ledger::Channels::service_full_name(), "ledger.Channels");
  EXPECT_STREQ(::escrow::EscrowService::service_full_name(), "escrow.EscrowService");
  EXPECT_STREQ(::protocol::Exchange::service_full_name(), "protocol.Exchange");
  EXPECT_EQ(
      calls("ledger.Channels"),
      (std::map<std::string, std::string>{
          {"CreateChannel", "ledger.SignedChannelCommit -> ledger.ChannelID"},
          {"GetChannelInfo", "ledger.ChannelID -> ledger.ChannelInfo"},
          {"CloseChannel", "ledger.SignedChannelState -> ledger.ChannelClosed"},
          {"GetNextClosedChannel", "ledger.ClosedChannelCursor -> ledger.ChannelInfo"},
          {"CreateAccount", "ledger.PublicKey -> ledger.CreateAccountResult"},
          {"SignedCreateAccount", "ledger.SignedCreateAccountRequest -> ledger.SignedCreateAccountResult"},
          {"UpdateAccountPubKey", "ledger.SignedPublicKeyPair -> ledger.Null"},
          {"Transfer", "ledger.SignedTransferRequest -> ledger.TransferResult"}}));
  EXPECT_EQ(calls("escrow.EscrowService"),
            (std::map<std::string, std::string>{
                {"BalanceOf", "ledger.SignedCreateAccountRequest -> escrow.SignedBalanceResult"},
                {"CreateChannel", "ledger.SignedChannelCommit -> ledger.ChannelID"},
                {"CloseChannel", "ledger.SignedChannelState -> ledger.ChannelClosed"},
                {"Pay", "ledger.SignedTransferRequest -> ledger.TransferResult"}}));
  EXPECT_EQ(calls("protocol.Exchange").size(), 7u);
}

// Both are in the package `protocol`. This program has both; a message `protocol.Exchange` would not even
// compile.
TEST(BtfsServices, StandBesideTronsOwnMessages) {
  EXPECT_STREQ(::protocol::Wallet::service_full_name(), "protocol.Wallet");
  ::protocol::Transaction ours_to_read;
  ::protocol::TronTransaction ours_to_send;
  ours_to_read.add_signature("a signature");
  ASSERT_TRUE(ours_to_send.ParseFromString(ours_to_read.SerializeAsString()));
  EXPECT_EQ(ours_to_send.signature(0), "a signature");
}

}  // namespace
}  // namespace windlass::codec::btfs
