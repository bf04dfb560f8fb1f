#include "api/queries.h"

#include <charconv>
#include <future>

#include "crypto/tron_address.h"

namespace windlass::api {
namespace {

using core::Error;

tl::unexpected<Error> failure(Error error) {
  return tl::unexpected(error);
}

// Tokens are positions; "3" and "+3" and "03" are not all tokens.
std::optional<std::uint64_t> parse_token(const std::string& token) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error != std::errc() || end != token.data() + token.size() || std::to_string(value) != token)
    return std::nullopt;
  return value;
}

Answered<std::size_t> checked_page_size(std::size_t asked) {
  if (asked == 0) return default_page_size;
  if (asked > max_page_size) return failure(Error::bad_page_size);
  return asked;
}

std::optional<core::AccountNumber> account_of(const core::Posting& posting) {
  if (const auto* account = std::get_if<core::AccountPosting>(&posting)) return account->account;
  if (const auto* closing = std::get_if<core::ClosingPosting>(&posting)) return closing->payer.account;
  return std::nullopt;
}

EntryView bare_view(const codec::Entry& entry) {
  EntryView view;
  view.leaf = entry.leaf;
  view.leaf_hash = entry.leaf_hash;
  if (codec::is_public(entry.kind)) {
    view.envelope = entry.envelope;
    view.envelope_salt = codec::salt(entry.secret, 0);
    view.secret = entry.secret;
    for (std::size_t i = 0; i < entry.postings.size(); ++i) view.postings.push_back(prove_posting(entry, i));
  }
  return view;
}

// What a party may see: its own postings, the channel's, and the command but for other people's lists.
void show_to_party(EntryView& view, const codec::Entry& entry,
                   const std::function<bool(const core::Posting&)>& is_party,
                   const std::optional<core::Key>& key) {
  if (codec::is_public(entry.kind)) return;
  bool any = false;
  for (const auto& posting : entry.postings) any = any || is_party(posting);
  if (!any) return;
  for (std::size_t i = 0; i < entry.postings.size(); ++i) {
    bool is_channel = std::holds_alternative<core::ChannelPosting>(entry.postings[i]);
    if (is_channel || is_party(entry.postings[i])) view.postings.push_back(prove_posting(entry, i));
  }
  bool shows_others = entry.kind == core::Kind::transfer_list || entry.kind == core::Kind::credit;
  auto envelope = codec::Envelope::decode(entry.envelope);
  bool signed_by_key =
      key && envelope && !envelope->signers.empty() && envelope->signers[0].key == windlass::view(*key);
  if (shows_others && entry.kind == core::Kind::transfer_list && !signed_by_key) return;
  view.envelope = entry.envelope;
  view.envelope_salt = codec::salt(entry.secret, 0);
}

WithdrawalState state_of(const core::Channel& withdrawal, const std::string& payment) {
  if (!withdrawal.open) return withdrawal.claimed > 0 ? WithdrawalState::paid : WithdrawalState::refunded;
  if (payment == "signed" || payment == "broadcast") return WithdrawalState::sent;
  if (payment == "included" || payment == "landed") return WithdrawalState::included;
  return WithdrawalState::held;  // also when a payment failed or expired: it is given back or paid anew
}

WithdrawalView view_of(const core::Channel& withdrawal, const journal::PaymentRow& payment) {
  WithdrawalView view{.channel = withdrawal, .state = state_of(withdrawal, payment.state)};
  if (view.state == WithdrawalState::held) {
    view.queued_before = payment.queued_before;
  } else {
    view.transaction_id = payment.transaction_id;
    view.block = payment.block;
  }
  return view;
}

std::optional<codec::SealedSnapshot> snapshot_of(const codec::Entry& seal) {
  auto decoded = codec::decode_stored(seal.envelope);
  if (!decoded || decoded->snapshot == codec::SealedSnapshot{}) return std::nullopt;
  return decoded->snapshot;
}

}  // namespace

std::string_view name(WithdrawalState state) {
  constexpr std::string_view names[] = {"held", "sent", "included", "paid", "refunded"};
  return names[static_cast<std::size_t>(state) - 1];
}

ProvenPosting prove_posting(const codec::Entry& entry, std::size_t index) {
  auto place = static_cast<std::uint32_t>(index);
  auto count = static_cast<std::uint32_t>(entry.postings.size());
  return {codec::encode_posting(entry.postings[index]), codec::salt(entry.secret, place + 1), place, count,
          entry.posting_tree.inclusion(index)};
}

