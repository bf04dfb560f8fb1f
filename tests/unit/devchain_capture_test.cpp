// Devchain against what a java-tron node answered: the captured calls again, over gRPC, at the captured
// times. A reference to a block, and so the txid and the signature, cannot be the same here; nothing else is
// changed.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "anchoring/contract/anchor_contract.h"
#include "anchoring/devchain/server.h"
#include "anchoring/tron/trc20.h"
#include "tests/unit/devchain_fixture.h"
#include "tests/unit/tron_vectors.h"
#include "tron/api.grpc.pb.h"
#include "tron/contract.pb.h"

namespace windlass::devchain {
namespace {

namespace contract = tron::anchor_contract;
using nlohmann::json;
using test::load_file;
using test::unhex;

constexpr std::int64_t trx = 1'000'000;
constexpr std::int64_t network_start_ms = 1795253637000;  // when the captured accounts were created
constexpr std::int64_t slot_ms = 3000;
constexpr std::int64_t solid_after = 2;

template <typename Message>
Message parse(const std::string& bytes) {
  Message message;
  EXPECT_TRUE(message.ParseFromString(bytes));
  return message;
}

constexpr std::string_view too_dear = "Not enough energy for '";

// The other signature over the same digest: s becomes the group's order less s, and v the other parity.
std::string high_s_twin(const std::string& signature) {
  const std::string order = unhex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
  std::string twin = signature;
  int borrow = 0;
  for (std::size_t i = 32; i-- > 0;) {
    int digit = static_cast<std::uint8_t>(order[i]) - static_cast<std::uint8_t>(signature[32 + i]) - borrow;
    borrow = digit < 0 ? 1 : 0;
    twin[32 + i] = static_cast<char>(digit + 256 * borrow);
  }
  twin[64] = signature[64] == 27 ? 28 : 27;
  return twin;
}

std::string owner_of(const protocol::Transaction::Contract& contract) {
  std::string value = contract.parameter().value();
  if (contract.type() == protocol::Transaction::Contract::TransferAssetContract)
    return parse<protocol::TransferAssetContract>(value).owner_address();
  return parse<protocol::TransferContract>(value).owner_address();  // the owner is field 1 of the others too
}

class Replay {
 public:
  // Who has such a token, and whoever else is there from the beginning: by the captured keys.
  using Contracts = std::function<std::vector<GenesisAccount>(const std::map<std::string, SecretKey>&)>;

  explicit Replay(const std::string& file, Options options = {},
                  std::map<std::string, std::int64_t> tokens = {}, const Contracts& contracts = {})
      : captures_(load_file(file)), clock_(network_start_ms) {
    std::vector<GenesisAccount> genesis = {{address_of(funder_), 1'000'000 * trx, {}}};
    for (const auto& [name, hex] : captures_["keys"].items()) {
      auto key = *SecretKey::from_bytes(unhex(hex));
      keys_.emplace(std::string(view(address_of(key).bytes)), key);
      named_.emplace(name, key);
    }
    genesis.push_back({address_of(named_.at("alice")), 1'000'000 * trx, {}});
    genesis.push_back({address_of(named_.at("zion")), 1'000'000 * trx, std::move(tokens)});
    if (contracts)
      for (auto& contract : contracts(named_)) genesis.push_back(std::move(contract));
    options.solid_after = solid_after;
    chain_ = std::make_unique<DevChain>(clock_, options, genesis, SecretKey::generate());
    server_ = std::make_unique<Server>(*chain_, nullptr, nullptr);
    int port = server_->start("127.0.0.1:0", std::chrono::milliseconds(0)).value();
    auto channel =
        grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
    full_ = protocol::Wallet::NewStub(channel);
    solid_ = protocol::WalletSolidity::NewStub(channel);
    server_->produce_block();
  }

  DevChain& chain() { return *chain_; }
  const SecretKey& key(const std::string& name) const { return named_.at(name); }

