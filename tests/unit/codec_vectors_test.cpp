// The codec against tests/vectors/formats.json, which a program in another language made from
// docs/formats.md.
#include <gtest/gtest.h>
#include <windlass/v1/command.pb.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "crypto/tron_address.h"
#include "ledger/codec/command.h"
#include "ledger/codec/entry.h"
#include "ledger/codec/liabilities.h"
#include "ledger/log/note.h"

namespace windlass::codec {
namespace {

using nlohmann::json;
namespace pb = windlass::v1;

const json& vectors() {
  static const json parsed = [] {
    const char* source = std::getenv("WINDLASS_SOURCE_DIR");
    std::string file = std::string(source != nullptr ? source : ".") + "/tests/vectors/formats.json";
    std::ifstream in(file);
    if (!in) throw std::runtime_error("no " + file + ": set WINDLASS_SOURCE_DIR");
    return json::parse(in);
  }();
  return parsed;
}

std::string bytes_of(const json& hex) {
  return from_hex(hex.get<std::string>()).value();
}
template <std::size_t N>
ByteArray<N> array_of(const json& hex) {
  return to_array<N>(bytes_of(hex)).value();
}
Hash hash_of(const json& hex) {
  return array_of<32>(hex);
}
core::Sequence sequence_of(const json& number) {
  return {number.get<std::uint64_t>()};
}
SigningTag tag_of_vectors() {
  const auto& tag = vectors()["signing_tag"];
  return {tag["origin"].get<std::string>(), hash_of(tag["genesis_leaf_hash"])};
}

core::AccountPosting account_posting_of(const json& fields) {
  return {{fields["account"].get<std::uint64_t>()},
          {{fields["asset"].get<std::uint32_t>()}, fields["available"], fields["locked"], fields["held"]},
          sequence_of(fields["previous"])};
}
core::Posting posting_of(const json& fields) {
  if (fields["kind"] == "account") return account_posting_of(fields);
  core::ChannelId channel{fields["channel"].get<std::uint64_t>()};
  if (fields["kind"] == "closing")
    return core::ClosingPosting{account_posting_of(fields), channel, hash_of(fields["history_hash"])};
  return core::ChannelPosting{channel, fields["deposit"], fields["claimed"], sequence_of(fields["previous"])};
}

TEST(CodecVectors, DerivesTronAddresses) {
  for (const auto& one : vectors()["keys"])
    EXPECT_EQ(to_hex(tron_address(array_of<33>(one["key"]))), one["tron_address"]);
}

TEST(CodecVectors, MakesTheSigningTag) {
  EXPECT_EQ(tag_of_vectors().text(), vectors()["signing_tag"]["tag"]);
}

TEST(CodecVectors, DigestsAndVerifiesCommands) {
  for (const auto& command : vectors()["commands"]) {
    SCOPED_TRACE(command["name"]);
    auto tag = tag_of_vectors();
    EXPECT_EQ(to_hex(tag.digest(bytes_of(command["command"]))), command["digest"]);
    auto envelope = Envelope::decode(bytes_of(command["envelope"]));
    ASSERT_TRUE(envelope);
    auto decoded = decode_submitted(*envelope);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(verify_signatures(*decoded, tag), core::Error::none);
    SigningTag another("another/ledger", hash_of(vectors()["signing_tag"]["genesis_leaf_hash"]));
    EXPECT_EQ(verify_signatures(*decoded, another), core::Error::bad_signature);
  }
}

TEST(CodecVectors, EncodesEnvelopes) {
  for (const auto& command : vectors()["commands"]) {
    Envelope envelope{bytes_of(command["command"]), {}};
    for (const auto& signer : command["signers"])
      envelope.signers.push_back({bytes_of(signer["key"]), bytes_of(signer["signature"])});
    EXPECT_EQ(to_hex(envelope.encode()), command["envelope"]);
  }
}

Decoded wrapped_anew(core::Kind kind, const std::vector<std::string>& messages,
                     const std::vector<Signed>& signers, const pb::Command& command) {
  switch (kind) {
    case core::Kind::btfs_transfer:
      return make_btfs_transfer(messages[0], signers[0]).value();
    case core::Kind::btfs_open_channel:
      return make_btfs_open_channel(messages[0], signers[0]).value();
    case core::Kind::btfs_close_channel:
      return make_btfs_close_channel(messages[0], signers[0],
                                     signers.size() > 1 ? std::optional(signers[1]) : std::nullopt)
          .value();
    case core::Kind::btfs_withdraw:
      return make_btfs_withdraw({messages[0], messages[1], signers[0], signers[1], signers[2], signers[3],
                                 command.btfs_withdraw().fee()})
          .value();
    default:
      return make_btfs_rotate_key(messages[0], messages[1], signers[0], signers[1]).value();
  }
}

std::string id_of(const core::Body& body) {
  if (const auto* transfer = std::get_if<core::BtfsTransfer>(&body)) return to_hex(transfer->id);
  if (const auto* open = std::get_if<core::BtfsOpenChannel>(&body)) return to_hex(open->id);
  return "";
}

TEST(CodecVectors, WrapsWhatHistoricalClientsSigned) {
  std::set<core::Kind> kinds;
  for (const auto& one : vectors()["historical_commands"]) {
    SCOPED_TRACE(one["name"]);
    auto kind = static_cast<core::Kind>(one["kind"].get<int>());
    kinds.insert(kind);
    std::vector<std::string> messages;
    for (const auto& message : one["messages"]) messages.push_back(bytes_of(message));
    std::vector<Signed> signers;
    for (const auto& signer : one["signers"])
      signers.push_back({bytes_of(signer["key"]), bytes_of(signer["signature"])});

    auto decoded = decode_stored(bytes_of(one["envelope"]));
    ASSERT_TRUE(decoded) << decoded.error();
    EXPECT_EQ(decoded->command.kind(), kind);
    EXPECT_EQ(decoded->historical_messages, messages);
    EXPECT_EQ(verify_signatures(*decoded, tag_of_vectors()), core::Error::none);
    EXPECT_EQ(id_of(decoded->command.body), one["id"]);
    pb::Command command;
    ASSERT_TRUE(command.ParseFromString(bytes_of(one["command"])));
    EXPECT_EQ(to_hex(wrapped_anew(kind, messages, signers, command).envelope.encode()), one["envelope"]);
  }
  EXPECT_EQ(kinds.size(), 5u);
}

TEST(CodecVectors, EncodesAndDecodesPostingsOfEveryKind) {
  std::set<std::string> kinds;
  for (const auto& entry : vectors()["entries"]) {
    for (const auto& one : entry["postings"]) {
      kinds.insert(one["fields"]["kind"]);
      auto posting = posting_of(one["fields"]);
      EXPECT_EQ(to_hex(encode_posting(posting)), one["posting"]);
      EXPECT_EQ(decode_posting(bytes_of(one["posting"])), posting);
    }
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"account", "channel", "closing"}));
}