Queries::Queries(sequencer::Sequencer& sequencer, sequencer::LogKeeper& log, snapshot::Snapshots& snapshots,
                 const GatewayTerms& terms, std::optional<ExtendedPublicKey> deposit_key,
                 journal::Sessions& sessions, std::size_t max_sessions)
    : sequencer_(sequencer),
      log_(log),
      snapshots_(snapshots),
      terms_(terms),
      deposit_key_(std::move(deposit_key)),
      sessions_(sessions),
      sessions_left_(max_sessions) {}

Error Queries::look(core::Needs needs, std::vector<core::AccountNumber> accounts,
                    std::function<void(const core::State&)> see) {
  // Shared, because the sequencer may come to it after this has given up.
  struct Shared {
    std::promise<bool> done;
    std::mutex mutex;
    bool abandoned = false;
  };
  auto shared = std::make_shared<Shared>();
  auto available = shared->done.get_future();
  sequencer::Look what{std::move(needs), std::move(accounts),
                       [shared, see = std::move(see)](const core::State& state) {
                         std::lock_guard lock(shared->mutex);
                         if (!shared->abandoned) see(state);
                       },
                       [shared](bool is_available) { shared->done.set_value(is_available); }};
  constexpr sequencer::ClientId queries_client =
      0;  // all queries together have one turn among the connections
  if (auto error = sequencer_.submit({queries_client, std::move(what)}); error != Error::none) return error;
  if (available.wait_for(look_deadline) == std::future_status::ready)
    return available.get() ? Error::none : Error::unavailable;
  std::lock_guard lock(shared->mutex);
  shared->abandoned = true;
  return Error::unavailable;
}

template <typename Read>
auto Queries::with_session(Read read) -> Answered<decltype(read(std::declval<journal::ReadSession&>()))> {
  std::unique_ptr<journal::ReadSession> session;
  {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&] { return !idle_.empty() || sessions_left_ > 0; });
    if (!idle_.empty()) {
      session = std::move(idle_.back());
      idle_.pop_back();
    } else {
      --sessions_left_;
    }
  }
  auto give_back = [&](bool usable) {
    std::lock_guard lock(mutex_);
    if (usable && session)
      idle_.push_back(std::move(session));
    else
      ++sessions_left_;
    returned_.notify_one();
  };
  for (;;) {
    bool was_idle = session != nullptr;
    try {
      if (!session) session = sessions_.reader();
      auto answer = read(*session);
      give_back(true);
      return answer;
    } catch (const journal::DatabaseError&) {
      // An idle one may have broken long ago, when Postgres was restarted: a new one tells.
      session.reset();
      if (was_idle) continue;
      give_back(false);
      return failure(Error::unavailable);
    } catch (...) {
      give_back(false);
      throw;
    }
  }
}

Answered<LedgerView> Queries::ledger() {
  {
    std::lock_guard lock(mutex_);
    if (ledger_) {
      LedgerView known = *ledger_;
      known.size = sequencer_.status().committed_next.value;
      return known;
    }
  }
  auto stored = with_session([](auto& session) { return session.entry({0}); });
  if (!stored) return failure(stored.error());
  if (!*stored) return failure(Error::unavailable);
  auto envelope = codec::Envelope::decode((*stored)->envelope);
  auto genesis = envelope ? codec::read_genesis(envelope->command) : std::nullopt;
  if (!genesis) return failure(Error::damaged_entry);
  LedgerView view{*genesis, (*stored)->leaf_hash,
                  codec::SigningTag(genesis->origin, (*stored)->leaf_hash).text(),
                  sequencer_.status().committed_next.value};
  if (deposit_key_) view.deposit_key = deposit_key_->text();
  std::lock_guard lock(mutex_);
  ledger_ = view;
  return view;
}

Answered<AccountView> Queries::account(const core::Key& key) {
  std::optional<AccountView> found;
  auto error = look({{key}, {}}, {}, [&](const core::State& state) {
    const auto* entry = state.key_entry(key);
    if (entry)
      found = AccountView{state.account(entry->account), entry->rotated_at, state.globals.next.value};
  });
  if (error != Error::none) return failure(error);
  if (!found) return failure(Error::unknown_key);
  return *std::move(found);
}