  // As the captured accounts came to be: paid by another, in the block after network_start_ms.
  void create(const std::string& name, std::int64_t balance_sun) {
    send(pay(*chain_, funder_, address_of(key(name)), balance_sun));
  }
  // What was captured later, of the same accounts.
  void load(const std::string& file) { captures_ = load_file(file); }
  void send(const tron::SignedTransaction& transaction) {
    auto answer = chain_->broadcast(transaction.bytes);
    ASSERT_TRUE(answer && answer->result) << answer->message;
  }
  // For accounts whose earlier transactions were not captured.
  void ignore_bandwidth_history() { ignore_bandwidth_history_ = true; }
  // Two transfers: the day's free bandwidth has no room for a third.
  void use_free_bandwidth(const std::string& name) {
    for (std::int64_t amount : {1, 2}) send(pay(*chain_, key(name), address_of(funder_), amount));
  }

  void produce_block() {
    clock_.advance(slot_ms);
    server_->produce_block();
  }

  void advance_to(std::int64_t at_ms) {
    while (chain_->head().ref.timestamp_ms + slot_ms <= at_ms) {
      clock_.set(chain_->head().ref.timestamp_ms + slot_ms);
      server_->produce_block();
    }
    clock_.set(std::max(at_ms, clock_.now_ms()));
  }

  // Asks everything again; what was asked when solid, at the end.
  int run() {
    int asked = 0;
    for (const auto& capture : captures_["captures"]) {
      if (is_of_solid(capture)) continue;
      advance_to(capture["at_ms"]);
      check(capture);
      ++asked;
    }
    for (std::int64_t i = 0; i <= solid_after; ++i) server_->produce_block();
    for (const auto& capture : captures_["captures"])
      if (is_of_solid(capture)) {
        check(capture);
        ++asked;
      }
    return asked;
  }

 private:
  static bool is_of_solid(const json& capture) {
    return capture["name"].get<std::string>().find("/solid/") != std::string::npos;
  }

  void check(const json& capture) {
    SCOPED_TRACE(capture["name"].get<std::string>());
    std::string method = capture["method"], request = unhex(capture["request_hex"]),
                expected = unhex(capture["response_hex"]);
    bool solid = capture["service"] == "protocol.WalletSolidity";
    if (method == "BroadcastTransaction")
      check_broadcast(parse<protocol::Transaction>(request), parse<protocol::Return>(expected));
    else if (method == "GetTransactionById")
      check_transaction(request, parse<protocol::Transaction>(expected), solid);
    else if (method == "GetTransactionInfoById")
      check_info(request, parse<protocol::TransactionInfo>(expected), solid);
    else if (method == "TriggerConstantContract")
      check_tried(request, parse<protocol::TransactionExtention>(expected));
    else if (method == "GetAccount")
      check_account(request, parse<protocol::Account>(expected));
    else
      check_resource(request, parse<protocol::AccountResourceMessage>(expected));
  }

  void check_broadcast(const protocol::Transaction& original, protocol::Return expected) {
    protocol::Transaction sent = is_refused_before_its_reference(expected) ? original : rebase(original);
    grpc::ClientContext context;
    protocol::Return answer;
    ASSERT_TRUE(full_->BroadcastTransaction(&context, sent, &answer).ok());
    // The txid is another, and Java prints a token's name with the address of the object that holds it.
    std::string message = replace(expected.message(), txid_hex(original), txid_hex(sent));
    if (auto at = message.find("ByteString@"); at != std::string::npos)
      message.replace(at, message.find(" size") - at, "ByteString@0");
    EXPECT_EQ(answer.result(), expected.result());
    EXPECT_EQ(answer.code(), expected.code());
    EXPECT_EQ(answer.message(), message);
  }

  void check_transaction(const std::string& request, const protocol::Transaction& expected, bool solid) {
    auto answer = ask<protocol::Transaction>(map_txid(request), [&](auto& context, auto& in, auto* out) {
      return solid ? solid_->GetTransactionById(&context, in, out)
                   : full_->GetTransactionById(&context, in, out);
    });
    protocol::Transaction mine = expected.has_raw_data() ? rebase(expected) : expected;
    *mine.mutable_ret() = expected.ret();
    EXPECT_EQ(answer.ShortDebugString(), mine.ShortDebugString());
  }

