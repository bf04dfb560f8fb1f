#include "ledger/codec/command.h"

#include <windlass/v1/command.pb.h>

#include "crypto/tron_address.h"
#include "ledger/codec/btfs.h"
#include "ledger/core/limits.h"

namespace windlass::codec {
namespace {

namespace pb = windlass::v1;
using core::Error;

// Sends the first thing that is wrong out of a parser.
struct Refusal {
  Error error;
};
void check(bool holds, Error otherwise) {
  if (!holds) throw Refusal{otherwise};
}

// --- from protobuf: static limits are checked here, once

// Only its form: whether it is a point on the curve costs a square root, so that is asked once for each new
// account (unproven_keys), not for every payment to a known one.
core::Key key_of(ByteView bytes) {
  auto key = to_array<33>(bytes);
  check(key && ((*key)[0] == 2 || (*key)[0] == 3), Error::bad_key);
  return *key;
}
core::Amount positive(std::int64_t amount) {
  check(amount > 0, Error::bad_amount);
  return amount;
}
template <std::size_t N>
ByteArray<N> exactly(ByteView bytes) {
  auto array = to_array<N>(bytes);
  check(array.has_value(), Error::bad_field);
  return *array;
}
void optional_bytes(ByteView bytes, std::size_t length) {
  check(bytes.empty() || bytes.size() == length, Error::bad_field);
}
template <typename Message>
void fully_known(const Message& message) {
  check(message.GetReflection()->GetUnknownFields(message).empty(), Error::unknown_field);
}

core::Receipt parse(const pb::Receipt& in) {
  fully_known(in);
  return {core::ChannelId{in.channel()}, positive(in.cumulative())};
}

core::Transfer parse(const pb::Transfer& in) {
  fully_known(in);
  check(in.memo().size() <= core::max_memo_bytes, Error::bad_field);
  return {core::AssetId{in.asset()}, key_of(in.recipient()), positive(in.amount())};
}

core::TransferList parse(const pb::TransferList& in) {
  fully_known(in);
  check(in.memo().size() <= core::max_memo_bytes, Error::bad_field);
  auto count = static_cast<std::size_t>(in.amounts_size());
  constexpr std::size_t width = std::tuple_size_v<core::Key>;
  check(count > 0 && count <= core::max_list_payments && in.recipients().size() == count * width,
        Error::bad_list);
  core::TransferList list{core::AssetId{in.asset()}, {}};
  list.payments.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    list.payments.push_back({key_of(ByteView(in.recipients()).substr(i * width, width)),
                             positive(in.amounts(static_cast<int>(i)))});
  return list;
}

core::OpenChannel parse(const pb::OpenChannel& in, const core::Key& signer) {
  fully_known(in);
  check(in.receipt_key().empty() || is_public_key(in.receipt_key()), Error::bad_key);
  check(in.content().empty() || in.content().size() == 20 || in.content().size() == 32, Error::bad_field);
  return {core::AssetId{in.asset()},
          key_of(in.recipient()),
          positive(in.amount()),
          in.expires_us(),
          in.receipt_key().empty() ? signer : key_of(in.receipt_key()),
          in.content()};
}

core::TopUpChannel parse(const pb::TopUpChannel& in) {
  fully_known(in);
  check(in.amount() >= 0, Error::bad_amount);
  check(in.amount() > 0 || in.expires_us() > 0, Error::bad_field);
  check(in.expires_us() >= 0, Error::bad_channel_expiry);
  return {core::ChannelId{in.channel()}, in.amount(), in.expires_us()};
}

core::CloseChannel parse(const pb::CloseChannel& in, Decoded& decoded) {
  fully_known(in);
  core::CloseChannel close{core::ChannelId{in.channel()}, {}};
  if (!in.has_last_receipt()) return close;
  fully_known(in.last_receipt());
  pb::Command inner;
  check(inner.ParseFromString(in.last_receipt().command()), Error::malformed_command);
  fully_known(inner);
  check(inner.has_receipt(), Error::bad_field);
  check(in.last_receipt().signature().size() == 64, Error::bad_signature_format);
  close.last_receipt = {parse(inner.receipt()), key_of(in.last_receipt().key())};
  decoded.last_receipt_command = in.last_receipt().command();
  decoded.last_receipt_signature = in.last_receipt().signature();
  return close;
}

core::ChainAmount amount_of(ByteView bytes) {
  auto amount = chain_amount(bytes);
  check(amount.has_value(), Error::bad_amount);
  return *amount;
}
core::ChainAmount positive_amount_of(ByteView bytes) {
  auto amount = amount_of(bytes);
  check(amount > 0, Error::bad_amount);
  return amount;
}

core::Credit parse(const pb::Credit& in) {
  fully_known(in);
  auto amount = positive_amount_of(in.amount());
  exactly<32>(in.transaction_id());
  optional_bytes(in.source(), 21);
  core::Credit credit{
      core::AssetId{in.asset()}, amount, {}, in.chain(), {in.block(), in.transaction(), in.log()}};
  if (!in.owner().empty()) credit.owner = key_of(in.owner());
  return credit;
}

core::Withdraw parse(const pb::Withdraw& in) {
  fully_known(in);
  check(in.fee() >= 0, Error::bad_amount);
  auto destination = exactly<21>(in.destination());
  check(destination[0] == tron_address_prefix, Error::bad_field);
  return {core::AssetId{in.asset()}, positive(in.amount()), in.fee(), destination};
}

core::SettleWithdrawal parse(const pb::SettleWithdrawal& in) {
  fully_known(in);
  bool paid = in.outcome() == pb::SettleWithdrawal::OUTCOME_PAID;
  check(paid || in.outcome() == pb::SettleWithdrawal::OUTCOME_REFUNDED, Error::bad_field);
  optional_bytes(in.transaction_id(), sizeof(Hash));
  check(!paid || (!in.transaction_id().empty() && in.block() > 0), Error::bad_field);
  auto fee = amount_of(in.chain_fee());
  check((fee == 0) == (in.fee_asset() == 0), Error::bad_field);
  return {core::ChannelId{in.withdrawal()}, paid, core::AssetId{in.fee_asset()}, fee};
}

// --- what historical clients signed, and the ledger wrapped

// Of a message that was well formed when it was taken.
template <typename T>
T well_formed(btfs::Parsed<T> parsed) {
  check(parsed.has_value(), Error::malformed_command);
  return *std::move(parsed);
}
void signed_by(Decoded& decoded, std::size_t place, const core::Key& key, const std::string& message) {
  const auto& signers = decoded.envelope.signers;
  check(place < signers.size(), Error::wrong_signer_count);
  check(signers[place].key == view(key), Error::bad_key);
  decoded.historical_messages.push_back(message);
}

core::BtfsTransfer parse_btfs_transfer(const pb::Command& in, Decoded& decoded) {
  auto transfer = well_formed(btfs::parse_transfer_request(in.btfs_transfer()));
  check(in.nonce() == transfer.nonce && in.expires_us() == transfer.expires_us, Error::bad_field);
  signed_by(decoded, 0, transfer.payer, in.btfs_transfer());
  return {transfer.recipient, transfer.amount, btfs::message_hash(in.btfs_transfer())};
}

core::BtfsOpenChannel parse_btfs_open_channel(const std::string& message, Decoded& decoded) {
  auto commit = well_formed(btfs::parse_channel_commit(message));
  signed_by(decoded, 0, commit.payer, message);
  return {commit.recipient, commit.amount, btfs::commit_id(commit.payer, commit.payer_id)};
}

core::BtfsChannelState parse_state(const std::string& message) {
  auto state = well_formed(btfs::parse_channel_state(message));
  return {{static_cast<std::uint64_t>(state.id)},
          state.from.address,
          state.to.address,
          state.from.balance,
          state.to.balance};
}

core::BtfsCloseChannel parse_btfs_close_channel(const std::string& state, Decoded& decoded) {
  core::BtfsCloseChannel close{parse_state(state), decoded.envelope.signers.size() > 1};
  signed_by(decoded, 0, close.state.to, state);
  if (close.from_signed) signed_by(decoded, 1, close.state.from, state);
  return close;
}

core::BtfsWithdraw parse(const pb::BtfsWithdraw& in, Decoded& decoded) {
  fully_known(in);
  auto paid = parse_state(in.success_state()), given_back = parse_state(in.failure_state());
  bool reversed = paid.channel == given_back.channel && paid.from == given_back.from &&
                  paid.to == given_back.to && paid.to_balance == given_back.from_balance &&
                  paid.from_balance == 0 && given_back.to_balance == 0;
  check(reversed, Error::state_mismatch);
  check(in.fee() >= 0 && in.fee() < paid.to_balance, Error::bad_amount);
  signed_by(decoded, 0, paid.from, in.success_state());
  signed_by(decoded, 1, paid.from, in.failure_state());
  signed_by(decoded, 2, paid.to, in.success_state());
  signed_by(decoded, 3, paid.to, in.failure_state());
  return {paid, in.fee(), tron_address(paid.from)};
}

core::BtfsRotateKey parse(const pb::BtfsRotateKey& in, Decoded& decoded) {
  fully_known(in);
  auto new_key = well_formed(btfs::parse_public_key(in.new_key()));
  auto old_key = well_formed(btfs::parse_public_key(in.old_key()));
  check(new_key != old_key, Error::key_in_use);
  signed_by(decoded, 0, old_key, in.new_key());
  signed_by(decoded, 1, new_key, in.old_key());
  return {new_key};
}

bool is_historical(const pb::Command& in) {
  switch (in.body_case()) {
    case pb::Command::kBtfsTransfer:
    case pb::Command::kBtfsOpenChannel:
    case pb::Command::kBtfsCloseChannel:
    case pb::Command::kBtfsWithdraw:
    case pb::Command::kBtfsRotateKey:
      return true;
    default:
      return false;
  }
}

core::SetRoles parse(const pb::SetRoles& in) {
  fully_known(in);
  check((in.roles() & ~std::uint32_t{core::all_roles}) == 0, Error::bad_field);
  return {key_of(in.key()), in.roles()};
}

core::Asset parse(const pb::Asset& in) {
  fully_known(in);
  auto fits = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  check(!in.symbol().empty() && in.symbol().size() <= core::max_symbol_bytes &&
            std::all_of(in.symbol().begin(), in.symbol().end(), fits),
        Error::bad_field);
  check(in.number() > 0 && in.token().size() <= core::max_token_bytes &&
            in.decimals() <= core::max_decimals && in.chain_units() > 0 &&
            in.chain_units() <= std::numeric_limits<std::int64_t>::max(),
        Error::bad_field);
  check(in.minimum_first_credit() >= 0 && in.minimum_channel() >= 0 && in.maximum_daily_credit() >= 0,
        Error::bad_amount);
  return {core::AssetId{in.number()},
          in.symbol(),
          in.chain(),
          in.token(),
          in.decimals(),
          in.chain_units(),
          in.minimum_first_credit(),
          in.minimum_channel(),
          in.maximum_daily_credit()};
}

core::Genesis parse(const pb::Genesis& in) {
  fully_known(in);
  exactly<32>(in.id());
  check(!in.origin().empty() && in.origin().size() <= core::max_origin_bytes, Error::bad_field);
  check(static_cast<std::size_t>(in.roles_size()) <= core::max_genesis_roles &&
            static_cast<std::size_t>(in.assets_size()) <= core::max_assets,
        Error::bad_field);
  for (const auto* address : {&in.anchor_address(), &in.anchor_contract(), &in.custody_address()})
    optional_bytes(*address, 21);
  core::Genesis genesis{key_of(in.operator_key()), {}, {}};
  for (const auto& grant : in.roles()) genesis.roles.push_back(parse(grant));
  for (const auto& asset : in.assets()) {
    genesis.assets.push_back(parse(asset));
    check(asset.number() == genesis.assets.size(), Error::bad_field);
  }
  return genesis;
}

core::AssetTotals parse(const pb::AssetTotals& in) {
  fully_known(in);
  core::AssetTotals totals{core::AssetId{in.asset()}, in.available(), in.locked(), in.held(),
                           in.unassigned()};
  auto wide = [](ByteView bytes) {
    check(bytes.size() == 16, Error::bad_field);
    return *chain_amount(bytes);
  };
  totals.dust = wide(in.dust());
  totals.credited = wide(in.credited());
  totals.paid = wide(in.paid());
  totals.chain_fees = amount_of(in.chain_fees());
  return totals;
}

core::Seal parse(const pb::Seal& in, Decoded& decoded) {
  fully_known(in);
  decoded.seal_block_id = exactly<32>(in.block_id());
  decoded.snapshot = {{in.snapshot_sequence()}, exactly<32>(in.snapshot_root())};
  // Seals from before there were any have none.
  if (!in.liabilities_root().empty())
    decoded.liabilities = {{in.liabilities_sequence()}, exactly<32>(in.liabilities_root())};
  core::Seal seal{{}, in.accounts()};
  for (const auto& totals : in.totals()) seal.totals.push_back(parse(totals));
  return seal;
}

core::Body parse_body(const pb::Command& in, Decoded& decoded) {
  switch (in.body_case()) {
    case pb::Command::kReceipt:
      return parse(in.receipt());
    case pb::Command::kTransfer:
      return parse(in.transfer());
    case pb::Command::kTransferList:
      return parse(in.transfer_list());
    case pb::Command::kOpenChannel:
      return parse(in.open_channel(), decoded.command.signer);
    case pb::Command::kTopUpChannel:
      return parse(in.top_up_channel());
    case pb::Command::kCloseChannel:
      return parse(in.close_channel(), decoded);
    case pb::Command::kRotateKey:
      fully_known(in.rotate_key());
      return core::RotateKey{key_of(in.rotate_key().new_key())};
    case pb::Command::kCredit:
      return parse(in.credit());
    case pb::Command::kSetRoles:
      return parse(in.set_roles());
    case pb::Command::kSetAsset:
      fully_known(in.set_asset());
      return core::SetAsset{parse(in.set_asset().asset())};
    case pb::Command::kWithdraw:
      return parse(in.withdraw());
    case pb::Command::kSettleWithdrawal:
      return parse(in.settle_withdrawal());
    case pb::Command::kApproveWithdrawal:
      fully_known(in.approve_withdrawal());
      return core::ApproveWithdrawal{core::ChannelId{in.approve_withdrawal().withdrawal()}};
    case pb::Command::kAssignDeposit:
      fully_known(in.assign_deposit());
      return core::AssignDeposit{core::ChannelId{in.assign_deposit().deposit()},
                                 key_of(in.assign_deposit().owner())};
    case pb::Command::kBookChainFees:
      fully_known(in.book_chain_fees());
      return core::BookChainFees{core::AssetId{in.book_chain_fees().asset()},
                                 positive_amount_of(in.book_chain_fees().cumulative())};
    case pb::Command::kRefuseBtfs:
      fully_known(in.refuse_btfs());
      return core::RefuseBtfs{};
    case pb::Command::kBtfsTransfer:
      return parse_btfs_transfer(in, decoded);
    case pb::Command::kBtfsOpenChannel:
      return parse_btfs_open_channel(in.btfs_open_channel(), decoded);
    case pb::Command::kBtfsCloseChannel:
      return parse_btfs_close_channel(in.btfs_close_channel(), decoded);
    case pb::Command::kBtfsWithdraw:
      return parse(in.btfs_withdraw(), decoded);
    case pb::Command::kBtfsRotateKey:
      return parse(in.btfs_rotate_key(), decoded);
    case pb::Command::kRequestSeal:
      fully_known(in.request_seal());
      decoded.requests_seal = true;
      decoded.seal_block_id = exactly<32>(in.request_seal().block_id());
      return core::Seal{};
    case pb::Command::kGenesis:
      return parse(in.genesis());
    case pb::Command::kSeal:
      return parse(in.seal(), decoded);
    case pb::Command::BODY_NOT_SET:
      break;
  }
  throw Refusal{Error::empty_command};
}

// No payment to oneself, whatever its form.
void check_not_to_self(const core::Command& command) {
  const auto& signer = command.signer;
  if (const auto* transfer = std::get_if<core::Transfer>(&command.body))
    check(transfer->recipient != signer, Error::self_payment);
  if (const auto* open = std::get_if<core::OpenChannel>(&command.body))
    check(open->recipient != signer, Error::self_payment);
  if (const auto* list = std::get_if<core::TransferList>(&command.body))
    for (const auto& payment : list->payments) check(payment.recipient != signer, Error::self_payment);
  if (const auto* rotate = std::get_if<core::RotateKey>(&command.body))
    check(rotate->new_key != signer, Error::key_in_use);
}

Decoded decode(Envelope envelope, bool from_client) {
  check(envelope.command.size() <= core::max_command_bytes, Error::command_too_large);
  thread_local pb::Command in;
  in.Clear();
  check(in.ParseFromString(envelope.command), Error::malformed_command);
  fully_known(in);
  bool ours = in.has_genesis() || in.has_seal(), historical = is_historical(in);
  check(!((ours || historical) && from_client), Error::forbidden_command);

  Decoded decoded;
  decoded.envelope = std::move(envelope);
  const auto& signers = decoded.envelope.signers;
  std::size_t expected_signers = ours ? 0 : in.has_rotate_key() ? 2 : 1;
  check(historical ? !signers.empty() : signers.size() == expected_signers, Error::wrong_signer_count);
  for (const auto& signer : signers) {
    key_of(signer.key);
    check(historical ? signer.signature.size() <= max_der_signature_bytes : signer.signature.size() == 64,
          Error::bad_signature_format);
  }
  // Whether it is a point on the curve shows when the signature is verified.
  if (!ours) decoded.command.signer = *to_array<33>(signers[0].key);
  decoded.command.nonce = in.nonce();
  decoded.command.expires_us = in.expires_us();
  decoded.command.body = parse_body(in, decoded);
  if (const auto* rotate = std::get_if<core::RotateKey>(&decoded.command.body))
    check(signers[1].key == view(rotate->new_key), Error::bad_key);
  if (historical) {
    // Nobody signed what stands around the messages.
    check(in.has_btfs_transfer() || (in.nonce() == 0 && in.expires_us() == 0), Error::bad_field);
    check(decoded.historical_messages.size() == signers.size(), Error::wrong_signer_count);
    return decoded;
  }
  check_not_to_self(decoded.command);
  if (!ours && !in.has_receipt()) {
    check(in.nonce() > 0, Error::missing_nonce);
    check(in.expires_us() > 0, Error::missing_expiry);
  }
  return decoded;
}

// --- to protobuf

std::string bytes_of(const core::Key& key) {
  return std::string(view(key));
}
std::string wide_bytes(core::ChainAmount amount) {
  std::string out;
  append_be(out, static_cast<std::uint64_t>(amount >> 64));
  append_be(out, static_cast<std::uint64_t>(amount));
  return out;
}

void fill(pb::Asset& out, const core::Asset& asset) {
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
void fill(pb::SetRoles& out, const core::SetRoles& set) {
  out.set_key(bytes_of(set.key));
  out.set_roles(set.roles);
}

struct Encoder {
  pb::Command& out;
  void operator()(const core::Genesis&) const { core::require(false); }  // make_genesis
  void operator()(const core::Seal&) const { core::require(false); }     // make_seal
  void operator()(const core::Receipt& in) const {
    out.mutable_receipt()->set_channel(in.channel.value);
    out.mutable_receipt()->set_cumulative(in.cumulative);
  }
  void operator()(const core::Transfer& in) const {
    auto& to = *out.mutable_transfer();
    to.set_asset(in.asset.value);
    to.set_recipient(bytes_of(in.recipient));
    to.set_amount(in.amount);
  }
  void operator()(const core::TransferList& in) const {
    auto& to = *out.mutable_transfer_list();
    to.set_asset(in.asset.value);
    for (const auto& payment : in.payments) {
      to.mutable_recipients()->append(view(payment.recipient));
      to.add_amounts(payment.amount);
    }
  }
  void operator()(const core::OpenChannel& in) const {
    auto& to = *out.mutable_open_channel();
    to.set_asset(in.asset.value);
    to.set_recipient(bytes_of(in.recipient));
    to.set_amount(in.amount);
    to.set_expires_us(in.expires_us);
    if (in.receipt_key != core::Key{}) to.set_receipt_key(bytes_of(in.receipt_key));
    to.set_content(in.content);
  }
  void operator()(const core::TopUpChannel& in) const {
    auto& to = *out.mutable_top_up_channel();
    to.set_channel(in.channel.value);
    to.set_amount(in.amount);
    to.set_expires_us(in.expires_us);
  }
  void operator()(const core::CloseChannel& in) const {
    out.mutable_close_channel()->set_channel(in.channel.value);
  }
  void operator()(const core::RotateKey& in) const {
    out.mutable_rotate_key()->set_new_key(bytes_of(in.new_key));
  }
  void operator()(const core::Credit& in) const {
    auto& to = *out.mutable_credit();
    to.set_asset(in.asset.value);
    to.set_amount(chain_amount_bytes(in.amount));
    if (in.owner) to.set_owner(bytes_of(*in.owner));
    to.set_chain(in.chain);
    to.set_block(in.at.block);
    to.set_transaction(in.at.transaction);
    to.set_log(in.at.log);
  }
  void operator()(const core::Withdraw& in) const {
    auto& to = *out.mutable_withdraw();
    to.set_asset(in.asset.value);
    to.set_amount(in.amount);
    to.set_fee(in.fee);
    to.set_destination(std::string(view(in.destination)));
  }
  void operator()(const core::SettleWithdrawal& in) const {
    auto& to = *out.mutable_settle_withdrawal();
    to.set_withdrawal(in.withdrawal.value);
    to.set_outcome(in.paid ? pb::SettleWithdrawal::OUTCOME_PAID : pb::SettleWithdrawal::OUTCOME_REFUNDED);
    to.set_chain_fee(chain_amount_bytes(in.chain_fee));
    to.set_fee_asset(in.fee_asset.value);
  }
  void operator()(const core::ApproveWithdrawal& in) const {
    out.mutable_approve_withdrawal()->set_withdrawal(in.withdrawal.value);
  }
  void operator()(const core::AssignDeposit& in) const {
    out.mutable_assign_deposit()->set_deposit(in.deposit.value);
    out.mutable_assign_deposit()->set_owner(bytes_of(in.owner));
  }
  void operator()(const core::BookChainFees& in) const {
    out.mutable_book_chain_fees()->set_asset(in.asset.value);
    out.mutable_book_chain_fees()->set_cumulative(chain_amount_bytes(in.cumulative));
  }
  void operator()(const core::RefuseBtfs&) const { out.mutable_refuse_btfs(); }
  // make_btfs_...
  void operator()(const core::BtfsTransfer&) const { core::require(false); }
  void operator()(const core::BtfsOpenChannel&) const { core::require(false); }
  void operator()(const core::BtfsCloseChannel&) const { core::require(false); }
  void operator()(const core::BtfsWithdraw&) const { core::require(false); }
  void operator()(const core::BtfsRotateKey&) const { core::require(false); }
  void operator()(const core::SetRoles& in) const { fill(*out.mutable_set_roles(), in); }
  void operator()(const core::SetAsset& in) const {
    fill(*out.mutable_set_asset()->mutable_asset(), in.asset);
  }
};

pb::Command to_message(const core::Command& command) {
  pb::Command out;
  out.set_nonce(command.nonce);
  out.set_expires_us(command.expires_us);
  std::visit(Encoder{out}, command.body);
  return out;
}

// What the ledger itself writes.
Decoded decode_own(const pb::Command& message) {
  return decode(Envelope{message.SerializeAsString(), {}}, false);
}

Made decode_historical(const pb::Command& message, std::vector<Signed> signers) {
  try {
    return decode(Envelope{message.SerializeAsString(), std::move(signers)}, false);
  } catch (const Refusal& refusal) {
    return tl::unexpected(refusal.error);
  }
}

SignatureCheck check_signature(const SignatureClaim& claim, const SigningTag& tag, PointCache* points) {
  if (!claim.historical)
    return verify_signature(claim.key, claim.signature, tag.digest(claim.message), points);
  auto compact = signature_from_der(claim.signature);
  if (!compact) return SignatureCheck::malformed;
  return verify_signature(claim.key, view(*compact), btfs::message_hash(claim.message), points);
}

}  // namespace

std::vector<SignatureClaim> Decoded::signatures() const {
  std::vector<SignatureClaim> claims;
  for (std::size_t i = 0; i < envelope.signers.size(); ++i) {
    const auto& [key, signature] = envelope.signers[i];
    if (historical_messages.empty())
      claims.push_back({key, signature, envelope.command});
    else
      claims.push_back({key, signature, historical_messages[i], true});
  }
  if (const auto* close = std::get_if<core::CloseChannel>(&command.body); close && close->last_receipt)
    claims.push_back({view(close->last_receipt->signer), last_receipt_signature, last_receipt_command});
  return claims;
}

std::vector<core::Key> unproven_keys(const core::Command& command) {
  core::Needs needs;
  core::collect_needs(command, needs);
  bool rotates = command.kind() == core::Kind::rotate_key;  // the new key proves itself by its signature
  std::erase_if(needs.keys, [&](const core::Key& key) { return rotates || key == command.signer; });
  return needs.keys;
}

tl::expected<Decoded, Error> decode_submitted(Envelope envelope) {
  try {
    return decode(std::move(envelope), true);
  } catch (const Refusal& refusal) {
    return tl::unexpected(refusal.error);
  }
}

tl::expected<Decoded, std::string> decode_stored(ByteView bytes) {
  auto envelope = Envelope::decode(bytes);
  if (!envelope) return tl::unexpected(std::string("the envelope is malformed"));
  try {
    return decode(*std::move(envelope), false);
  } catch (const Refusal& refusal) {
    return tl::unexpected(std::string(core::info(refusal.error).message));
  }
}

Error verify_signatures(const Decoded& decoded, const SigningTag& tag, PointCache* points) {
  for (const auto& claim : decoded.signatures()) {
    switch (check_signature(claim, tag, points)) {
      case SignatureCheck::valid:
        break;
      case SignatureCheck::bad_key:
        return Error::bad_key;
      case SignatureCheck::malformed:
        return Error::bad_signature_format;
      case SignatureCheck::high_s:
        return Error::high_s;
      case SignatureCheck::wrong:
        return Error::bad_signature;
    }
  }
  return Error::none;
}

Decoded make_genesis(const GenesisParameters& parameters) {
  pb::Command message;
  auto& out = *message.mutable_genesis();
  out.set_id(std::string(view(parameters.id)));
  out.set_origin(parameters.origin);
  out.set_operator_key(bytes_of(parameters.genesis.operator_key));
  for (const auto& grant : parameters.genesis.roles) fill(*out.add_roles(), grant);
  for (const auto& asset : parameters.genesis.assets) fill(*out.add_assets(), asset);
  out.set_log_vkey(parameters.log_vkey);
  out.set_anchor_address(parameters.anchor_address);
  out.set_anchor_contract(parameters.anchor_contract);
  out.set_custody_address(parameters.custody_address);
  return decode_own(message);
}

std::optional<GenesisParameters> read_genesis(ByteView command) {
  pb::Command message;
  if (!message.ParseFromArray(command.data(), static_cast<int>(command.size())) || !message.has_genesis())
    return std::nullopt;
  const auto& in = message.genesis();
  try {
    return GenesisParameters{exactly<32>(in.id()), in.origin(),          parse(in),           in.log_vkey(),
                             in.anchor_address(),  in.anchor_contract(), in.custody_address()};
  } catch (const Refusal&) {
    return std::nullopt;
  }
}

Decoded make_seal(const core::Globals& globals, const Hash& block_id, const SealedSnapshot& snapshot,
                  const SealedSnapshot& liabilities) {
  pb::Command message;
  auto& out = *message.mutable_seal();
  for (const auto& totals : globals.totals) {
    auto& to = *out.add_totals();
    to.set_asset(totals.asset.value);
    to.set_available(totals.available);
    to.set_locked(totals.locked);
    to.set_held(totals.held);
    to.set_unassigned(totals.unassigned);
    to.set_dust(wide_bytes(totals.dust));
    to.set_credited(wide_bytes(totals.credited));
    to.set_paid(wide_bytes(totals.paid));
    to.set_chain_fees(chain_amount_bytes(totals.chain_fees));
  }
  out.set_accounts(globals.accounts);
  out.set_snapshot_root(std::string(view(snapshot.root)));
  out.set_snapshot_sequence(snapshot.sequence.value);
  out.set_block_id(std::string(view(block_id)));
  if (liabilities != SealedSnapshot{}) {
    out.set_liabilities_root(std::string(view(liabilities.root)));
    out.set_liabilities_sequence(liabilities.sequence.value);
  }
  return decode_own(message);
}

Made make_btfs_transfer(ByteView message, Signed payer) {
  pb::Command out;
  auto transfer = btfs::parse_transfer_request(message);
  if (!transfer) return tl::unexpected(Error::malformed_command);
  out.set_nonce(transfer->nonce);
  out.set_expires_us(transfer->expires_us);
  out.set_btfs_transfer(std::string(message));
  return decode_historical(out, {std::move(payer)});
}

Made make_btfs_open_channel(ByteView message, Signed payer) {
  pb::Command out;
  out.set_btfs_open_channel(std::string(message));
  return decode_historical(out, {std::move(payer)});
}

Made make_btfs_close_channel(ByteView state, Signed to, std::optional<Signed> from) {
  pb::Command out;
  out.set_btfs_close_channel(std::string(state));
  std::vector<Signed> signers = {std::move(to)};
  if (from) signers.push_back(*std::move(from));
  return decode_historical(out, std::move(signers));
}

Made make_btfs_withdraw(const BtfsWithdrawal& in) {
  pb::Command out;
  auto& withdraw = *out.mutable_btfs_withdraw();
  withdraw.set_success_state(in.success_state);
  withdraw.set_failure_state(in.failure_state);
  withdraw.set_fee(in.fee);
  return decode_historical(out, {in.success_from, in.failure_from, in.success_to, in.failure_to});
}

Made make_btfs_rotate_key(ByteView new_key, ByteView old_key, Signed by_old, Signed by_new) {
  pb::Command out;
  out.mutable_btfs_rotate_key()->set_new_key(std::string(new_key));
  out.mutable_btfs_rotate_key()->set_old_key(std::string(old_key));
  return decode_historical(out, {std::move(by_old), std::move(by_new)});
}

std::string encode_command(const core::Command& command, ByteView memo) {
  auto message = to_message(command);
  if (message.has_transfer()) message.mutable_transfer()->set_memo(std::string(memo));
  if (message.has_transfer_list()) message.mutable_transfer_list()->set_memo(std::string(memo));
  return message.SerializeAsString();
}

std::string encode_request_seal(std::uint64_t nonce, core::TimeUs expires_us, const Hash& block_id) {
  pb::Command message;
  message.set_nonce(nonce);
  message.set_expires_us(expires_us);
  message.mutable_request_seal()->set_block_id(std::string(view(block_id)));
  return message.SerializeAsString();
}

std::string encode_close(const core::Command& command, ByteView receipt_command,
                         const Signed& receipt_signer) {
  auto message = to_message(command);
  auto& last = *message.mutable_close_channel()->mutable_last_receipt();
  last.set_command(std::string(receipt_command));
  last.set_key(receipt_signer.key);
  last.set_signature(receipt_signer.signature);
  return message.SerializeAsString();
}

std::string encode_credit(const core::Command& command, ByteView transaction_id, ByteView source) {
  auto message = to_message(command);
  message.mutable_credit()->set_transaction_id(std::string(transaction_id));
  message.mutable_credit()->set_source(std::string(source));
  return message.SerializeAsString();
}

std::string encode_settlement(const core::Command& command, ByteView transaction_id, std::uint64_t block) {
  auto message = to_message(command);
  message.mutable_settle_withdrawal()->set_transaction_id(std::string(transaction_id));
  message.mutable_settle_withdrawal()->set_block(block);
  return message.SerializeAsString();
}

Envelope sign(std::string command, const SigningTag& tag, std::initializer_list<const SecretKey*> keys) {
  Envelope envelope{std::move(command), {}};
  Hash digest = tag.digest(envelope.command);
  for (const SecretKey* key : keys)
    envelope.signers.push_back({std::string(view(key->public_key())), std::string(view(key->sign(digest)))});
  return envelope;
}

std::string chain_amount_bytes(core::ChainAmount amount) {
  std::string bytes = wide_bytes(amount);
  return bytes.substr(std::min(bytes.find_first_not_of('\0'), bytes.size()));
}

std::optional<core::ChainAmount> chain_amount(ByteView bytes) {
  if (bytes.size() > 16) return std::nullopt;
  core::ChainAmount amount = 0;
  for (char c : bytes) amount = amount << 8 | static_cast<std::uint8_t>(c);
  return amount;
}

}  // namespace windlass::codec
