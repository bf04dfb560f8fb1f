#include "api/grpc/btfs_ledger.h"

#include "api/grpc/status.h"

namespace windlass::api {
namespace {

namespace btfs = codec::btfs;
using core::Error;
using Verdict = core::Outcome::Verdict;

// The wallet compares the whole text; what is to be said besides stands in the details.
constexpr std::string_view not_sufficient_funds = "NSF";

grpc::Status refusal(const sequencer::Answer& answer) {
  bool without_funds = answer.error == Error::insufficient_funds || answer.error == Error::unknown_account;
  // The ledger's own words for these are of its own commands.
  if (answer.error == Error::bad_signature) return to_status(btfs::Error::wrong_signature);
  if (answer.error == Error::bad_signature_format) return to_status(btfs::Error::bad_signature_encoding);
  if (!without_funds) return to_status(answer);
  return with_message(to_status(answer), grpc::StatusCode::RESOURCE_EXHAUSTED, not_sufficient_funds);
}

codec::Signed signed_by(const core::Key& key, const std::string& signature) {
  return {std::string(view(key)), signature};
}

// What no signature can be; the rest shows when it is verified.
bool could_be_signature(const std::string& bytes) {
  return !bytes.empty() && bytes.size() <= codec::max_der_signature_bytes;
}

void fill(ledger::Account& out, const core::Key& key, core::Amount balance) {
  out.mutable_address()->set_key(btfs::address_of(key));
  out.set_balance(balance);
}

void fill(ledger::ChannelInfo& out, const ChannelView& view) {
  const auto& channel = view.channel;
  out.mutable_id()->set_id(static_cast<std::int64_t>(channel.id.value));
  fill(*out.mutable_from_account(), channel.receipt_key, channel.deposit - channel.claimed);
  fill(*out.mutable_to_account(), view.recipient, channel.claimed);
  if (!channel.open) out.set_close_sequence(static_cast<std::int64_t>(channel.last.value));
}

// Of the account whose posting it is, in the asset that moved.
core::Amount balance_after(const codec::Entry& entry, core::AccountNumber account) {
  for (const auto& posting : entry.postings)
    if (const auto* of = std::get_if<core::AccountPosting>(&posting))
      if (of->account == account && of->after.asset != core::no_asset) return of->after.available;
  return 0;
}

}  // namespace

void BtfsLedger::execute(const std::string& peer, codec::Made command, std::function<void(Executed)> then) {
  if (!command) return then({{.error = command.error()}, {}});
  auto left = clients_.bad_signatures_left(peer);
  sequencer::Commands what;
  what.items.emplace_back(*std::move(command));
  what.done = [this, then](const std::vector<sequencer::Answer>& answers,
                           const std::shared_ptr<const sequencer::CommittedBatch>& batch) {
    const auto& answer = answers[0];
    Executed executed{answer, {}};
    if (answer.verdict == Verdict::accepted)
      executed.entry = batch->entries[answer.sequence.value - batch->first().value];
    if (answer.verdict != Verdict::repeated) return then(std::move(executed));
    auto later = [this, then, answer] {
      auto entry = queries_.accepted_entry(answer.sequence);
      if (entry) return then({answer, *std::move(entry)});
      then({{.error = entry.error()}, {}});
    };
    if (!pool_.run(later)) then({{.error = Error::queue_full}, {}});
  };
  auto error = sequencer_.submit({clients_.id(peer), std::move(what), left});
  if (error != Error::none) then({{.error = error}, {}});
}

void BtfsLedger::on_pool(Finish finish, std::function<grpc::Status()> answer) {
  if (!pool_.run([finish, answer] { finish(answer()); })) finish(to_status(Error::queue_full));
}

// --- channels

void BtfsLedger::create_channel(const std::string& peer, const ledger::SignedChannelCommit& request,
                                ledger::ChannelID& response, Finish finish) {
  auto commit = btfs::parse_channel_commit(request.channel());
  if (!commit) return finish(to_status(commit.error()));
  if (!could_be_signature(request.signature())) return finish(to_status(btfs::Error::bad_signature_encoding));
  auto command =
      codec::make_btfs_open_channel(request.channel(), signed_by(commit->payer, request.signature()));
  execute(peer, std::move(command), [&request, &response, finish](const Executed& done) {
    if (!done.entry) return finish(refusal(done.answer));
    if (done.answer.verdict == Verdict::repeated) {
      auto before = codec::decode_stored(done.entry->envelope);
      bool same = before && before->historical_messages == std::vector<std::string>{request.channel()};
      if (!same) return finish(to_status(Error::payer_id_conflict));
    }
    response.set_id(static_cast<std::int64_t>(done.entry->sequence.value));
    finish(grpc::Status::OK);
  });
}

void BtfsLedger::close_channel(const std::string& peer, const ledger::SignedChannelState& request,
                               ledger::ChannelClosed& response, Finish finish) {
  auto state = btfs::parse_channel_state(request.channel());
  if (!state) return finish(to_status(state.error()));
  for (const auto* signature : {&request.from_signature(), &request.to_signature()})
    if (!signature->empty() && !could_be_signature(*signature))
      return finish(to_status(btfs::Error::bad_signature_encoding));
  auto look_back = [this, state = *state, &request, &response, finish] {
    on_pool(finish, [this, state, &request, &response] { return ended_before(state, request, response); });
  };
  if (request.to_signature().empty()) return look_back();
  std::optional<codec::Signed> from;
  if (!request.from_signature().empty()) from = signed_by(state->from.address, request.from_signature());
  auto command = codec::make_btfs_close_channel(
      request.channel(), signed_by(state->to.address, request.to_signature()), std::move(from));
  execute(peer, std::move(command), [&request, &response, finish, look_back](const Executed& done) {
    bool may_have_ended =
        done.answer.error == Error::channel_closed || done.answer.error == Error::unknown_channel;
    if (may_have_ended) return look_back();
    if (!done.entry) return finish(refusal(done.answer));
    *response.mutable_state() = request;
    finish(grpc::Status::OK);
  });
}

// Clients send a state again until they hear that it holds.
grpc::Status BtfsLedger::ended_before(const btfs::ChannelState& state,
                                      const ledger::SignedChannelState& request,
                                      ledger::ChannelClosed& response) {
  auto found = queries_.btfs_channel({static_cast<std::uint64_t>(state.id)});
  if (!found) {
    if (found.error() != Error::unknown_channel || !is_exchange_deposit(state))
      return to_status(found.error());
    *response.mutable_state() = request;
    return grpc::Status::OK;
  }
  const auto& channel = found->channel;
  if (channel.open) return to_status(Error::unsigned_state);
  bool same = state.from.address == channel.receipt_key && state.to.address == found->recipient &&
              state.to.balance == channel.claimed && state.from.balance == channel.deposit - channel.claimed;
  if (!same) return to_status(Error::channel_closed);
  *response.mutable_state() = request;
  return grpc::Status::OK;
}

// What came in through the Exchange is credited to its owner at once. Its client closes a channel for that
// all the same, of the credit's sequence: from the gateway to the owner, who gets all of it.
bool BtfsLedger::is_exchange_deposit(const btfs::ChannelState& state) {
  if (state.id <= 0 || state.from.balance != 0) return false;
  auto entry = queries_.accepted_entry({static_cast<std::uint64_t>(state.id)});
  if (!entry || entry->kind != core::Kind::credit) return false;
  auto decoded = codec::decode_stored(entry->envelope);
  const auto* credit = decoded ? std::get_if<core::Credit>(&decoded->command.body) : nullptr;
  return credit && decoded->command.signer == state.from.address && credit->owner == state.to.address &&
         credit->amount == static_cast<core::ChainAmount>(state.to.balance);
}

void BtfsLedger::channel_info(const ledger::ChannelID& request, ledger::ChannelInfo& response,
                              Finish finish) {
  on_pool(std::move(finish), [this, &request, &response] {
    auto found = queries_.btfs_channel({static_cast<std::uint64_t>(request.id())});
    if (!found) return to_status(found.error());
    fill(response, *found);
    return grpc::Status::OK;
  });
}

void BtfsLedger::next_closed_channel(const ledger::ClosedChannelCursor& request,
                                     ledger::ChannelInfo& response, Finish finish) {
  auto payer = btfs::parse_address(request.payer().key());
  if (!payer) return finish(to_status(payer.error()));
  on_pool(std::move(finish), [this, payer = *payer, &request, &response] {
    auto found = queries_.next_closed_btfs_channel(payer, request.close_sequence());
    if (!found) return to_status(found.error());
    fill(response, *found);
    return grpc::Status::OK;
  });
}

// --- balances

void BtfsLedger::balance(const ledger::PublicKey& request, ledger::CreateAccountResult& response,
                         Finish finish) {
  auto key = btfs::parse_address(request.key());
  if (!key) return finish(to_status(key.error()));
  on_pool(std::move(finish), [this, key = *key, &response] {
    auto amount = queries_.btfs_balance(key);
    if (!amount) return to_status(amount.error());
    fill(*response.mutable_account(), key, *amount);
    return grpc::Status::OK;
  });
}

Answered<core::Key> BtfsLedger::check_signed_key(const std::string& peer,
                                                 const ledger::SignedCreateAccountRequest& request,
                                                 grpc::Status& refused) {
  auto left = clients_.bad_signatures_left(peer);
  auto refuse = [&](grpc::Status status) {
    refused = std::move(status);
    return tl::unexpected(Error::bad_signature);
  };
  if (*left <= 0) return refuse(to_status(Error::too_many_bad_signatures));
  auto key = btfs::parse_public_key(request.key());
  if (!key) return refuse(to_status(key.error()));
  auto error = btfs::verify(*key, request.signature(), request.key());
  if (error == btfs::Error::none) return *key;
  --*left;
  return refuse(to_status(error));
}

void BtfsLedger::signed_balance(const std::string& peer, const ledger::SignedCreateAccountRequest& request,
                                ledger::SignedCreateAccountResult& response, Finish finish) {
  on_pool(std::move(finish), [this, peer, &request, &response] {
    grpc::Status refused;
    auto key = check_signed_key(peer, request, refused);
    if (!key) return refused;
    auto amount = queries_.btfs_balance(*key);
    if (!amount) return to_status(amount.error());
    response.set_balance(*amount);
    return grpc::Status::OK;
  });
}

void BtfsLedger::escrow_balance(const std::string& peer, const ledger::SignedCreateAccountRequest& request,
                                escrow::SignedBalanceResult& response, Finish finish) {
  if (!escrow_key_) return finish(to_status(Error::no_escrow_key));
  on_pool(std::move(finish), [this, peer, &request, &response] {
    grpc::Status refused;
    auto key = check_signed_key(peer, request, refused);
    if (!key) return refused;
    auto amount = queries_.btfs_balance(*key);
    if (!amount) return to_status(amount.error());
    auto now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    response.set_result(
        btfs::encode(btfs::BalanceResult{*amount, escrow_key_->public_key(), now_ns.count()}));
    response.set_escrow_signature(btfs::sign(*escrow_key_, response.result()));
    return grpc::Status::OK;
  });
}

// --- payments, keys, withdrawals

void BtfsLedger::transfer(const std::string& peer, const ledger::SignedTransferRequest& request,
                          ledger::TransferResult& response, Finish finish) {
  auto transfer = btfs::parse_transfer_request(request.transfer_request());
  if (!transfer) return finish(to_status(transfer.error()));
  if (!could_be_signature(request.signature())) return finish(to_status(btfs::Error::bad_signature_encoding));
  auto command =
      codec::make_btfs_transfer(request.transfer_request(), signed_by(transfer->payer, request.signature()));
  execute(peer, std::move(command), [&response, finish](const Executed& done) {
    if (done.answer.verdict == Verdict::repeated)
      return finish(
          to_status(Error::paid_before, {{"sequence", std::to_string(done.answer.sequence.value)}}));
    if (!done.entry) return finish(refusal(done.answer));
    response.set_balance(balance_after(*done.entry, *done.answer.signer));
    finish(grpc::Status::OK);
  });
}

void BtfsLedger::rotate_key(const std::string& peer, const ledger::SignedPublicKeyPair& request,
                            Finish finish) {
  auto old_key = btfs::parse_public_key(request.old_key());
  if (!old_key) return finish(to_status(old_key.error()));
  auto new_key = btfs::parse_public_key(request.new_key());
  if (!new_key) return finish(to_status(new_key.error()));
  if (*old_key == *new_key) return finish(to_status(Error::key_in_use));
  if (!could_be_signature(request.old_signature()) || !could_be_signature(request.new_signature()))
    return finish(to_status(btfs::Error::bad_signature_encoding));
  auto command = codec::make_btfs_rotate_key(request.new_key(), request.old_key(),
                                             signed_by(*old_key, request.old_signature()),
                                             signed_by(*new_key, request.new_signature()));
  execute(peer, std::move(command),
          [finish](const Executed& done) { finish(done.entry ? grpc::Status::OK : refusal(done.answer)); });
}

void BtfsLedger::withdraw(const std::string& peer, codec::BtfsWithdrawal withdrawal,
                          std::function<void(const sequencer::Answer&)> finish) {
  auto state = btfs::parse_channel_state(withdrawal.success_state);
  if (!state) return finish({.error = Error::malformed_command});
  core::ChannelId id{static_cast<std::uint64_t>(state->id)};
  auto begin = [this, peer, withdrawal, id, amount = state->to.balance, finish]() mutable {
    auto fee = queries_.btfs_withdrawal_fee();
    if (!fee) return finish({.error = fee.error()});
    withdrawal.fee = *fee;
    if (withdrawal.fee >= amount) return finish({.error = Error::below_minimum_withdrawal});
    execute(peer, codec::make_btfs_withdraw(withdrawal), [this, id, finish](const Executed& done) {
      if (done.entry || done.answer.error != Error::unknown_channel) return finish(done.answer);
      auto look_back = [this, id, finish, answer = done.answer] {
        auto found = queries_.btfs_channel(id);
        bool under_way = found && found->channel.purpose == core::Purpose::withdrawal;
        finish(under_way ? sequencer::Answer{.verdict = Verdict::accepted} : answer);
      };
      if (!pool_.run(look_back)) finish({.error = Error::queue_full});
    });
  };
  if (!pool_.run(begin)) finish({.error = Error::queue_full});
}

}  // namespace windlass::api