Answered<core::Key> Queries::key_of_address(ByteView address) {
  auto key = with_session([&](auto& session) { return session.key_of_address(address); });
  if (!key) return failure(key.error());
  if (!*key) return failure(Error::unknown_key);
  return **key;
}

Answered<ChannelView> Queries::channel(core::ChannelId id) {
  std::optional<ChannelView> found;
  auto error = look({{}, {id}}, {}, [&](const core::State& state) {
    const auto* channel = state.channels.find(id);
    if (channel &&
        (channel->purpose == core::Purpose::channel || channel->purpose == core::Purpose::btfs_channel))
      found = ChannelView{*channel, state.account(channel->payer).key, state.account(channel->recipient).key};
  });
  if (error != Error::none) return failure(error);
  if (!found) return failure(Error::unknown_channel);
  return *std::move(found);
}

Answered<ChannelView> Queries::btfs_channel(core::ChannelId id) {
  std::optional<ChannelView> found;
  auto error = look({{}, {id}, {}}, {}, [&](const core::State& state) {
    const auto* channel = state.channels.find(id);
    bool is_one =
        channel && (channel->purpose == core::Purpose::btfs_channel ||
                    (channel->purpose == core::Purpose::withdrawal && channel->recipient != channel->payer));
    if (is_one)
      found = ChannelView{*channel, state.account(channel->payer).key, state.account(channel->recipient).key};
  });
  if (error != Error::none) return failure(error);
  if (!found) return failure(Error::unknown_channel);
  return *std::move(found);
}

Answered<ChannelView> Queries::next_closed_btfs_channel(const core::Key& key, std::int64_t after) {
  auto payer = account(key);
  if (!payer) return failure(payer.error() == Error::unknown_key ? Error::no_closed_channel : payer.error());
  auto id = with_session(
      [&](auto& session) { return session.next_closed_btfs_channel(payer->account.number, after); });
  if (!id) return failure(id.error());
  if (!*id) return failure(Error::no_closed_channel);
  return btfs_channel(**id);
}

Answered<std::vector<journal::OpenBtfsChannelRow>> Queries::open_btfs_channels(const core::Key& recipient,
                                                                               core::Sequence after,
                                                                               std::size_t asked) {
  auto page_size = checked_page_size(asked);
  if (!page_size) return failure(page_size.error());
  auto owner = account(recipient);
  if (!owner) return failure(owner.error());
  return with_session(
      [&](auto& session) { return session.open_btfs_channels(owner->account.number, after, *page_size); });
}

Answered<core::Amount> Queries::btfs_balance(const core::Key& key) {
  std::optional<core::Amount> balance;
  auto error = look({{key}, {}, {}}, {}, [&](const core::State& state) {
    const auto* asset = state.btfs_asset();
    if (!asset) return;
    const auto* entry = state.key_entry(key);
    bool is_owner = entry && entry->current();  // a key that was rotated away has nothing any more
    balance = is_owner ? state.account(entry->account).balance(asset->number).available : 0;
  });
  if (error != Error::none) return failure(error);
  if (!balance) return failure(Error::unknown_asset);
  return *balance;
}

Answered<core::Amount> Queries::btfs_withdrawal_fee() {
  core::AssetId asset = core::no_asset;
  auto error = look({}, {}, [&](const core::State& state) {
    if (const auto* found = state.btfs_asset()) asset = found->number;
  });
  if (error != Error::none) return failure(error);
  auto terms = terms_.of(asset);
  if (!terms) return failure(Error::withdrawals_not_offered);
  return terms->fee;
}

Answered<ChannelsView> Queries::channels(const core::Key& key, bool closed_too, std::size_t asked,
                                         const std::string& page_token) {
  auto page_size = checked_page_size(asked);
  if (!page_size) return failure(page_size.error());
  std::int64_t above = -1;
  if (!page_token.empty()) {
    auto token = parse_token(page_token);
    if (!token) return failure(Error::bad_page_token);
    above = static_cast<std::int64_t>(*token);
  }
  auto owner = account(key);
  if (!owner) return failure(owner.error());
  auto ids = with_session(
      [&](auto& session) { return session.channels(owner->account.number, above, closed_too, *page_size); });
  if (!ids) return failure(ids.error());
  ChannelsView page;
  auto error = look({{}, *ids}, {}, [&](const core::State& state) {
    for (auto id : *ids) {
      const auto* channel = state.channels.find(id);
      if (channel && (channel->open || closed_too))
        page.channels.push_back(
            {*channel, state.account(channel->payer).key, state.account(channel->recipient).key});
    }
  });
  if (error != Error::none) return failure(error);
  if (ids->size() == *page_size) page.next_page_token = std::to_string(ids->back().value);
  return page;
}