  void check_info(const std::string& request, protocol::TransactionInfo expected, bool solid) {
    auto mapped = map_txid(request);
    auto answer = ask<protocol::TransactionInfo>(mapped, [&](auto& context, auto& in, auto* out) {
      return solid ? solid_->GetTransactionInfoById(&context, in, out)
                   : full_->GetTransactionInfoById(&context, in, out);
    });
    if (!expected.id().empty()) {
      expected.set_id(mapped.value());
      const StoredBlock* block = chain_->block(answer.blocknumber());
      EXPECT_EQ(block->ref.timestamp_ms, expected.blocktimestamp());
      expected.set_blocknumber(answer.blocknumber());
    }
    // Which operation came too dear, only an EVM knows.
    if (expected.resmessage().starts_with(too_dear) && answer.resmessage().starts_with(too_dear))
      expected.set_resmessage(answer.resmessage());
    EXPECT_EQ(answer.ShortDebugString(), expected.ShortDebugString());
  }

  // Of the transaction that a tried call stands for, only what became of it: head and time are our own.
  void check_tried(const std::string& request, protocol::TransactionExtention expected) {
    grpc::ClientContext context;
    protocol::TransactionExtention answer;
    auto call = parse<protocol::TriggerSmartContract>(request);
    ASSERT_TRUE(full_->TriggerConstantContract(&context, call, &answer).ok());
    for (auto* one : {&expected, &answer}) {
      one->clear_txid();
      one->mutable_transaction()->clear_raw_data();
    }
    EXPECT_EQ(answer.ShortDebugString(), expected.ShortDebugString());
  }

  void check_account(const std::string& request, protocol::Account expected) {
    grpc::ClientContext context;
    protocol::Account answer;
    ASSERT_TRUE(full_->GetAccount(&context, parse<protocol::Account>(request), &answer).ok());
    expected.DiscardUnknownFields();                 // names
    if (expected.create_time() == network_start_ms)  // when one operation less was there to be allowed
      expected.mutable_active_permission(0)->set_operations(std::string(view(active_operations)));
    if (ignore_bandwidth_history_)
      for (auto* account : {&expected, &answer}) {
        account->clear_free_net_usage();
        account->clear_latest_consume_free_time();
        account->clear_latest_opration_time();
      }
    EXPECT_EQ(answer.ShortDebugString(), expected.ShortDebugString());
  }

  void check_resource(const std::string& request, protocol::AccountResourceMessage expected) {
    grpc::ClientContext context;
    protocol::AccountResourceMessage answer;
    ASSERT_TRUE(full_->GetAccountResource(&context, parse<protocol::Account>(request), &answer).ok());
    if (ignore_bandwidth_history_)
      for (auto* resource : {&expected, &answer}) resource->clear_freenetused();
    EXPECT_EQ(answer.ShortDebugString(), expected.ShortDebugString());
  }

  template <typename Response, typename Call>
  Response ask(const protocol::BytesMessage& request, Call call) {
    grpc::ClientContext context;
    Response response;
    EXPECT_TRUE(call(context, request, &response).ok());
    return response;
  }

  static bool is_refused_before_its_reference(const protocol::Return& expected) {
    return expected.code() == protocol::Return::SIGERROR ||
           expected.code() == protocol::Return::TAPOS_ERROR ||
           expected.code() == protocol::Return::TRANSACTION_EXPIRATION_ERROR ||
           expected.message().find("No contract!") != std::string::npos;
  }

