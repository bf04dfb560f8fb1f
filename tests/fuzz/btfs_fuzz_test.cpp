// The parsers of the historical ledger's signed messages against protobuf's own: what ours accept, protobuf
// reads with the same values and with nothing left over; what protobuf would write just so, ours refuse for
// its values alone.
#include <btfs/ledger.pb.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "ledger/codec/btfs.h"
#include "tests/fuzz/mutate.h"

namespace windlass::codec::btfs {
namespace {

using namespace std::string_view_literals;
using test::fuzz_runs;
using test::mutate;
using test::Seeded;

// Tags, lengths, numbers, and whole fields that are unknown, repeated or of another wire type.
constexpr std::string_view pieces[] = {"\x0a"sv,     "\x12"sv,         "\x18"sv,         "\x20"sv,
                                       "\x22"sv,     "\x0a\x43"sv,     "\x0a\x41\x04"sv, "\x08\x01"sv,
                                       "\x10\0"sv,   "\x18\x01"sv,     "\x20\x01"sv,     "\x28\x01\x30\x01"sv,
                                       "\x28\0"sv,   "\x30\0"sv,       "\x38\x01"sv,     "\xa0\x06\x01"sv,
                                       "\x80"sv,     "\x81\x80\0"sv,   "\x8a\0"sv,       "\xff\xff\xff\xff"sv,
                                       "\x0b\x0c"sv, "\x1d\0\0\0\0"sv, "\x1a\0"sv,       "\x01"sv};

SecretKey some_secret(char byte) {
  return SecretKey::from_bytes(std::string(32, byte)).value();
}
const core::Key payer = some_secret(1).public_key(), recipient = some_secret(2).public_key();

template <typename Message>
Message between_two() {
  Message message;
  message.mutable_payer()->set_key(address_of(payer));
  message.mutable_recipient()->set_key(address_of(recipient));
  message.set_amount(1'000'000);
  return message;
}

bool fully_known(const google::protobuf::Message& message) {
  const auto* reflection = message.GetReflection();
  if (!reflection->GetUnknownFields(message).empty()) return false;
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  return std::all_of(fields.begin(), fields.end(), [&](const auto* field) {
    return field->cpp_type() != field->CPPTYPE_MESSAGE || fully_known(reflection->GetMessage(message, field));
  });
}

void expect_same(const TransferRequest& ours, const ::ledger::TransferRequest& theirs) {
  EXPECT_EQ(address_of(ours.payer), theirs.payer().key());
  EXPECT_EQ(address_of(ours.recipient), theirs.recipient().key());
  EXPECT_EQ(ours.amount, theirs.amount());
  EXPECT_EQ(ours.nonce, theirs.nonce());
  EXPECT_EQ(ours.expires_us, theirs.expires_us());
}
void expect_same(const ChannelCommit& ours, const ::ledger::ChannelCommit& theirs) {
  EXPECT_EQ(address_of(ours.payer), theirs.payer().key());
  EXPECT_EQ(address_of(ours.recipient), theirs.recipient().key());
  EXPECT_EQ(ours.amount, theirs.amount());
  EXPECT_EQ(ours.payer_id, theirs.payer_id());
}
void expect_same(const Account& ours, const ::ledger::Account& theirs) {
  EXPECT_EQ(address_of(ours.address), theirs.address().key());
  EXPECT_EQ(ours.balance, theirs.balance());
}
void expect_same(const ChannelState& ours, const ::ledger::ChannelState& theirs) {
  EXPECT_EQ(ours.id, theirs.id().id());
  EXPECT_EQ(ours.sequence, theirs.sequence());
  expect_same(ours.from, theirs.from());
  expect_same(ours.to, theirs.to());
  EXPECT_EQ(parse_channel_state(encode(ours)), ours);
}
void expect_same(const core::Key& ours, const ::ledger::PublicKey& theirs) {
  EXPECT_EQ(address_of(ours), theirs.key());
}

bool is_about_form(Error error) {
  return error == Error::malformed || error == Error::unknown_field || error == Error::repeated_field;
}

template <typename Message, typename Parse>
void fuzz(const std::vector<std::string>& seeds, const Parse& parse) {
  Seeded random;
  for (const auto& seed : seeds) ASSERT_TRUE(parse(seed)) << to_hex(seed);
  std::uint64_t accepted = 0, canonical = 0;
  for (std::uint64_t run = 0; run < fuzz_runs() && !::testing::Test::HasFailure(); ++run) {
    std::string input = random.one_in(10) ? random.bytes(random.below(200))
                                          : mutate(seeds[random.below(seeds.size())], pieces, random);
    SCOPED_TRACE(to_hex(input));
    auto ours = parse(input);
    Message theirs;
    bool readable = theirs.ParseFromString(input) && fully_known(theirs);
    if (ours) {
      ++accepted;
      ASSERT_TRUE(readable);
      expect_same(*ours, theirs);
    } else if (readable && theirs.SerializeAsString() == input) {
      ++canonical;
      EXPECT_FALSE(is_about_form(ours.error())) << words(ours.error());
    }
  }
  std::cout << accepted << " of " << fuzz_runs() << " inputs accepted, " << canonical
            << " refused for their values alone\n";
}

TEST(BtfsFuzz, TransferRequest) {
  auto legacy = between_two<::ledger::TransferRequest>(), extended = legacy;
  extended.set_nonce(7);
  extended.set_expires_us(1'790'000'000'000'000);
  fuzz<::ledger::TransferRequest>({legacy.SerializeAsString(), extended.SerializeAsString(),
                                   legacy.SerializeAsString() + std::string("\x28\0\x30\0"sv)},
                                  parse_transfer_request);
}

TEST(BtfsFuzz, ChannelCommit) {
  auto commit = between_two<::ledger::ChannelCommit>();
  commit.set_payer_id(1'600'000'000'123'456'789);
  fuzz<::ledger::ChannelCommit>({commit.SerializeAsString()}, parse_channel_commit);
}

TEST(BtfsFuzz, ChannelState) {
  fuzz<::ledger::ChannelState>({encode(ChannelState{7, 1, {payer, 0}, {recipient, 1'000'000}}),
                                encode(ChannelState{300, 2, {payer, 5}, {recipient, 0}})},
                               parse_channel_state);
}

TEST(BtfsFuzz, PublicKey) {
  ::ledger::PublicKey key;
  key.set_key(address_of(payer));
  fuzz<::ledger::PublicKey>({key.SerializeAsString()}, parse_public_key);
}

// Of a DER signature r has one spelling; s has two at most, of which one is written.
TEST(BtfsFuzz, DerSignature) {
  Seeded random;
  auto r_of = [](const std::string& der) { return der.substr(2, 2 + static_cast<std::uint8_t>(der[3])); };
  std::uint64_t accepted = 0;
  for (std::uint64_t run = 0; run < fuzz_runs(); ++run) {
    std::string seed = signature_to_der(some_secret(1).sign(sha256(random.bytes(8))));
    std::string input = mutate(seed, pieces, random);
    auto signature = signature_from_der(input);
    if (!signature) continue;
    ++accepted;
    std::string written = signature_to_der(*signature);
    ASSERT_EQ(r_of(written), r_of(input)) << to_hex(input);
    ASSERT_EQ(signature_from_der(written), signature) << to_hex(input);
  }
  std::cout << accepted << " of " << fuzz_runs() << " inputs accepted\n";
}

}  // namespace
}  // namespace windlass::codec::btfs
