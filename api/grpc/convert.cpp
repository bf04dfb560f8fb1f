#include "api/grpc/convert.h"

#include "crypto/tron_address.h"

namespace windlass::api {
namespace {

template <std::size_t N>
std::string str(const ByteArray<N>& bytes) {
  return std::string(windlass::view(bytes));
}

std::string wide(core::ChainAmount amount) {
  std::string bytes = codec::chain_amount_bytes(amount);
  return std::string(16 - bytes.size(), '\0') + bytes;
}

// A proto's 0 stands for "none": entry 0 is genesis, which nothing of this refers to.
std::uint64_t or_zero(core::Sequence sequence) {
  return sequence == core::no_sequence ? 0 : sequence.value;
}

}  // namespace

void fill(v1::Account& out, const AccountView& view) {
  const auto& account = view.account;
  out.set_key(str(account.key));
  out.set_address(str(tron_address(account.key)));
  out.set_number(account.number.value);
  for (const auto& balance : account.balances) {
    auto& to = *out.add_balances();
    to.set_asset(balance.asset.value);
    to.set_available(balance.available);
    to.set_locked(balance.locked);
    to.set_held(balance.held);
  }
  out.set_last_sequence(account.last.value);
  out.set_open_channels(account.open_channels);
  out.set_roles(account.roles);
  for (const auto& use : account.nonces) out.add_nonces(use.nonce);
  out.set_rotated_at(or_zero(view.rotated_at));
  out.set_size(view.size);
}

void fill(v1::Channel& out, const ChannelView& view) {
  const auto& channel = view.channel;
  out.set_id(channel.id.value);
  out.set_payer(str(view.payer));
  out.set_recipient(str(view.recipient));
  out.set_receipt_key(str(channel.receipt_key));
  out.set_asset(channel.asset.value);
  out.set_deposit(channel.deposit);
  out.set_claimed(channel.claimed);
  out.set_expires_us(channel.expires_us);
  out.set_content(channel.content);
  out.set_open(channel.open);
  out.set_last_sequence(channel.last.value);
  out.set_claim_sequence(or_zero(channel.claim));
  out.set_history_hash(str(channel.history));
}

void fill(v1::Posting& out, const ProvenPosting& posting) {
  out.set_posting(posting.posting);
  out.set_salt(str(posting.salt));
  out.set_index(posting.index);
  out.set_count(posting.count);
  for (const auto& hash : posting.path) out.add_path(str(hash));
}

void fill(v1::Entry& out, const EntryView& view) {
  out.set_sequence(view.leaf.sequence.value);
  out.set_time_us(view.leaf.time_us);
  out.set_kind(static_cast<std::uint32_t>(view.leaf.kind));
  out.set_leaf(view.leaf.encode());
  out.set_leaf_hash(str(view.leaf_hash));
  for (const auto& posting : view.postings) fill(*out.add_postings(), posting);
  if (view.envelope) out.set_envelope(*view.envelope);
  if (view.envelope_salt) out.set_envelope_salt(str(*view.envelope_salt));
  if (view.secret) out.set_secret(str(*view.secret));
}

void fill(v1::Asset& out, const core::Asset& asset) {
  out.set_number(asset.number.value);
  out.set_symbol(asset.symbol);
  out.set_chain(asset.chain);
  out.set_token(asset.token);
  out.set_decimals(asset.decimals);
  out.set_chain_units(asset.chain_units);
  out.set_minimum_first_credit(asset.minimum_first_credit);
  out.set_minimum_channel(asset.minimum_channel);
  out.set_maximum_daily_credit(asset.maximum_daily_credit);
}

void fill(v1::AssetTotals& out, const core::AssetTotals& totals) {
  out.set_asset(totals.asset.value);
  out.set_available(totals.available);
  out.set_locked(totals.locked);
  out.set_held(totals.held);
  out.set_unassigned(totals.unassigned);
  out.set_dust(wide(totals.dust));
  out.set_credited(wide(totals.credited));
  out.set_paid(wide(totals.paid));
  out.set_chain_fees(codec::chain_amount_bytes(totals.chain_fees));
}

void fill(v1::Withdrawal& out, const WithdrawalView& view) {
  const auto& channel = view.channel;
  out.set_id(channel.id.value);
  out.set_asset(channel.asset.value);
  out.set_amount(channel.deposit - channel.fee);
  out.set_fee(channel.fee);
  out.set_destination(channel.content);
  out.set_state(static_cast<v1::Withdrawal::State>(view.state));
  out.set_transaction_id(view.transaction_id);
  out.set_block(static_cast<std::uint64_t>(view.block));
  out.set_queue_place(view.queued_before);
  out.set_last_sequence(channel.last.value);
  out.set_approved(channel.claim != core::no_sequence);
}

void fill(v1::DepositAddress& out, const DepositAddressView& view) {
  out.set_address(view.address);
  out.set_account(view.account);
  out.set_deposit_key(view.deposit_key);
  out.set_custody_address(view.custody_address);
}

void fill(v1::WithdrawalTerms& out, const TermsView& view) {
  out.set_asset(view.asset.value);
  out.set_minimum(view.terms.minimum);
  out.set_fee(view.terms.fee);
  out.set_payable_now(view.payable_now);
  if (view.terms.refuses != core::Error::none)
    out.set_refuses(std::string(core::info(view.terms.refuses).reason));
}

void fill(v1::Anchor& out, const journal::AnchorRow& anchor) {
  out.set_id(static_cast<std::uint64_t>(anchor.id));
  out.set_size(anchor.size);
  out.set_root(anchor.root);
  out.set_checkpoint(anchor.checkpoint);
  out.set_state(anchor.state);
  out.set_transaction_id(anchor.transaction_id);
  out.set_block(static_cast<std::uint64_t>(anchor.block));
  out.set_sealed_us(anchor.sealed_us);
  out.set_solidified_us(anchor.solidified_us);
}

void fill(v1::Statement& out, const StatementView& view) {
  const auto& snapshot = view.proof.snapshot;
  out.set_snapshot_sequence(snapshot.sequence.value);
  out.set_snapshot_root(str(snapshot.root));
  out.set_accounts(snapshot.accounts);
  out.set_number(view.account.value);
  out.set_leaf(view.proof.leaf);
  for (const auto& hash : view.proof.path) out.add_path(str(hash));
  if (view.seal) fill(*out.mutable_seal(), *view.seal);
}

void fill(v1::LiabilityProof& out, const LiabilityView& view) {
  out.set_sequence(view.proof.sequence.value);
  out.set_number(view.account.value);
  for (const auto& asset : view.proof.assets) {
    auto& to = *out.add_assets();
    to.set_asset(asset.asset.value);
    to.set_total(asset.total);
    to.set_root(str(asset.root));
  }
  if (!view.proof.shares.empty()) out.set_secret(str(view.proof.secret));
  for (const auto& share : view.proof.shares) {
    auto& to = *out.add_shares();
    to.set_amount(share.amount);
    for (const auto& [sibling, left] : share.path) {
      auto& step = *to.add_path();
      step.set_hash(str(sibling.hash));
      step.set_sum(sibling.sum);
      step.set_left(left);
    }
  }
  fill(*out.mutable_seal(), view.seal);
}

void fill_whole(v1::Entry& out, const codec::StoredEntry& stored) {
  out.set_sequence(stored.sequence.value);
  out.set_time_us(stored.time_us);
  out.set_kind(static_cast<std::uint32_t>(stored.kind));
  out.set_leaf_hash(str(stored.leaf_hash));
  out.set_envelope(stored.envelope);
  out.set_envelope_salt(str(codec::salt(stored.secret, 0)));
  out.set_secret(str(stored.secret));
  out.mutable_links()->Add(stored.links.begin(), stored.links.end());
  // Unproven: who has the secret computes every salt and path. What is malformed is shown as it is, for the
  // audit to name.
  if (auto postings = codec::decode_postings(stored.postings)) {
    for (const auto& posting : *postings) out.add_postings()->set_posting(codec::encode_posting(posting));
  } else {
    out.add_postings()->set_posting(stored.postings);
  }
  if (auto entry = codec::check_stored(stored)) out.set_leaf(entry->leaf.encode());
}

void fill_acknowledgement(v1::Acknowledgement& out, const codec::Entry& entry,
                          const std::optional<core::AccountNumber>& signer) {
  out.set_sequence(entry.sequence.value);
  out.set_time_us(entry.time_us);
  out.set_leaf_hash(str(entry.leaf_hash));
  out.set_leaf(entry.leaf.encode());
  auto shown = [&](const core::Posting& posting) {
    if (entry.kind == core::Kind::receipt || std::holds_alternative<core::ChannelPosting>(posting))
      return true;
    if (const auto* account = std::get_if<core::AccountPosting>(&posting)) return account->account == signer;
    return std::get<core::ClosingPosting>(posting).payer.account == signer;
  };
  for (std::size_t i = 0; i < entry.postings.size(); ++i)
    if (shown(entry.postings[i])) fill(*out.add_postings(), prove_posting(entry, i));
}

BatchPromise::BatchPromise(core::Sequence first, std::vector<Hash> leaves, core::TimeUs time_us,
                           const log::NoteSigner& signer)
    : tree_(std::move(leaves)) {
  log::Promise promise{signer.verifier().name, first.value, tree_.size(), tree_.root(), time_us};
  note_ = signer.sign(promise.text());
}

void BatchPromise::fill(v1::Promise& out, std::size_t index) const {
  out.set_note(note_);
  out.set_index(static_cast<std::uint32_t>(index));
  for (const auto& hash : tree_.inclusion(index)) out.add_path(str(hash));
}

}  // namespace windlass::api