Answered<WithdrawalsView> Queries::withdrawals(const core::Key& key, std::size_t asked,
                                               const std::string& page_token) {
  auto page_size = checked_page_size(asked);
  if (!page_size) return failure(page_size.error());
  auto below = std::numeric_limits<std::int64_t>::max();
  if (!page_token.empty()) {
    auto token = parse_token(page_token);
    if (!token) return failure(Error::bad_page_token);
    below = static_cast<std::int64_t>(*token);
  }
  auto owner = account(key);
  if (!owner) return failure(owner.error());
  std::vector<journal::PaymentRow> payments;
  auto ids = with_session([&](auto& session) {
    auto found = session.withdrawals(owner->account.number, below, *page_size);
    payments = session.payments(found);
    return found;
  });
  if (!ids) return failure(ids.error());
  WithdrawalsView page;
  auto error = look({{}, *ids}, {}, [&](const core::State& state) {
    for (auto id : *ids) {
      auto payment = std::find_if(payments.begin(), payments.end(),
                                  [&](const auto& row) { return row.withdrawal == id; });
      const auto* channel = state.find(id, core::Purpose::withdrawal);
      if (channel && payment != payments.end()) page.withdrawals.push_back(view_of(*channel, *payment));
    }
  });
  if (error != Error::none) return failure(error);
  if (ids->size() == *page_size) page.next_page_token = std::to_string(ids->back().value);
  return page;
}

Answered<std::vector<TermsView>> Queries::withdrawal_terms() {
  auto now = totals();
  if (!now) return failure(now.error());
  std::vector<TermsView> all;
  for (const auto& [asset, terms] : terms_.all()) {
    if (asset.value == 0 || asset.value > now->globals.totals.size()) continue;
    core::Amount held = now->globals.totals[asset.value - 1].held;
    bool takes = terms.refuses == Error::none && terms.payable > held;
    all.push_back({asset, terms, takes ? terms.payable - held : 0});
  }
  return all;
}

Answered<DepositAddressView> Queries::deposit_address(const core::Key& key) {
  auto owner = account(key);
  if (!owner) return failure(owner.error());
  auto of = ledger();
  if (!of) return failure(of.error());
  auto number = owner->account.number.value;
  DepositAddressView view{.account = number, .custody_address = of->genesis.custody_address};
  // Beyond them children are the secret key's alone.
  if (!deposit_key_ || number >= first_hardened_child) return view;
  auto child = deposit_key_->child(static_cast<std::uint32_t>(number));
  if (!child) return view;
  view.address = windlass::view(tron_address(child->key()));
  view.deposit_key = of->deposit_key;
  auto saved = with_session([&](auto& session) {
    session.add_deposit_address({view.address, number, owner->account.key}, now_us());
    return true;
  });
  if (!saved) return failure(saved.error());
  return view;
}

Answered<std::vector<journal::OpenWithdrawalRow>> Queries::open_withdrawals(core::Sequence after,
                                                                            std::size_t asked) {
  auto page_size = checked_page_size(asked);
  if (!page_size) return failure(page_size.error());
  return with_session([&](auto& session) { return session.open_withdrawals(after, *page_size); });
}

Answered<std::vector<journal::UnassignedRow>> Queries::unassigned_deposits(core::Sequence after,
                                                                           std::size_t asked) {
  auto page_size = checked_page_size(asked);
  if (!page_size) return failure(page_size.error());
  return with_session([&](auto& session) { return session.unassigned_deposits(after, *page_size); });
}

Answered<std::vector<CreditView>> Queries::credits(core::Sequence below, std::size_t asked) {
  auto page_size = checked_page_size(asked);
  if (!page_size) return failure(page_size.error());
  auto end = below.value == 0 ? sequencer_.status().committed_next : below;
  auto stored = with_session([&](auto& session) { return session.credits(end, *page_size); });
  if (!stored) return failure(stored.error());
  std::vector<CreditView> credits;
  for (const auto& entry : *stored) {
    auto decoded = codec::decode_stored(entry.envelope);
    const auto* credit = decoded ? std::get_if<core::Credit>(&decoded->command.body) : nullptr;
    if (!credit) return failure(Error::damaged_entry);
    credits.push_back({entry.sequence, credit->chain, credit->at});
  }
  return credits;
}

