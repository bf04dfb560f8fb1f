#include "client/liabilities.h"

#include <fmt/format.h>

#include "ledger/codec/liabilities.h"

namespace windlass::client {
namespace {

template <typename... Args>
tl::unexpected<std::string> wrong(fmt::format_string<Args...> text, Args&&... args) {
  return tl::unexpected("the liabilities: " + fmt::format(text, std::forward<Args>(args)...));
}

// All assets, as the seal commits to them; those of one asset are none where it is not among them.
Proven<codec::AssetLiabilities> check_assets(const pb::LiabilityProof& proof, const Hash& sealed,
                                             core::AssetId wanted) {
  std::vector<codec::AssetLiabilities> assets;
  codec::AssetLiabilities found{wanted};
  for (const auto& shown : proof.assets()) {
    codec::AssetLiabilities one{{shown.asset()}, shown.total(), to_array<32>(shown.root()).value_or(Hash{})};
    if (one.total <= 0 || (!assets.empty() && one.asset <= assets.back().asset))
      return wrong("the list of assets is malformed");
    if (one.asset == wanted) found = one;
    assets.push_back(one);
  }
  if (codec::liabilities_root(assets) != sealed)
    return wrong("the totals shown are not those that the seal names");
  return found;
}

Proven<codec::SealedSnapshot> check_seal(const pb::LiabilityProof& proof, ProvenLiability& proven) {
  auto seal = check_entry(proof.seal());
  if (!seal) return tl::unexpected(seal.error());
  auto decoded = codec::decode_stored(proof.seal().envelope());
  if (!decoded || decoded->command.kind() != core::Kind::seal ||
      decoded->liabilities == codec::SealedSnapshot{} ||
      decoded->liabilities.sequence.value != proof.sequence() ||
      decoded->liabilities.sequence >= seal->leaf.sequence)
    return wrong("entry {} is not a seal that names those of entry {}", seal->leaf.sequence.value,
                 proof.sequence());
  proven.seal = seal->leaf.sequence;
  proven.seal_leaf = seal->leaf_hash;
  proven.snapshot = decoded->snapshot.sequence;
  return decoded->liabilities;
}

// Both leaves lead to the root with the whole sum.
Proven<core::Amount> check_shares(const pb::LiabilityProof& proof, core::AccountNumber account,
                                  const codec::AssetLiabilities& all) {
  auto secret = to_array<32>(proof.secret());
  if (!secret || proof.shares_size() != static_cast<int>(codec::liability_shares))
    return wrong("the account's two leaves are not shown");
  core::Int128 amount = 0;
  for (std::uint8_t number = 0; number < codec::liability_shares; ++number) {
    const auto& share = proof.shares(number);
    codec::SumPath path;
    for (const auto& step : share.path())
      path.push_back({{to_array<32>(step.hash()).value_or(Hash{}), step.sum()}, step.left()});
    auto root =
        codec::climb({codec::liability_leaf(*secret, account, all.asset, number), share.amount()}, path);
    if (!root) return wrong("a sum on the way to the total is negative, or beyond 2^63 - 1");
    if (*root != codec::SumNode{all.root, all.total})
      return wrong("share {} of the account is not in the total that the seal names", number);
    amount += share.amount();
  }
  return static_cast<core::Amount>(amount);  // no more than the total: both leaves are in it
}

}  // namespace

Proven<ProvenLiability> check_liability(const pb::LiabilityProof& proof, core::AccountNumber account,
                                        core::AssetId asset, core::Amount amount) {
  ProvenLiability proven{{proof.sequence()}};
  auto sealed = check_seal(proof, proven);
  if (!sealed) return tl::unexpected(sealed.error());
  auto all = check_assets(proof, sealed->root, asset);
  if (!all) return tl::unexpected(all.error());
  if (proof.number() != account.value) return wrong("the proof is of another account");
  if (proof.shares_size() > 0) {
    auto counted = check_shares(proof, account, *all);
    if (!counted) return tl::unexpected(counted.error());
    proven.amount = *counted;
  }
  if (proven.amount != amount)
    return wrong("after entry {} the ledger owed this account {} units of asset {}, but it counts {}",
                 proof.sequence(), amount, asset.value, proven.amount);
  proven.total = all->total;
  return proven;
}

Result<VerifiedLiability> verify_liability(Evidence& evidence, const pb::LiabilityProof& proof,
                                           const History& history, core::AssetId asset, VerifyOptions options,
                                           const OnProgress& progress) {
  auto amount = owed_after(history, {proof.sequence()}, asset);
  if (!amount) return false_proof(amount.error());
  auto proven = check_liability(proof, {history.account.number()}, asset, *amount);
  if (!proven) return false_proof(proven.error());
  options.also_in_log[proven->seal.value] = proven->seal_leaf;
  options.snapshot = proven->snapshot;
  auto verified = verify_history(evidence, history, options, progress);
  if (!verified) return tl::unexpected(verified.error());
  bool complete = verified->snapshot && verified->snapshot->sequence >= proven->sequence;
  bool newer = history.own.empty() || history.own.back().sequence() > proven->sequence.value;
  if (!complete && !newer)
    return fail(
        Failure::Kind::later,
        fmt::format("no balance snapshot shows yet that the account's history is complete up to entry "
                    "{}: ask again when the ledger has sealed again",
                    proven->sequence.value));
  bool anchored = verified->anchor && proven->seal.value < verified->anchor->checkpoint.size;
  return VerifiedLiability{*proven, *std::move(verified), anchored};
}

}  // namespace windlass::client