TEST(CodecVectors, SaltsAndHashesPostings) {
  for (const auto& entry : vectors()["entries"]) {
    Secret secret = hash_of(entry["secret"]);
    EXPECT_EQ(to_hex(salt(secret, 0)), entry["envelope_salt"]);
    std::uint32_t index = 0;
    std::vector<core::Posting> postings;
    std::vector<Hash> expected;
    for (const auto& one : entry["postings"]) {
      EXPECT_EQ(to_hex(salt(secret, ++index)), one["salt"]);
      EXPECT_EQ(to_hex(posting_leaf_hash(hash_of(one["salt"]), bytes_of(one["posting"]))), one["leaf_hash"]);
      postings.push_back(posting_of(one["fields"]));
      expected.push_back(hash_of(one["leaf_hash"]));
    }
    EXPECT_EQ(posting_leaf_hashes(postings, secret), expected);
  }
}

TEST(CodecVectors, MakesLeavesAndTheirHashes) {
  for (const auto& entry : vectors()["entries"]) {
    Entry sealed{.sequence = sequence_of(entry["sequence"]),
                 .time_us = entry["time_us"],
                 .kind = static_cast<core::Kind>(entry["kind"].get<int>()),
                 .envelope = bytes_of(entry["envelope"]),
                 .secret = hash_of(entry["secret"])};
    for (const auto& one : entry["postings"]) sealed.postings.push_back(posting_of(one["fields"]));
    seal(sealed);
    EXPECT_EQ(to_hex(sealed.posting_tree.root()), entry["postings_root"]);
    EXPECT_EQ(to_hex(sealed.leaf.encode()), entry["leaf"]);
    EXPECT_EQ(to_hex(sealed.leaf_hash), entry["leaf_hash"]);
  }
}

TEST(CodecVectors, ReadsGenesis) {
  auto envelope = Envelope::decode(bytes_of(vectors()["entries"][0]["envelope"]));
  ASSERT_TRUE(envelope);
  EXPECT_TRUE(envelope->signers.empty());
  auto genesis = read_genesis(envelope->command);
  ASSERT_TRUE(genesis);
  EXPECT_EQ(genesis->origin, vectors()["signing_tag"]["origin"]);
  EXPECT_EQ(genesis->log_vkey, vectors()["notes"]["verifier_key"]);
}