Answered<HistoryView> Queries::history(const core::Key& key, std::size_t page_size,
                                       const std::string& page_token) {
  auto owner = account(key);
  if (!owner) return failure(owner.error());
  // A key that was rotated away shows the history up to the rotation.
  auto head = owner->rotated_at == core::no_sequence ? owner->account.last : owner->rotated_at;
  return page_of(journal::link_of(owner->account.number), head, page_size, page_token, key);
}

Answered<HistoryView> Queries::history(core::ChannelId id, std::size_t page_size,
                                       const std::string& page_token) {
  std::optional<core::Sequence> last;  // of whatever it is that was set aside
  auto error = look({{}, {id}}, {}, [&](const core::State& state) {
    if (const auto* channel = state.channels.find(id)) last = channel->last;
  });
  if (error != Error::none) return failure(error);
  if (!last) return failure(Error::unknown_channel);
  return page_of(journal::link_of(id), *last, page_size, page_token, std::nullopt);
}

Answered<HistoryView> Queries::page_of(std::int64_t link, core::Sequence head, std::size_t asked,
                                       const std::string& page_token, const std::optional<core::Key>& key) {
  auto page_size = checked_page_size(asked);
  if (!page_size) return failure(page_size.error());
  core::Sequence from = head;
  if (!page_token.empty()) {
    auto token = parse_token(page_token);
    if (!token || *token > head.value) return failure(Error::bad_page_token);
    from.value = *token;
  }
  auto page = with_session([&](auto& session) { return session.history(link, from, *page_size); });
  if (!page) return failure(page.error());
  auto is_party = [link](const core::Posting& posting) {
    if (const auto* channel = std::get_if<core::ChannelPosting>(&posting))
      return journal::link_of(channel->channel) == link;
    return journal::link_of(*account_of(posting)) == link;
  };
  HistoryView view;
  view.size = sequencer_.status().committed_next.value;
  for (const auto& stored : page->entries) {
    auto entry = codec::check_stored(stored);
    if (!entry) return failure(Error::damaged_entry);
    EntryView shown = bare_view(*entry);
    show_to_party(shown, *entry, is_party, key);
    view.entries.push_back(std::move(shown));
  }
  if (page->next != core::no_sequence) view.next_page_token = std::to_string(page->next.value);
  return view;
}

Answered<EntryView> Queries::entry(core::Sequence sequence, const std::optional<core::Key>& key) {
  if (sequence >= sequencer_.status().committed_next) return failure(Error::unknown_entry);
  auto entry = accepted_entry(sequence);
  if (!entry) return failure(entry.error());
  EntryView shown = bare_view(*entry);
  if (!key) return shown;
  auto owner = account(*key);
  if (!owner) return failure(owner.error());
  show_to_party(
      shown, *entry,
      [&](const core::Posting& posting) { return account_of(posting) == owner->account.number; }, key);
  return shown;
}

Answered<TotalsView> Queries::totals() {
  TotalsView view;
  auto error = look({}, {}, [&](const core::State& state) {
    view.globals = state.globals;
    if (const auto* asset = state.btfs_asset()) view.btfs_asset = asset->number;
    view.size = state.globals.next.value;
  });
  if (error != Error::none) return failure(error);
  return view;
}

Answered<std::vector<codec::StoredEntry>> Queries::contents(core::Sequence first, std::size_t limit) {
  auto end = sequencer_.status().committed_next;
  return with_session([&](auto& session) { return session.entries(first, end, limit); });
}

bool Queries::database_answers() {
  return with_session([](auto& session) { return session.epoch(); }).has_value();
}

Answered<bool> Queries::has_role(const core::Key& key, core::Role role) {
  auto found = account(key);
  if (!found) return failure(found.error());
  return found->rotated_at == core::no_sequence && (found->account.roles & role) != 0;
}

Answered<codec::Entry> Queries::accepted_entry(core::Sequence sequence) {
  auto stored = with_session([&](auto& session) { return session.entry(sequence); });
  if (!stored) return failure(stored.error());
  if (!*stored) return failure(Error::unknown_entry);
  auto entry = codec::check_stored(**stored);
  if (!entry) return failure(Error::damaged_entry);
  return *std::move(entry);
}

