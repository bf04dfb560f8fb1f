// The anchor contract on the devchain: created, called, refused, paid for, undone and brought back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "anchoring/contract/anchor_contract.h"
#include "anchoring/devchain/client.h"
#include "crypto/hash.h"
#include "tests/unit/devchain_fixture.h"
#include "tron/api.pb.h"

namespace windlass::devchain {
namespace {

namespace abi = tron::abi;
namespace contract = tron::anchor_contract;
using contract::energy;
using testing::HasSubstr;
using Result = protocol::Transaction::Result;

constexpr std::int64_t trx = 1'000'000;
constexpr std::int64_t start_ms = 1'790'000'001'000;
constexpr std::int64_t slot_ms = 3000, solid_after = 3;
constexpr std::int64_t energy_price = 100;

class DevChainContract : public testing::Test {
 protected:
  DevChainContract() {
    chain_.produce_block();
    deployed_ = send(deployment());
    produce();
    contract_ = *executed(deployed_).contract;
  }

  static Options options() {
    Options options;
    options.solid_after = solid_after;
    return options;
  }
  std::vector<GenesisAccount> genesis() const {
    return {{address_of(owner_), 1'000 * trx, {}}, {address_of(other_), 1'000 * trx, {}}};
  }
  void produce(int count = 1) {
    for (; count > 0; --count) {
      clock_.advance(slot_ms);
      chain_.produce_block();
    }
  }
  tron::TransactionFrame frame(std::int64_t fee_limit_sun, int permission_id = 0) {
    const auto& head = chain_.head().ref;
    // Equal calls differ by their time alone.
    return {head, head.timestamp_ms + ++made_, head.timestamp_ms + 300'000, {}, fee_limit_sun, permission_id};
  }
  tron::SignedTransaction deployment(std::string code = contract::creation_code(),
                                     std::int64_t fee_limit_sun = 100 * trx) {
    return tron::sign_creation({address_of(owner_), std::move(code), "WindlassAnchor", {}},
                               frame(fee_limit_sun), owner_);
  }
  tron::SignedTransaction call(const SecretKey& from, std::string data, std::int64_t fee_limit_sun = 10 * trx,
                               std::int64_t value_sun = 0) {
    return tron::sign_call({address_of(from), contract_, std::move(data), value_sun}, frame(fee_limit_sun),
                           from);
  }
  tron::BroadcastAnswer answer(const tron::SignedTransaction& transaction) {
    return *chain_.broadcast(transaction.bytes);
  }
  Hash send(const tron::SignedTransaction& transaction) {
    auto said = answer(transaction);
    EXPECT_TRUE(said.result) << said.message;
    return transaction.txid;
  }
  tron::Execution executed(const Hash& txid) {
    auto execution = client_.execution(txid, false);
    EXPECT_TRUE(execution && *execution) << to_hex(txid);
    return execution && *execution ? **execution : tron::Execution{};
  }
  tron::Execution land(const tron::SignedTransaction& transaction) {
    Hash txid = send(transaction);
    produce();
    return executed(txid);
  }
  std::int64_t balance(const SecretKey& key) { return chain_.account(address_of(key))->balance_sun; }
  tron::ConstantCall ask(std::string data) {
    return *client_.call_constant({address_of(other_), contract_, std::move(data)});
  }
  std::string owner_word() { return ask(abi::selector("owner()")).returned; }

  TestClock clock_{start_ms};
  SecretKey owner_ = SecretKey::generate(), other_ = SecretKey::generate(), witness_ = SecretKey::generate();
  DevChain chain_{clock_, options(), genesis(), witness_};
  DevChainClient client_{chain_};
  tron::Address contract_;
  Hash deployed_{};
  std::int64_t made_ = 0;
  const Hash root_ = sha256("root");
};

TEST_F(DevChainContract, StandsWhereItsTransactionAndSenderPutIt) {
  auto execution = executed(deployed_);
  EXPECT_EQ(execution.contract, tron::created_address(deployed_, address_of(owner_)));
  EXPECT_EQ(execution.result, Result::SUCCESS);
  EXPECT_EQ(execution.returned, contract::runtime_code());
  EXPECT_EQ(execution.energy, energy("deploy"));
  EXPECT_EQ(owner_word(), abi::word(address_of(owner_)));
}

TEST_F(DevChainContract, OtherCodeIsRefusedInPlainWords) {
  std::string code = contract::creation_code();
  code[100] = static_cast<char>(code[100] ^ 1);
  auto said = answer(deployment(code));
  EXPECT_FALSE(said.result);
  EXPECT_EQ(said.code, protocol::Return::CONTRACT_VALIDATE_ERROR);
  EXPECT_THAT(said.message, HasSubstr("devchain has no EVM"));
  auto tried = client_.call_constant({address_of(owner_), tron::Address{}, code});
  EXPECT_FALSE(tried->succeeded);
  EXPECT_THAT(tried->message, HasSubstr("devchain has no EVM"));
}

TEST_F(DevChainContract, ItsOwnerAnchorsAndPaysForEnergyAndBandwidth) {
  std::int64_t before = balance(owner_);
  auto transaction = call(owner_, contract::anchor_call(7, root_));
  auto execution = land(transaction);
  EXPECT_EQ(execution.result, Result::SUCCESS);
  EXPECT_EQ(execution.energy, energy("anchor"));
  ASSERT_EQ(execution.logs.size(), 1u);
  EXPECT_EQ(contract::read_anchored(execution.logs[0], contract_), (contract::Anchored{7, root_}));
  // The deployment's bandwidth was paid for whole; the call's comes out of the day's free one.
  EXPECT_EQ(execution.fee_sun, energy("anchor") * energy_price);
  EXPECT_EQ(before - balance(owner_), execution.fee_sun);
  auto again = land(call(owner_, contract::anchor_call(8, root_)));
  EXPECT_EQ(again.fee_sun, energy("anchor") * energy_price + tron::bandwidth_of(transaction.bytes) * 1000);
  EXPECT_EQ(tron::bandwidth_of(transaction.bytes), 345);
}

TEST_F(DevChainContract, NobodyElseAnchorsButPaysForTrying) {
  std::int64_t before = balance(other_);
  auto execution = land(call(other_, contract::anchor_call(7, root_)));
  EXPECT_EQ(execution.result, Result::REVERT);
  EXPECT_EQ(execution.message, "REVERT opcode executed");
  EXPECT_EQ(contract::revert_reason(execution.returned), "NotOwner()");
  EXPECT_TRUE(execution.logs.empty());
  EXPECT_EQ(before - balance(other_), energy("anchor_not_owner") * energy_price);
  auto block = client_.block(execution.block);
  EXPECT_FALSE((*block)->transactions[0].succeeded);
  EXPECT_EQ((*block)->transactions[0].result, Result::REVERT);
}

TEST_F(DevChainContract, OwnershipPassesInTwoSteps) {
  land(call(owner_, contract::transfer_call(address_of(other_))));
  EXPECT_EQ(owner_word(), abi::word(address_of(owner_))) << "only offered";
  EXPECT_EQ(land(call(owner_, contract::anchor_call(1, root_))).result, Result::SUCCESS);
  EXPECT_EQ(contract::revert_reason(land(call(owner_, contract::accept_call())).returned),
            "NotPendingOwner()");
  EXPECT_EQ(land(call(other_, contract::accept_call())).result, Result::SUCCESS);
  EXPECT_EQ(owner_word(), abi::word(address_of(other_)));
  EXPECT_EQ(land(call(owner_, contract::anchor_call(2, root_))).result, Result::REVERT);
  EXPECT_EQ(land(call(other_, contract::anchor_call(2, root_))).result, Result::SUCCESS);
  EXPECT_EQ(land(call(other_, contract::accept_call())).result, Result::REVERT) << "accepted once";
}

TEST_F(DevChainContract, AnOfferIsTakenBackByTheNext) {
  EXPECT_EQ(land(call(owner_, contract::transfer_call(address_of(other_)))).energy, energy("transfer_first"));
  EXPECT_EQ(land(call(owner_, contract::transfer_call(address_of(owner_)))).energy, energy("transfer_again"));
  EXPECT_EQ(land(call(other_, contract::accept_call())).result, Result::REVERT);
  std::string nobody = abi::selector("transferOwnership(address)") + std::string(32, '\0');
  land(call(owner_, nobody));
  EXPECT_EQ(land(call(owner_, contract::accept_call())).result, Result::REVERT);
}

TEST_F(DevChainContract, AFeeLimitTooSmallIsBurnt) {
  std::int64_t needed = energy("anchor") * energy_price;
  auto burnt = land(call(owner_, contract::anchor_call(7, root_), needed - 1));
  EXPECT_EQ(burnt.result, Result::OUT_OF_ENERGY);
  EXPECT_EQ(burnt.energy, energy("anchor") - 1);
  EXPECT_EQ(burnt.fee_sun, (energy("anchor") - 1) * energy_price);
  EXPECT_TRUE(burnt.logs.empty());
  EXPECT_THAT(burnt.message, HasSubstr("Not enough energy"));
  EXPECT_EQ(land(call(owner_, contract::anchor_call(7, root_), needed)).result, Result::SUCCESS);
  land(call(owner_, contract::transfer_call(address_of(other_)), energy_price));
  EXPECT_EQ(ask(abi::selector("pendingOwner()")).returned, std::string(32, '\0')) << "nothing was changed";
}

TEST_F(DevChainContract, ABalanceTooSmallLimitsTheEnergyToo) {
  SecretKey poor = SecretKey::generate();
  std::int64_t sun = 100 * energy_price;
  send(pay(chain_, other_, address_of(poor), sun));
  produce();
  auto execution = land(call(poor, contract::anchor_call(7, root_)));
  EXPECT_EQ(execution.result, Result::OUT_OF_ENERGY);
  EXPECT_EQ(execution.energy, 100);
  EXPECT_EQ(balance(poor), 0);
}

TEST_F(DevChainContract, FeeLimitsOutsideTheChainsAreRefused) {
  for (std::int64_t limit : {std::int64_t{-1}, 15'000 * trx + 1}) {
    auto said = answer(call(owner_, contract::anchor_call(7, root_), limit));
    EXPECT_EQ(said.message, "Contract validate error : feeLimit must be >= 0 and <= 15000000000");
  }
}

TEST_F(DevChainContract, MoneySentAlongComesBack) {
  std::int64_t before = balance(owner_);
  auto execution = land(call(owner_, contract::anchor_call(7, root_), 10 * trx, 5));
  EXPECT_EQ(execution.result, Result::REVERT);
  EXPECT_EQ(execution.energy, energy("value_sent"));
  EXPECT_EQ(before - balance(owner_), energy("value_sent") * energy_price);
}

TEST_F(DevChainContract, MalformedCallsRevert) {
  std::string call_data = contract::anchor_call(7, root_), padded = call_data;
  padded[4] = 1;
  const std::pair<std::string, std::string_view> calls[] = {
      {"", "no_selector"},          {call_data.substr(0, 3), "no_selector"},
      {"abcd", "unknown_selector"}, {call_data.substr(0, 67), "anchor_short"},
      {padded, "anchor_malformed"},
  };
  for (const auto& [data, way] : calls) {
    auto tried = ask(data);
    EXPECT_FALSE(tried.succeeded) << way;
    EXPECT_EQ(tried.energy, energy(way)) << way;
    EXPECT_TRUE(tried.returned.empty()) << way;
  }
}

TEST_F(DevChainContract, AddressesWithoutOneTakeNoCalls) {
  auto to_account = tron::sign_call({address_of(owner_), address_of(other_), contract::anchor_call(7, root_)},
                                    frame(trx), owner_);
  EXPECT_EQ(answer(to_account).message, "Contract validate error : No contract or not a smart contract");
}

TEST_F(DevChainContract, TryingCostsNothingAndChangesNothing) {
  std::int64_t before = balance(owner_);
  auto tried = *client_.call_constant({address_of(owner_), contract_, contract::anchor_call(7, root_)});
  EXPECT_TRUE(tried.succeeded);
  EXPECT_EQ(tried.energy, energy("anchor"));
  ASSERT_EQ(tried.logs.size(), 1u);
  tried =
      *client_.call_constant({address_of(owner_), contract_, contract::transfer_call(address_of(other_))});
  EXPECT_TRUE(tried.succeeded);
  EXPECT_EQ(ask(abi::selector("pendingOwner()")).returned, std::string(32, '\0'));
  EXPECT_EQ(balance(owner_), before);
}

TEST_F(DevChainContract, ThePoolTellsTheResultToBeExpected) {
  auto pending_result = [&](const Hash& txid) {
    protocol::Transaction transaction;
    transaction.ParseFromString(chain_.pending(txid).value_or(""));
    return transaction.ret_size() == 1 ? static_cast<int>(transaction.ret(0).contractret()) : -1;
  };
  Hash good = send(call(owner_, contract::anchor_call(7, root_)));
  Hash bad = send(call(other_, contract::anchor_call(7, root_)));
  EXPECT_EQ(pending_result(good), Result::SUCCESS);
  EXPECT_EQ(pending_result(bad), Result::REVERT);
}

TEST_F(DevChainContract, AForkUndoesWhatWasCalledAndCreated) {
  land(call(owner_, contract::transfer_call(address_of(other_))));
  land(call(other_, contract::accept_call()));
  chain_.fork(2);
  chain_.lose_pool();
  EXPECT_EQ(owner_word(), abi::word(address_of(owner_)));
  chain_.fork(1);
  chain_.lose_pool();
  EXPECT_THAT(ask(abi::selector("owner()")).message, HasSubstr("not exist"));
}

TEST_F(DevChainContract, AForkCanMakeACallFail) {
  land(call(owner_, contract::transfer_call(address_of(other_))));
  produce(solid_after);  // final
  Hash anchor = send(call(owner_, contract::anchor_call(7, root_)));
  produce();
  EXPECT_EQ(executed(anchor).result, Result::SUCCESS);
  // On the other branch the contract was taken over before.
  auto bytes = [&] {
    protocol::Block block;
    block.ParseFromString(chain_.head().bytes);
    return block.transactions(0).SerializeAsString();
  }();
  chain_.fork(1);
  chain_.lose_pool();
  land(call(other_, contract::accept_call()));
  ASSERT_TRUE(chain_.broadcast(bytes)->result);
  produce();
  EXPECT_EQ(executed(anchor).result, Result::REVERT);
}

TEST_F(DevChainContract, ComesBackAfterARestart) {
  land(call(owner_, contract::transfer_call(address_of(other_))));
  land(call(other_, contract::accept_call()));
  land(call(owner_, contract::anchor_call(7, root_)));                // reverts
  land(call(other_, contract::anchor_call(7, root_), energy_price));  // runs out
  DevChain again(clock_, options(), genesis(), witness_);
  for (std::int64_t number = 1; number <= chain_.head().ref.number; ++number) {
    auto restored = again.restore(chain_.block(number)->bytes);
    ASSERT_TRUE(restored) << restored.error();
  }
  DevChainClient client(again);
  auto owner = client.call_constant({address_of(owner_), contract_, abi::selector("owner()")});
  EXPECT_EQ(owner->returned, abi::word(address_of(other_)));
  EXPECT_EQ(again.account(address_of(owner_))->balance_sun, balance(owner_));
  auto execution = client.execution(deployed_, false);
  ASSERT_TRUE(*execution);
  EXPECT_EQ((*execution)->contract, contract_);
}

TEST_F(DevChainContract, ABlockWithAnotherResultIsNotTakenBack) {
  land(call(other_, contract::anchor_call(7, root_)));
  protocol::Block block;
  block.ParseFromString(chain_.head().bytes);
  chain_.fork(1);
  block.mutable_transactions(0)->mutable_ret(0)->set_contractret(Result::SUCCESS);
  EXPECT_FALSE(chain_.restore(block.SerializeAsString()));
}

TEST_F(DevChainContract, TheSolidViewLags) {
  protocol::TriggerSmartContract request;
  request.set_owner_address(std::string(view(address_of(other_).bytes)));
  request.set_contract_address(std::string(view(contract_.bytes)));
  request.set_data(abi::selector("pendingOwner()"));
  EXPECT_FALSE(chain_.constant_call(request, true));
  EXPECT_FALSE(*client_.execution(deployed_, true));
  produce(solid_after);
  ASSERT_TRUE(chain_.constant_call(request, true));
  EXPECT_TRUE(*client_.execution(deployed_, true));
  land(call(owner_, contract::transfer_call(address_of(other_))));
  EXPECT_EQ(chain_.constant_call(request, true)->returned, std::string(32, '\0'));
  EXPECT_EQ(chain_.constant_call(request)->returned, abi::word(address_of(other_)));
  auto executions = client_.executions(executed(deployed_).block);
  ASSERT_EQ(executions->size(), 1u);
  EXPECT_EQ(executions->front().txid, deployed_);
}

// --- a key that may call and nothing else

class DevChainPermission : public DevChainContract {
 protected:
  DevChainPermission() { produce(solid_after); }
  tron::SignedTransaction limit() {
    tron::PermissionUpdate update{
        address_of(owner_),  {{address_of(owner_)}}, "anchor", 1, {tron::trigger_contract_type},
        {{address_of(hot_)}}};
    return tron::sign_permission_update(update, frame(0), owner_);
  }
  tron::SignedTransaction hot_call(int permission_id = 2) {
    return tron::sign_call({address_of(owner_), contract_, contract::anchor_call(7, root_)},
                           frame(10 * trx, permission_id), hot_);
  }
  SecretKey hot_ = SecretKey::generate();
};

TEST_F(DevChainPermission, LimitsAKeyToCallsForAHundredTrx) {
  std::int64_t before = balance(owner_);
  auto update = limit();
  send(update);
  produce();
  EXPECT_EQ(before - balance(owner_), 100 * trx);  // its bandwidth was free
  EXPECT_EQ(land(hot_call()).result, Result::SUCCESS);

  tron::TransactionFrame under_permission = frame(0, 2);
  auto transfer =
      tron::sign_transfer({address_of(owner_), address_of(other_), 1, ""}, under_permission, hot_);
  EXPECT_EQ(answer(transfer).message, "Validate signature error: Permission denied");
  EXPECT_THAT(answer(hot_call(0)).message, HasSubstr("is not contained of permission"));
  EXPECT_THAT(answer(hot_call(3)).message, HasSubstr("permission isn't exit"));
  auto owners = tron::sign_call({address_of(owner_), contract_, contract::anchor_call(7, root_)},
                                frame(10 * trx, 2), owner_);
  EXPECT_THAT(answer(owners).message, HasSubstr("is not contained of permission")) << "the hot key's alone";
}

TEST_F(DevChainPermission, DropsWhatWasSignedUnderTheOneBefore) {
  auto by_default = tron::sign_call({address_of(owner_), contract_, contract::anchor_call(7, root_)},
                                    frame(10 * trx, 2), owner_);
  send(limit());
  // Accepted by a pool that saw it first, it vanishes without a word.
  chain_.lose_pool();
  Hash txid = send(by_default);
  send(limit());
  produce();
  EXPECT_TRUE(chain_.find(txid)) << "it stood before the change";
  auto late = tron::sign_call({address_of(owner_), contract_, contract::anchor_call(8, root_)},
                              frame(10 * trx, 2), owner_);
  EXPECT_FALSE(answer(late).result);
}

TEST_F(DevChainPermission, IsUndoneByAFork) {
  send(limit());
  produce();
  chain_.fork(1);
  chain_.lose_pool();
  EXPECT_THAT(answer(hot_call()).message, HasSubstr("is not contained of permission"));
}

TEST_F(DevChainPermission, RefusesWhatTheNodeRefuses) {
  tron::PermissionUpdate update{
      address_of(owner_),  {{address_of(owner_)}}, "anchor", 2, {tron::trigger_contract_type},
      {{address_of(hot_)}}};
  auto refused = [&] { return answer(tron::sign_permission_update(update, frame(0), owner_)).message; };
  EXPECT_THAT(refused(), HasSubstr("sum of all key's weight should not be less than threshold"));
  update.active_threshold = 1;
  update.active_keys.push_back({address_of(hot_)});
  EXPECT_THAT(refused(), HasSubstr("address should be distinct"));
  update.active_keys.clear();
  EXPECT_THAT(refused(), HasSubstr("key's count should be greater than 0"));
}

}  // namespace
}  // namespace windlass::devchain