  // The same transaction over a block of this chain, signed in the same form.
  protocol::Transaction rebase(const protocol::Transaction& original) {
    std::string original_raw = original.raw_data().SerializeAsString();
    protocol::Transaction mine = original;
    auto known = rebased_.find(original_raw);
    if (known != rebased_.end()) {
      *mine.mutable_raw_data() = known->second;
    } else {
      ByteView head = view(chain_->head().ref.id);
      mine.mutable_raw_data()->set_ref_block_bytes(std::string(head.substr(6, 2)));
      mine.mutable_raw_data()->set_ref_block_hash(std::string(head.substr(8, 8)));
      rebased_[original_raw] = mine.raw_data();
    }
    for (auto& signature : *mine.mutable_signature())
      signature = sign_like(signature, original_raw, mine.raw_data());
    txids_[std::string(view(sha256(original_raw)))] =
        std::string(view(sha256(mine.raw_data().SerializeAsString())));
    return mine;
  }

  // By the key that signed the original, where it was signed as it should be.
  const SecretKey& signer_of(const std::string& form, const std::string& original_raw,
                             const protocol::Transaction::raw& raw) const {
    auto key = recover_key(ByteView(form).substr(0, 65), sha256(original_raw));
    auto known = key ? keys_.find(std::string(view(tron::address_of(*key).bytes))) : keys_.end();
    return known != keys_.end() ? known->second : keys_.at(owner_of(raw.contract(0)));
  }

  std::string sign_like(const std::string& form, const std::string& original_raw,
                        const protocol::Transaction::raw& raw) const {
    auto digest = sha256(raw.SerializeAsString());
    auto made = signer_of(form, original_raw, raw).sign_recoverable(digest);
    std::string signature(view(made));
    if (signature[64] < 27) signature[64] = static_cast<char>(signature[64] + 27);
    if (static_cast<std::uint8_t>(form[32]) >= 0x80) signature = high_s_twin(signature);
    if (form[64] < 27) signature[64] = static_cast<char>(signature[64] - 27);
    return signature + form.substr(65);
  }

  protocol::BytesMessage map_txid(const std::string& request) const {
    auto message = parse<protocol::BytesMessage>(request);
    if (auto found = txids_.find(message.value()); found != txids_.end()) message.set_value(found->second);
    return message;
  }

  static std::string txid_hex(const protocol::Transaction& transaction) {
    return to_hex(sha256(transaction.raw_data().SerializeAsString()));
  }
  static std::string replace(std::string text, const std::string& what, const std::string& with) {
    if (auto at = text.find(what); at != std::string::npos) text.replace(at, what.size(), with);
    return text;
  }