Answered<std::string> Queries::checkpoint(std::uint64_t minimum_size,
                                          std::chrono::steady_clock::time_point deadline) {
  // Entries that are committed are signed within a second: nobody waits here, in others' way, for those that
  // may never come.
  if (minimum_size > sequencer_.status().committed_next.value) return failure(Error::not_signed_yet);
  auto note = log_.wait_for_checkpoint(std::max<std::uint64_t>(minimum_size, 1), deadline);
  if (!note) return failure(Error::not_signed_yet);
  return *std::move(note);
}

Answered<InclusionView> Queries::inclusion(core::Sequence sequence, std::uint64_t size,
                                           std::chrono::steady_clock::time_point deadline) {
  auto committed = sequencer_.status().committed_next;
  if (sequence >= committed) return failure(Error::unknown_entry);
  if (size > committed.value) return failure(Error::bad_tree_size);
  auto note = checkpoint(std::max(size, sequence.value + 1), deadline);
  if (!note) return failure(note.error());
  InclusionView view;
  view.checkpoint = *note;
  view.size = size ? size : log::Checkpoint::of_own_note(*note).value().size;
  if (sequence.value >= view.size) return failure(Error::bad_tree_size);
  view.leaf = log_.tiles().leaf(sequence.value);
  view.leaf_hash = log_.tiles().node(0, sequence.value);
  view.path = log::inclusion_proof(log_.tiles(), sequence.value, view.size);
  return view;
}

Answered<ConsistencyView> Queries::consistency(std::uint64_t old_size, std::uint64_t size) {
  ConsistencyView view;
  view.checkpoint = log_.checkpoint();
  auto newest = log::Checkpoint::of_own_note(view.checkpoint);
  if (!newest) return failure(Error::not_signed_yet);
  view.size = size ? size : newest->size;
  if (old_size > view.size || view.size > newest->size) return failure(Error::bad_tree_size);
  if (old_size > 0) view.path = log::consistency_proof(log_.tiles(), old_size, view.size);
  return view;
}

Answered<AnchorsView> Queries::anchors(const std::optional<core::Sequence>& covering, bool solidified_only,
                                       std::size_t asked, const std::string& page_token) {
  auto page_size = checked_page_size(asked);
  if (!page_size) return failure(page_size.error());
  std::int64_t position = 0;
  if (!page_token.empty()) {
    auto token = parse_token(page_token);
    if (!token) return failure(Error::bad_page_token);
    position = static_cast<std::int64_t>(*token);
  }
  auto rows = with_session([&](auto& session) {
    return covering ? session.anchors_covering(*covering, position, solidified_only, *page_size)
                    : session.anchors(position, solidified_only, *page_size);
  });
  if (!rows) return failure(rows.error());
  AnchorsView view{*std::move(rows), {}};
  if (view.anchors.size() == *page_size) view.next_page_token = std::to_string(view.anchors.back().id);
  return view;
}

Answered<std::optional<codec::Entry>> Queries::newest_seal(bool anchored) {
  auto stored = with_session([&](auto& session) {
    core::Sequence end = sequencer_.status().committed_next;
    if (anchored)
      if (auto anchors = session.anchors(0, true, 1); !anchors.empty()) end.value = anchors.front().size;
    return session.newest_seal(end);
  });
  if (!stored) return failure(stored.error());
  if (!*stored) return std::optional<codec::Entry>();
  auto entry = codec::check_stored(**stored);
  if (!entry) return failure(Error::damaged_entry);
  return std::optional(*std::move(entry));
}

// The first one after it that does; a seal may name an older snapshot where a newer one was not finished yet.
Answered<std::optional<codec::Entry>> Queries::seal_naming(core::Sequence snapshot) {
  constexpr std::size_t seals_to_look_at = 16;
  auto end = sequencer_.status().committed_next;
  auto stored =
      with_session([&](auto& session) { return session.seals({snapshot.value + 1}, end, seals_to_look_at); });
  if (!stored) return failure(stored.error());
  for (const auto& one : *stored) {
    auto entry = codec::check_stored(one);
    if (!entry) return failure(Error::damaged_entry);
    if (auto named = snapshot_of(*entry); named && named->sequence == snapshot)
      return std::optional(*std::move(entry));
  }
  return std::optional<codec::Entry>();
}