TEST(CodecVectors, ChainsAChannelsHistory) {
  Hash history{};
  for (const auto& step : vectors()["channel_history"]) {
    EXPECT_EQ(to_hex(history), step["before"]);
    history = extend_history(history, sequence_of(step["sequence"]), hash_of(step["leaf_hash"]));
    EXPECT_EQ(to_hex(history), step["after"]);
  }
  const auto& closing = vectors()["entries"].back()["postings"][0]["fields"];
  EXPECT_EQ(to_hex(history), closing["history_hash"]);
}

TEST(CodecVectors, SignsTheSameNotes) {
  const auto& notes = vectors()["notes"];
  auto signer = log::NoteSigner::parse(notes["signer_key"].get<std::string>());
  ASSERT_TRUE(signer);
  EXPECT_EQ(signer->verifier().text(), notes["verifier_key"]);
  std::vector<Hash> leaves;
  for (const auto& leaf : notes["leaf_hashes"]) leaves.push_back(hash_of(leaf));
  const auto& given = notes["promise"];
  log::Promise promise{given["origin"], given["first_sequence"], given["count"], log::root_of(leaves),
                       given["time_us"]};
  EXPECT_EQ(to_hex(promise.batch_root), given["root"]);
  EXPECT_EQ(signer->sign(promise.text()), given["note"]);
  log::Checkpoint checkpoint{given["origin"], leaves.size(), log::root_of(leaves)};
  EXPECT_EQ(signer->sign(checkpoint.text()), notes["checkpoint"]);
}

core::Account account_of(const json& fields) {
  core::Account account;
  account.key = array_of<33>(fields["key"]);
  for (const auto& row : fields["balances"])
    account.balances.push_back({{row[0].get<std::uint32_t>()}, row[1], row[2], row[3]});
  for (const auto& pair : fields["nonces"])
    account.nonces.push_back({pair[0].get<std::uint64_t>(), sequence_of(pair[1])});
  account.last = sequence_of(fields["last_sequence"]);
  account.refuses_btfs = fields["refuses_btfs"];
  return account;
}
std::vector<core::Channel> channels_of(const json& rows) {
  std::vector<core::Channel> channels;
  for (const auto& row : rows) {
    core::Channel channel;
    channel.id = {row[0].get<std::uint64_t>()};
    channel.deposit = row[1];
    channel.claimed = row[2];
    channel.last = sequence_of(row[3]);
    channel.history = hash_of(row[4]);
    channels.push_back(channel);
  }
  return channels;
}

TEST(CodecVectors, MakesAccountLeaves) {
  for (const auto& fields : vectors()["account_leaves"]) {
    auto account = account_of(fields);
    auto channels = channels_of(fields["channels"]);
    std::vector<const core::Channel*> open;
    for (const auto& channel : channels) open.push_back(&channel);
    auto leaf = make_account_leaf(account, open, hash_of(fields["history_hash"]));
    EXPECT_EQ(to_hex(leaf.encode()), fields["leaf"]);
  }
}

TEST(CodecVectors, MakesLiabilities) {
  const auto& given = vectors()["liabilities"];
  auto secret = liabilities_secret(sequence_of(given["sequence"]), hash_of(given["entry_secret"]));
  EXPECT_EQ(to_hex(account_liability_secret(secret, {3}, core::AssetId{1})), given["secret_of_account_3"]);
  std::map<std::uint32_t, std::vector<SumNode>> nodes;
  for (const auto& row : given["owed"]) {
    auto leaves = liability_leaves(secret, {row[0].get<std::uint64_t>()},
                                   core::AssetId{row[1].get<std::uint32_t>()}, row[2]);
    auto& of_asset = nodes[row[1].get<std::uint32_t>()];
    of_asset.insert(of_asset.end(), leaves.begin(), leaves.end());
  }
  std::vector<AssetLiabilities> assets;
  for (auto& [asset, leaves] : nodes) {
    std::sort(leaves.begin(), leaves.end(), [](const auto& a, const auto& b) { return a.hash < b.hash; });
    auto root = root_of_sums(leaves);
    const auto& wanted = given["assets"][assets.size()];
    EXPECT_EQ(root.sum, wanted[1].get<core::Amount>());
    EXPECT_EQ(to_hex(root.hash), wanted[2]);
    assets.push_back({{asset}, root.sum, root.hash});
  }
  EXPECT_EQ(to_hex(liabilities_root(assets)), given["root"]);
}

}  // namespace
}  // namespace windlass::codec