  json captures_;
  bool ignore_bandwidth_history_ = false;
  TestClock clock_;
  SecretKey funder_ = SecretKey::generate();
  std::map<std::string, SecretKey> keys_;  // by address
  std::map<std::string, SecretKey> named_;
  std::map<std::string, protocol::Transaction::raw> rebased_;  // by the original's bytes
  std::map<std::string, std::string> txids_;                   // original, mine
  std::unique_ptr<DevChain> chain_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<protocol::Wallet::Stub> full_;
  std::unique_ptr<protocol::WalletSolidity::Stub> solid_;
};

TEST(DevChainAgainstJavaTron, TrxTransfersAreAnsweredAndChargedAlike) {
  Replay replay("trx-transfers.json");
  replay.create("bob", 100'000 * trx);
  EXPECT_EQ(replay.run(), 59);
}

TEST(DevChainAgainstJavaTron, Trc10TransfersAreAnsweredAndChargedAlike) {
  // The captures begin when the issuer and bob had used up their free bandwidth, with these balances.
  constexpr std::int64_t supply = 1'000'000'000'000;
  Replay replay("trc10-transfers.json", {}, {{"1000001", supply}});
  replay.ignore_bandwidth_history();
  replay.create("bob", 99'989'057'997 + 3);
  replay.create("issuer", 8'976'000'000 + 3);
  replay.send(pay(replay.chain(), replay.key("zion"), address_of(replay.key("issuer")), supply, "1000001"));
  replay.use_free_bandwidth("bob");
  replay.use_free_bandwidth("issuer");
  EXPECT_EQ(replay.run(), 20);
}

const tron::Address thr_token =
    *tron::address_from_bytes(unhex("41b230adc648ce8731b8cef728dd6c29c7fbeb86c5"));

// The token as it stood once it was deployed; what `multi` gave alice later is there from the beginning.
std::vector<GenesisAccount> captured_token(const std::map<std::string, SecretKey>& keys) {
  const tron::abi::Uint128 supply = tron::abi::Uint128{1'000'000'000'000} * 1'000'000'000'000;
  Token token{"Throwaway", "THR",
              18,          {{address_of(keys.at("owner")), supply}, {address_of(keys.at("alice")), 1'000}},
              {},          0,
              false};
  return {{thr_token, 0, {}, token}};
}

TEST(DevChainAgainstJavaTron, TokensAreMovedAnsweredAndChargedAlike) {
  constexpr std::int64_t shortly_before = 1795254441000;
  Replay replay("trc20.json", {}, {}, captured_token);
  for (const char* name : {"owner", "bob"}) replay.create(name, 1'000 * trx);
  replay.produce_block();
  replay.advance_to(shortly_before);
  for (const char* name : {"owner", "bob", "alice"}) replay.use_free_bandwidth(name);
  EXPECT_EQ(replay.run(), 54);

  replay.load("trc20-tried.json");
  constexpr std::int64_t spent_elsewhere = 3'014;
  const auto& head = replay.chain().head().ref;
  tron::TransactionFrame frame{head, head.timestamp_ms, head.timestamp_ms + 300'000, {}, 100 * trx};
  replay.send(tron::sign_call({address_of(replay.key("bob")), thr_token,
                               tron::trc20::transfer_call(address_of(replay.key("carol")), spent_elsewhere)},
                              frame, replay.key("bob")));
  EXPECT_EQ(replay.run(), 8);
}

TEST(DevChainAgainstJavaTron, RefusalsHaveTheSameCodesAndTexts) {
  Replay replay("refusals.json");
  replay.create("bob", 100'000 * trx);
  replay.create("poor", 1 * trx);
  EXPECT_EQ(replay.run(), 62);
}

TEST(DevChainAgainstJavaTron, PermissionsAreCheckedAndChargedAlike) {
  constexpr std::int64_t shortly_before = 1795255073000;
  Replay replay("permissions.json");
  replay.create("bob", 1'000 * trx);
  replay.create("carol", 1'000 * trx);
  replay.produce_block();
  replay.advance_to(shortly_before);
  replay.use_free_bandwidth("alice");
  replay.use_free_bandwidth("zion");
  EXPECT_EQ(replay.run(), 17);
}

// Another anchoring contract was captured than the one that devchain carries out: what differs by its code is
// put right, and all else is to be the same.
class ContractReplay : public testing::Test {
 protected:
  ContractReplay() {
    for (const auto& capture : captures_["captures"]) by_name_[capture["name"]] = capture;
    int port = server_.start("127.0.0.1:0", std::chrono::milliseconds(0)).value();
    auto channel =
        grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
    full_ = protocol::Wallet::NewStub(channel);
    produce();
    // The captures were taken when the free bandwidth was used up.
    for (const auto* from : {&owner_, &bob_})
      for (std::int64_t amount : {1, 2})
        chain_.broadcast(pay(chain_, *from, address_of(*payee()), amount).bytes);
    produce();
    deployment_ = deploy();
    contract_ = tron::created_address(deployment_.txid, address_of(owner_));
  }
  static const SecretKey* payee() {
    static const SecretKey key = SecretKey::generate();
    return &key;
  }
  void produce() {
    clock_.advance(slot_ms);
    server_.produce_block();
  }
  tron::TransactionFrame frame(std::int64_t fee_limit_sun) {
    const auto& head = chain_.head().ref;
    return {head, head.timestamp_ms + ++made_, head.timestamp_ms + 300'000, {}, fee_limit_sun};
  }
  tron::SignedTransaction deploy() {
    return tron::sign_creation({address_of(owner_), contract::creation_code(), "AnchorS", {}},
                               frame(2'000 * trx), owner_);
  }
  tron::SignedTransaction call(const SecretKey& from, std::int64_t fee_limit_sun,
                               std::int64_t value_sun = 0) {
    return tron::sign_call({address_of(from), contract_, contract::anchor_call(1, root_), value_sun},
                           frame(fee_limit_sun), from);
  }

  // What the node says of `mine` once it is in a block, against the capture of `name` with `way`'s energy.
  void expect_alike(const std::string& name, const tron::SignedTransaction& mine, std::int64_t energy) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(chain_.broadcast(mine.bytes)->result);
    produce();
    auto expected = captured<protocol::TransactionInfo>(name + "/included/GetTransactionInfoById");
    grpc::ClientContext context;
    protocol::BytesMessage request;
    request.set_value(std::string(view(mine.txid)));
    protocol::TransactionInfo answer;
    ASSERT_TRUE(full_->GetTransactionInfoById(&context, request, &answer).ok());
    put_right(expected, answer, tron::bandwidth_of(mine.bytes), energy);
    EXPECT_EQ(answer.ShortDebugString(), expected.ShortDebugString());

    grpc::ClientContext again;
    protocol::Transaction transaction;
    ASSERT_TRUE(full_->GetTransactionById(&again, request, &transaction).ok());
    EXPECT_EQ(
        transaction.ret(0).ShortDebugString(),
        captured<protocol::Transaction>(name + "/included/GetTransactionById").ret(0).ShortDebugString());
  }

  void put_right(protocol::TransactionInfo& expected, const protocol::TransactionInfo& answer,
                 std::int64_t bandwidth, std::int64_t energy) {
    expected.set_id(answer.id());
    expected.set_blocknumber(answer.blocknumber());
    expected.set_blocktimestamp(answer.blocktimestamp());
    expected.set_contract_address(std::string(view(contract_.bytes)));
    if (expected.contractresult(0).size() > 100) expected.set_contractresult(0, contract::runtime_code());
    expected.mutable_receipt()->set_net_fee(bandwidth * 1000);
    expected.mutable_receipt()->set_energy_usage_total(energy);
    expected.mutable_receipt()->set_energy_fee(energy * 100);
    expected.set_fee(bandwidth * 1000 + energy * 100);
    for (auto& log : *expected.mutable_log()) put_right(log);
    // Which operation came too dear, only an EVM knows.
    if (expected.resmessage().starts_with(too_dear)) expected.set_resmessage(answer.resmessage());
  }
  // Theirs indexes the size; ours has it in the data.
  void put_right(protocol::TransactionInfo::Log& log) {
    log.set_address(std::string(view(contract_.bytes).substr(1)));
    log.set_data(log.topics(1) + log.data());
    log.mutable_topics()->RemoveLast();
  }
  template <typename Message>
  Message captured(const std::string& name) {
    return parse<Message>(unhex(by_name_.at(name)["response_hex"]));
  }

  json captures_ = load_file("contract.json");
  std::map<std::string, json> by_name_;
  TestClock clock_{network_start_ms};
  SecretKey owner_ = *SecretKey::from_bytes(unhex(captures_["keys"]["owner"])),
            bob_ = *SecretKey::from_bytes(unhex(captures_["keys"]["bob"]));
  std::vector<GenesisAccount> genesis_{{address_of(owner_), 100'000 * trx, {}},
                                       {address_of(bob_), 100'000 * trx, {}},
                                       {address_of(*payee()), trx, {}}};
  DevChain chain_{clock_, {}, genesis_, SecretKey::generate()};
  Server server_{chain_, nullptr, nullptr};
  std::unique_ptr<protocol::Wallet::Stub> full_;
  std::int64_t made_ = 0;
  tron::SignedTransaction deployment_;
  tron::Address contract_;
  const Hash root_ = [] {
    Hash root;
    root.fill(0xab);
    return root;
  }();
};

TEST_F(ContractReplay, CallsAreAnsweredAndChargedAlike) {
  expect_alike("deploy-anchorS", deployment_, contract::energy("deploy"));
  expect_alike("anchor", call(owner_, 100 * trx), contract::energy("anchor"));
  expect_alike("not-owner", call(bob_, 100 * trx), contract::energy("anchor_not_owner"));
  expect_alike("anchor-with-call-value", call(owner_, 100 * trx, 1), contract::energy("value_sent"));
  expect_alike("burn-5trx", call(owner_, 50'000), 500);
}

TEST_F(ContractReplay, TriedCallsAreAnsweredAlike) {
  chain_.broadcast(deployment_.bytes);
  produce();
  auto request = [&](const SecretKey& from) {
    protocol::TriggerSmartContract call;
    call.set_owner_address(std::string(view(address_of(from).bytes)));
    call.set_contract_address(std::string(view(contract_.bytes)));
    call.set_data(contract::anchor_call(0x63, root_));
    return call;
  };
  auto compare = [&](const std::string& name, const protocol::TriggerSmartContract& call,
                     std::int64_t energy) {
    SCOPED_TRACE(name);
    auto expected = captured<protocol::TransactionExtention>("constant/" + name);
    grpc::ClientContext context, again;
    protocol::TransactionExtention answer;
    ASSERT_TRUE(full_->TriggerConstantContract(&context, call, &answer).ok());
    if (expected.has_transaction()) {
      // Of the transaction only what became of it, and its kind: head, time and call are our own.
      expected.set_txid(answer.txid());
      auto& raw = *expected.mutable_transaction()->mutable_raw_data();
      EXPECT_EQ(answer.transaction().raw_data().contract(0).type(), raw.contract(0).type());
      raw = answer.transaction().raw_data();
      expected.set_energy_used(energy);
      if (expected.constant_result(0).size() > 100) expected.set_constant_result(0, contract::runtime_code());
      for (auto& log : *expected.mutable_logs()) put_right(log);
    }
    EXPECT_EQ(answer.ShortDebugString(), expected.ShortDebugString());
    auto estimate = captured<protocol::EstimateEnergyMessage>("estimate/" + name);
    protocol::EstimateEnergyMessage estimated;
    ASSERT_TRUE(full_->EstimateEnergy(&again, call, &estimated).ok());
    EXPECT_EQ(estimated.result().ShortDebugString(), estimate.result().ShortDebugString());
    EXPECT_EQ(estimated.energy_required() > 0, estimate.energy_required() > 0);
    EXPECT_GE(estimated.energy_required(), estimate.energy_required() > 0 ? energy : 0);
  };
  compare("anchor-dry", request(owner_), contract::energy("anchor"));
  compare("anchor-dry-not-owner", request(bob_), contract::energy("anchor_not_owner"));
  auto nowhere = request(owner_);
  nowhere.set_contract_address(std::string(view(address_of(*payee()).bytes)));
  compare("no-contract", nowhere, 0);
  protocol::TriggerSmartContract creation;
  creation.set_owner_address(std::string(view(address_of(owner_).bytes)));
  creation.set_data(contract::creation_code());
  compare("deploy", creation, contract::energy("deploy"));
}

TEST(DevChainAgainstJavaTron, FullPoolIsBusyForEverybody) {
  Options options;
  options.max_pool = 3;
  Replay replay("busy.json", options);
  EXPECT_EQ(replay.run(), 11);
}

TEST(DevChainAgainstJavaTron, ParametersAreThose) {
  auto captured =
      parse<protocol::ChainParameters>(unhex(load_file("parameters.json")["captures"][0]["response_hex"]));
  protocol::ChainParameters mine;
  Parameters parameters;
  for (const auto& [key, value] : parameters.all()) {
    auto& parameter = *mine.add_chainparameter();
    parameter.set_key(key);
    parameter.set_value(value);
  }
  EXPECT_EQ(mine.SerializeAsString(), captured.SerializeAsString());
}

}  // namespace
}  // namespace windlass::devchain
