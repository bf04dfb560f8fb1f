// The codec and the protos of the historical BTFS ledger against tests/vectors/btfs: bytes that its real
// clients made.
#include <btfs/escrow.pb.h>
#include <btfs/exchange.pb.h>
#include <btfs/ledger.pb.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "crypto/tron_address.h"
#include "ledger/codec/btfs.h"

namespace windlass::codec::btfs {
namespace {

using nlohmann::json;

json load(const std::string& name) {
  const char* source = std::getenv("WINDLASS_SOURCE_DIR");
  std::ifstream in(std::string(source != nullptr ? source : ".") + "/tests/vectors/btfs/" + name);
  if (!in) throw std::runtime_error("no tests/vectors/btfs/" + name + ": set WINDLASS_SOURCE_DIR");
  return json::parse(in);
}
std::vector<json> vectors(const std::string& name) {
  return load(name).at("vectors");
}

std::string unhex(const json& text) {
  return from_hex(text.get<std::string>()).value();
}
std::int64_t number(const json& value) {
  return value.is_string() ? std::stoll(value.get<std::string>()) : value.get<std::int64_t>();
}
core::Key key(const json& address_hex) {
  return parse_address(unhex(address_hex)).value();
}
bool starts_with(const std::string& text, const std::string& prefix) {
  return text.rfind(prefix, 0) == 0;
}

// The secret keys of the vectors, by their labels; a signer is named by a label, perhaps with its part before
// it.
SecretKey secret_of(std::string signer) {
  static const auto keys = [] {
    std::map<std::string, std::string> found;
    for (const auto& vector : vectors("keys.json"))
      found[vector["label"]] = vector["private_key_hex"].get<std::string>();
    const json about = load("js.json").at("about");
    for (const auto& vector : about.at("keys"))
      found[vector["label"]] = vector["private_key_hex"].get<std::string>();
    return found;
  }();
  for (const char* part : {"from: ", "to: ", "old: ", "new: "})
    if (starts_with(signer, part)) signer.erase(0, std::string(part).size());
  return SecretKey::from_bytes(unhex(keys.at(signer))).value();
}

template <typename Message>
std::optional<Message> outer(const std::string& request) {
  Message message;
  return message.ParseFromString(request) ? std::optional(message) : std::nullopt;
}

Error judge_transfer(const std::string& request) {
  auto message = outer<::ledger::SignedTransferRequest>(request);
  if (!message) return Error::malformed;
  auto transfer = parse_transfer_request(message->transfer_request());
  if (!transfer) return transfer.error();
  return verify(transfer->payer, message->signature(), message->transfer_request());
}
Error judge_create_channel(const std::string& request) {
  auto message = outer<::ledger::SignedChannelCommit>(request);
  if (!message) return Error::malformed;
  auto commit = parse_channel_commit(message->channel());
  if (!commit) return commit.error();
  return verify(commit->payer, message->signature(), message->channel());
}
Error judge_close_channel(const std::string& request) {
  auto message = outer<::ledger::SignedChannelState>(request);
  if (!message) return Error::malformed;
  auto state = parse_channel_state(message->channel());
  if (!state) return state.error();
  auto first = verify(state->from.address, message->from_signature(), message->channel());
  return first != Error::none ? first
                              : verify(state->to.address, message->to_signature(), message->channel());
}
Error judge_create_account(const std::string& request) {
  auto message = outer<::ledger::SignedCreateAccountRequest>(request);
  if (!message) return Error::malformed;
  auto owner = parse_public_key(message->key());
  if (!owner) return owner.error();
  return verify(*owner, message->signature(), message->key());
}

// What a server says of the bytes of a request, before it looks at any account.
Error judge(const std::string& method, const std::string& request) {
  if (method == "/ledger.Channels/Transfer") return judge_transfer(request);
  if (method == "/ledger.Channels/CreateChannel") return judge_create_channel(request);
  if (method == "/ledger.Channels/CloseChannel") return judge_close_channel(request);
  if (method == "/ledger.Channels/SignedCreateAccount") return judge_create_account(request);
  throw std::runtime_error("no such method: " + method);
}

TEST(BtfsVectors, KeepsOneKeyForEachAddress) {
  for (const auto& vector : vectors("keys.json")) {
    auto parsed = parse_address(unhex(vector["ledger_address_hex"]));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(to_hex(*parsed), vector["compressed_hex"]);
    EXPECT_EQ(to_hex(address_of(*parsed)), vector["ledger_address_hex"]);
    EXPECT_EQ(to_hex(tron_address(*parsed)), vector["tron_address_hex"]);
    EXPECT_EQ(secret_of(vector["label"]).public_key(), *parsed);
  }
}

// The reasons that the vectors give, and how the codec says the same.
const std::map<std::string, std::set<Error>> reasons = {
    {"signature", {Error::wrong_signature}},
    {"signatures", {Error::wrong_signature, Error::bad_signature_encoding}},
    {"one signature is not over the received bytes", {Error::wrong_signature}},
    {"the signatures are not over the received bytes", {Error::wrong_signature}},
    {"the signature is not over the received bytes", {Error::wrong_signature}},
    {"signature encoding", {Error::bad_signature_encoding}},
    {"both must sign (unless this very state is already closed)", {Error::bad_signature_encoding}},
    {"an address is 65 bytes starting 04: this would be a second name of one account", {Error::address_form}},
    {"key", {Error::address_form, Error::address_length}},
    {"an address is 65 bytes", {Error::address_length}},
    {"an address is 65 bytes starting 04", {Error::address_form, Error::address_length}},
    {"an address is 65 bytes starting 04 and on the curve",
     {Error::address_form, Error::address_length, Error::address_off_curve}},
    {"not on the curve", {Error::address_off_curve}},
    {"coordinate not below p", {Error::address_off_curve}},
    {"amounts are positive", {Error::bad_amount}},
    {"does not parse", {Error::malformed, Error::bad_signature_encoding, Error::address_length}},
    {"nothing in it", {Error::address_length}},
    {"no amount that protobuf can read", {Error::unknown_field}},
    {"payer_id must be positive", {Error::bad_payer_id}},
    {"field 4 is no part of a TransferRequest: accepting it would let a commit be replayed as a payment",
     {Error::unknown_field}},
    {"balances are not negative", {Error::bad_balance}},
    {"a sequence is positive", {Error::bad_sequence}},
    {"the sum overflows", {Error::bad_balance}},
    {"protobuf takes the last key, which did not sign", {Error::repeated_field}},
};
// Where the vectors leave the choice to the server, or where their reason is not the first thing that is
// wrong.
const std::map<std::string, Error> particular = {
    {"self-transfer", Error::self_payment},      {"unknown-field", Error::unknown_field},
    {"amount-twice", Error::repeated_field},     {"amount-twice-unsigned", Error::repeated_field},
    {"message-twice-good-last", Error::none},    {"message-twice-good-first", Error::wrong_signature},
    {"message-split", Error::address_length},    {"key-hybrid-other-parity", Error::address_form},
    {"sig-flipped-bit", Error::wrong_signature}, {"sig-s-one-r-one", Error::wrong_signature},
    {"account-long-version", Error::none},
};

TEST(BtfsVectors, AcceptsAndRefusesWhatIsExpected) {
  for (const auto& vector : vectors("cases.json")) {
    const std::string name = vector["name"];
    SCOPED_TRACE(name);
    Error error = judge(vector["grpc_method"], unhex(vector["request_hex"]));
    if (particular.contains(name))
      EXPECT_EQ(error, particular.at(name)) << words(error);
    else if (vector["expected"] == "accept")
      EXPECT_EQ(error, Error::none) << words(error);
    else
      EXPECT_TRUE(reasons.at(vector["reason"]).contains(error)) << words(error);
  }
}

// Each signature is its key's over the very bytes that are in the request.
void expect_signed(const json& vector) {
  const std::string message = unhex(vector["signed_message_hex"]);
  EXPECT_EQ(to_hex(message_hash(message)), vector["signed_message_sha256_hex"]);
  EXPECT_NE(unhex(vector["request_hex"]).find(message), std::string::npos);
  for (const auto& signature : vector["signatures"]) {
    EXPECT_EQ(verify(key(signature["public_key_hex"]), unhex(signature["der_hex"]), message), Error::none);
    bool deterministic = !signature["high_s"].get<bool>();
    if (!deterministic) continue;
    EXPECT_EQ(to_hex(sign(secret_of(signature["signer"]), message)), signature["der_hex"]);
  }
}

ChannelState state_of(const json& fields) {
  return {number(fields["id"]),
          number(fields["sequence"]),
          {key(fields["from_key_hex"]), number(fields["from_balance"])},
          {key(fields["to_key_hex"]), number(fields["to_balance"])}};
}

TEST(BtfsVectors, ReadsAndSignsWhatTheGoClientDoes) {
  std::set<std::string> types;
  for (const auto& vector : vectors("signed.json")) {
    SCOPED_TRACE(vector["name"]);
    expect_signed(vector);
    const std::string type = vector["signed_message_type"], message = unhex(vector["signed_message_hex"]);
    const json& fields = vector["fields"];
    types.insert(type);
    if (type == "ledger.PublicKey") {
      EXPECT_EQ(parse_public_key(message), key(fields["key_hex"]));
    } else if (type == "ledger.ChannelCommit") {
      ChannelCommit expected{key(fields["payer_key_hex"]), key(fields["recipient_key_hex"]),
                             number(fields["amount"]), number(fields["payer_id"])};
      EXPECT_EQ(parse_channel_commit(message), expected);
    } else if (type == "ledger.TransferRequest") {
      TransferRequest expected{key(fields["payer_key_hex"]), key(fields["recipient_key_hex"]),
                               number(fields["amount"])};
      EXPECT_EQ(parse_transfer_request(message), expected);
    } else if (type == "ledger.ChannelState") {
      EXPECT_EQ(parse_channel_state(message), state_of(fields));
      EXPECT_EQ(to_hex(encode(state_of(fields))), vector["signed_message_hex"]);
    }
  }
  EXPECT_EQ(types, (std::set<std::string>{"ledger.PublicKey", "ledger.PublicKey (the new key)",
                                          "ledger.ChannelCommit", "ledger.ChannelState",
                                          "ledger.TransferRequest", "escrow.BalanceResult"}));
}

// What it signs is right; whether it is to be accepted is the amount's matter.
TEST(BtfsVectors, ReadsWhatTheJavaScriptClientSigns) {
  for (const auto& vector : vectors("js.json")) {
    SCOPED_TRACE(vector["name"]);
    if (vector.contains("signed_message_hex")) {
      expect_signed(vector);
      const json& fields = vector["fields"];
      bool positive = !fields.contains("amount") || number(fields["amount"]) > 0;
      EXPECT_EQ(judge(vector["grpc_method"], unhex(vector["request_hex"])),
                positive ? Error::none : Error::bad_amount);
    } else {
      EXPECT_TRUE(parse_public_key(unhex(vector["request_hex"])));
    }
  }
}

// The client writes the result again and verifies that: of all that it accepts, we sign the one form.
TEST(BtfsVectors, WritesBalancesAsTheClientWritesThemAgain) {
  int written = 0;
  for (const auto& vector : vectors("client.json")) {
    SCOPED_TRACE(vector["name"]);
    ::escrow::BalanceResult result;
    ASSERT_TRUE(result.ParseFromString(unhex(vector["result_hex"])));
    bool ours = result.has_escrow_signed_time() && !result.escrow_address().empty() &&
                result.GetReflection()->GetUnknownFields(result).empty();
    if (!ours) continue;
    const auto& time = result.escrow_signed_time();
    std::string bytes = encode(BalanceResult{result.balance(), parse_address(result.escrow_address()).value(),
                                             time.seconds() * 1'000'000'000 + time.nanos()});
    EXPECT_EQ(to_hex(bytes), vector["client_serializes_it_as_hex"]);
    ++written;
  }
  EXPECT_GE(written, 10);
}

TEST(BtfsVectors, WritesTheBalancesThatTheGoLibrarySigned) {
  int written = 0;
  for (const auto& vector : vectors("signed.json")) {
    if (vector["signed_message_type"] != "escrow.BalanceResult") continue;
    SCOPED_TRACE(vector["name"]);
    ::escrow::SignedBalanceResult answer;
    ASSERT_TRUE(answer.ParseFromString(unhex(vector["request_hex"])));
    ::escrow::BalanceResult result;
    ASSERT_TRUE(result.ParseFromString(answer.result()));
    const auto& time = result.escrow_signed_time();
    EXPECT_EQ(encode(BalanceResult{result.balance(), parse_address(result.escrow_address()).value(),
                                   time.seconds() * 1'000'000'000 + time.nanos()}),
              answer.result());
    ++written;
  }
  EXPECT_EQ(written, 4);
}

// The fields of a message that the vector names as the proto does.
int expect_fields(const google::protobuf::Message& message, const json& fields) {
  int found = 0;
  for (auto [name, value] : fields.items()) {
    bool hex = name.size() > 4 && name.substr(name.size() - 4) == "_hex";
    const auto* field =
        message.GetDescriptor()->FindFieldByName(hex ? name.substr(0, name.size() - 4) : name);
    if (field == nullptr) continue;
    const auto* reflection = message.GetReflection();
    if (field->cpp_type() == field->CPPTYPE_INT64)
      EXPECT_EQ(reflection->GetInt64(message, field), number(value)) << name;
    else if (field->cpp_type() == field->CPPTYPE_STRING)
      EXPECT_EQ(reflection->GetString(message, field), hex ? unhex(value) : value.get<std::string>()) << name;
    else
      continue;
    ++found;
  }
  return found;
}

TEST(BtfsVectors, HasEveryFieldOfTheUnsignedMessages) {
  int fields = 0;
  for (const auto& vector : vectors("messages.json")) {
    SCOPED_TRACE(vector["name"]);
    const auto* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
        vector["message_type"].get<std::string>());
    ASSERT_NE(type, nullptr);
    std::unique_ptr<google::protobuf::Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
    ASSERT_TRUE(message->ParseFromString(unhex(vector["message_hex"])));
    EXPECT_TRUE(message->GetReflection()->GetUnknownFields(*message).empty());
    EXPECT_EQ(to_hex(message->SerializeAsString()), vector["message_hex"]);
    fields += expect_fields(*message, vector["fields"]);
  }
  EXPECT_GE(fields, 50);
}

TEST(BtfsVectors, NamesEveryResponseCode) {
  int codes = 0;
  for (const auto& vector : vectors("messages.json")) {
    if (!vector["fields"].contains("code_name")) continue;
    ::protocol::Response response;
    ASSERT_TRUE(response.ParseFromString(unhex(vector["message_hex"])));
    EXPECT_EQ(::protocol::Response::return_code_Name(response.code()), vector["fields"]["code_name"]);
    ++codes;
  }
  EXPECT_EQ(codes, ::protocol::Response::return_code_descriptor()->value_count());
}

}  // namespace
}  // namespace windlass::codec::btfs
