#include "anchoring/devchain/parameters.h"

#include <algorithm>
#include <cstdlib>

namespace windlass::devchain {
namespace {

// The answer to GetChainParameters of a node set up as the main network.
const tron::ChainParameters main_network = {
    {"getMaintenanceTimeInterval", 21600000},
    {"getAccountUpgradeCost", 9999000000},
    {"getCreateAccountFee", 100000},
    {"getTransactionFee", 1000},
    {"getAssetIssueFee", 1024000000},
    {"getWitnessPayPerBlock", 8000000},
    {"getWitnessStandbyAllowance", 115200000000},
    {"getCreateNewAccountFeeInSystemContract", 1000000},
    {"getCreateNewAccountBandwidthRate", 1},
    {"getAllowCreationOfContracts", 1},
    {"getRemoveThePowerOfTheGr", 0},
    {"getEnergyFee", 100},
    {"getExchangeCreateFee", 1024000000},
    {"getMaxCpuTimeOfOneTx", 80},
    {"getAllowUpdateAccountName", 0},
    {"getAllowSameTokenName", 1},
    {"getAllowDelegateResource", 1},
    {"getTotalEnergyLimit", 180000000000},
    {"getAllowTvmTransferTrc10", 1},
    {"getTotalEnergyCurrentLimit", 180000000000},
    {"getAllowMultiSign", 1},
    {"getAllowAdaptiveEnergy", 0},
    {"getTotalEnergyTargetLimit", 12500000},
    {"getTotalEnergyAverageUsage", 0},
    {"getUpdateAccountPermissionFee", 100000000},
    {"getMultiSignFee", 1000000},
    {"getAllowAccountStateRoot", 0},
    {"getAllowProtoFilterNum", 0},
    {"getAllowTvmConstantinople", 1},
    {"getAllowTvmSolidity059", 1},
    {"getAllowTvmIstanbul", 1},
    {"getAllowShieldedTRC20Transaction", 1},
    {"getForbidTransferToContract", 0},
    {"getAdaptiveResourceLimitTargetRatio", 10},
    {"getAdaptiveResourceLimitMultiplier", 1000},
    {"getChangeDelegation", 1},
    {"getWitness127PayPerBlock", 128000000},
    {"getAllowMarketTransaction", 0},
    {"getMarketSellFee", 0},
    {"getMarketCancelFee", 0},
    {"getAllowPBFT", 0},
    {"getAllowTransactionFeePool", 0},
    {"getMaxFeeLimit", 15000000000},
    {"getAllowOptimizeBlackHole", 1},
    {"getAllowNewResourceModel", 0},
    {"getAllowTvmFreeze", 0},
    {"getAllowTvmVote", 1},
    {"getAllowTvmLondon", 1},
    {"getAllowTvmCompatibleEvm", 0},
    {"getAllowAccountAssetOptimization", 0},
    {"getFreeNetLimit", 600},
    {"getTotalNetLimit", 43200000000},
    {"getAllowHigherLimitForMaxCpuTimeOfOneTx", 1},
    {"getAllowAssetOptimization", 1},
    {"getAllowNewReward", 1},
    {"getMemoFee", 1000000},
    {"getAllowDelegateOptimization", 1},
    {"getUnfreezeDelayDays", 14},
    {"getAllowOptimizedReturnValueOfChainId", 1},
    {"getAllowDynamicEnergy", 1},
    {"getDynamicEnergyThreshold", 5000000000},
    {"getDynamicEnergyIncreaseFactor", 2000},
    {"getDynamicEnergyMaxFactor", 34000},
    {"getAllowTvmShangHai", 1},
    {"getAllowCancelAllUnfreezeV2", 1},
    {"getMaxDelegateLockPeriod", 864000},
    {"getAllowOldRewardOpt", 1},
    {"getAllowEnergyAdjustment", 1},
    {"getMaxCreateAccountTxSize", 1000},
    {"getAllowStrictMath", 1},
    {"getConsensusLogicOptimization", 1},
    {"getAllowTvmCancun", 1},
    {"getAllowTvmBlob", 1},
};

}  // namespace

Parameters::Parameters() : values_(main_network) {}

std::int64_t Parameters::operator[](std::string_view name) const {
  auto found =
      std::find_if(values_.begin(), values_.end(), [&](const auto& pair) { return pair.first == name; });
  if (found == values_.end()) std::abort();  // a misspelt constant
  return found->second;
}

void Parameters::set(std::string_view name, std::int64_t value) {
  for (auto& [key, old] : values_)
    if (key == name) {
      old = value;
      return;
    }
  std::abort();  // a misspelt constant
}

}  // namespace windlass::devchain