Answered<HistoryView> Queries::seals(std::size_t asked, const std::string& page_token) {
  auto page_size = checked_page_size(asked);
  if (!page_size) return failure(page_size.error());
  core::Sequence first{};
  if (!page_token.empty()) {
    auto token = parse_token(page_token);
    if (!token) return failure(Error::bad_page_token);
    first.value = *token;
  }
  HistoryView view;
  auto end = sequencer_.status().committed_next;
  view.size = end.value;
  auto stored = with_session([&](auto& session) { return session.seals(first, end, *page_size); });
  if (!stored) return failure(stored.error());
  for (const auto& one : *stored) {
    auto entry = codec::check_stored(one);
    if (!entry) return failure(Error::damaged_entry);
    view.entries.push_back(bare_view(*entry));
  }
  if (stored->size() == *page_size) view.next_page_token = std::to_string(stored->back().sequence.value + 1);
  return view;
}

Answered<StatementView> Queries::statement(const core::Key& key,
                                           const std::optional<core::Sequence>& snapshot) {
  if (!snapshots_.started()) return failure(Error::unavailable);  // not the same as having none
  auto owner = account(key);
  if (!owner) return failure(owner.error());
  StatementView view{owner->account.number, {}, {}};
  core::Sequence sequence{};
  auto seal = snapshot ? seal_naming(*snapshot) : newest_seal();
  if (!seal) return failure(seal.error());
  if (*seal) view.seal = bare_view(**seal);
  if (snapshot) {
    sequence = *snapshot;
  } else {
    auto named = *seal ? snapshot_of(**seal) : std::nullopt;
    if (!named) return failure(Error::unknown_snapshot);
    sequence = named->sequence;
  }
  auto proof = snapshots_.prove(sequence, view.account);
  if (!proof) return failure(Error::unknown_snapshot);
  view.proof = *std::move(proof);
  return view;
}

Answered<LiabilityView> Queries::liability(const core::Key& key, core::AssetId asset) {
  if (!snapshots_.started()) return failure(Error::unavailable);
  auto owner = account(key);
  if (!owner) return failure(owner.error());
  auto all = totals();
  if (!all) return failure(all.error());
  if (asset == core::no_asset || asset.value > all->globals.assets.size())
    return failure(Error::unknown_asset);
  for (bool anchored : {true, false}) {
    auto seal = newest_seal(anchored);
    if (!seal) return failure(seal.error());
    auto decoded = *seal ? codec::decode_stored((*seal)->envelope) : tl::unexpected(std::string());
    if (!decoded || decoded->liabilities == codec::SealedSnapshot{}) continue;
    auto proof = snapshots_.prove_liability(decoded->liabilities.sequence, owner->account.number, asset);
    if (proof && codec::liabilities_root(proof->assets) == decoded->liabilities.root)
      return LiabilityView{owner->account.number, *std::move(proof), bare_view(**seal)};
  }
  return failure(Error::unknown_snapshot);
}

Error Queries::add_audit(const std::string& vkey, const std::string& note) {
  auto key = log::VerifierKey::parse(vkey);
  auto text = key ? log::open_note(note, *key) : tl::unexpected(std::string());
  auto audit = text ? log::AuditStatement::parse(*text) : std::nullopt;
  if (!audit || audit->origin != log_.signer().verifier().name) return Error::bad_audit;
  if (audit->size > log_.signed_size() || log::root_at(log_.tiles(), audit->size) != audit->root)
    return Error::bad_audit;
  core::Sequence snapshot{audit->snapshot_sequence};
  auto kept = snapshots_.kept();
  bool known = std::any_of(kept.begin(), kept.end(), [&](const snapshot::Snapshot& one) {
    return one.sequence == snapshot && one.root == audit->snapshot_root;
  });
  bool none = snapshot.value == 0 && audit->snapshot_root == Hash{};
  if (!known && !none) return Error::bad_audit;
  auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  auto added = with_session([&](auto& session) {
    session.add_audit({key->text(), audit->size, snapshot, note}, now.count(), snapshot::max_audits);
    return true;
  });
  return added ? Error::none : added.error();
}

Answered<std::vector<journal::AuditRow>> Queries::audits() {
  return with_session([](auto& session) { return session.audits(snapshot::max_audits); });
}

void Queries::prepare_seal() {
  snapshots_.refresh(sequencer_.status().committed_next,
                     std::chrono::steady_clock::now() + seal_waits_for_snapshot);
}

}  // namespace windlass::api
