#include "tests/unit/anchoring_world.h"

#include "anchoring/tron/block.h"
#include "anchoring/tron/trc20.h"
#include "ledger/codec/btfs.h"
#include "tron/api.pb.h"

namespace windlass::test {
namespace {

constexpr const char* origin = "example.org/ledger";
constexpr const char* btt_token = "1002000";

devchain::Options chain_options(const WorldOptions& world) {
  devchain::Options options;
  options.block_interval_ms = block_ms;
  options.solid_after = world.solid_after;
  options.more_witnesses = world.more_witnesses;
  return options;
}

devchain::Token token_of(const tron::Address& holder) {
  return {"BitTorrent", "BTT20", 18, {{holder, plenty * btt20_unit}}, {}, 0, false};
}

std::vector<devchain::GenesisAccount> genesis(const WorldOptions& world, const tron::Address& anchor,
                                              const tron::Address& payer, const tron::Address& custody) {
  devchain::Token token = token_of(payer);
  token.fee_percent = world.token_fee_percent;
  token.hides_fee = world.token_hides_fee;
  return {{anchor, world.anchor_balance_sun, {}},
          {payer, plenty, {{btt_token, plenty}, {"1009999", plenty}}},
          {custody, 1'000'000, {}},
          {btt20_token, 0, {}, token},
          {lookalike_token, 0, {}, token_of(payer)}};
}

// What a world does at one block ends; a process that never rests would flood its node.
constexpr int max_steps_of_a_block = 1'000;

codec::Signed signed_by(const SecretKey& key, ByteView message) {
  return {std::string(view(key.public_key())), codec::btfs::sign(key, message)};
}

tron::ChainError unreachable() {
  return {tron::ChainError::Kind::deadline, "the node does not answer"};
}

}  // namespace

// --- the ledger

TestLedger::TestLedger(const Clock& clock, CrashPoints& crashes, Entropy entropy)
    : signer(origin, Ed25519SecretKey::from_seed(entropy())),
      operator_key(key_from(entropy)),
      anchor_key(key_from(entropy)),
      gateway_key(key_from(entropy)),
      clock_(clock),
      crashes_(crashes),
      entropy_(std::move(entropy)),
      log_key_(signer.verifier()),
      payee_(key_from(entropy_)) {
  codec::GenesisParameters parameters{.id = entropy_(), .origin = origin, .log_vkey = log_key_.text()};
  parameters.genesis = {
      operator_key.public_key(),
      {{anchor_key.public_key(), core::role_anchor}, {gateway_key.public_key(), core::role_gateway}},
      {{core::AssetId{btt}, "BTT", anchoring::tron_chain, btt_token, 6, 1, 0, 0},
       {core::AssetId{trx}, "TRX", anchoring::tron_chain, "", 6, 1, 0, 0},
       {core::AssetId{btt20}, "BTT20", anchoring::tron_chain, tron::to_base58(btt20_token), 3,
        static_cast<std::uint64_t>(btt20_unit), 0, 0}}};
  auto genesis = codec::make_genesis(parameters);
  append(genesis, core::apply(state_, genesis.command, clock_.now_ms() * 1000));
  tag_.emplace(origin, leaves_[0]);
}

Sequence TestLedger::append(const codec::Decoded& decoded, core::Outcome outcome) {
  std::string envelope = decoded.envelope.encode();
  auto entry = codec::seal_entry(state_, decoded.command, std::move(outcome), envelope,
                                 clock_.now_ms() * 1000, entropy_());
  leaves_.push_back(entry.leaf_hash);
  entries_.push_back({entry.kind, entry.time_us, envelope});
  return entry.sequence;
}

LedgerResult<Sequence> TestLedger::refuse(core::Error error) const {
  const auto& info = core::info(error);
  return tl::unexpected(
      anchoring::LedgerError{info.transient, std::string(info.reason), std::string(info.message)});
}

LedgerResult<Sequence> TestLedger::execute(const codec::Envelope& envelope) {
  crashes_.pass();
  if (!reachable) return tl::unexpected(anchoring::LedgerError{true, "", "Execute: unreachable"});
  if (refuses_commands) return refuse(core::Error::queue_full);
  auto decoded = codec::decode_submitted(envelope);
  if (!decoded) return refuse(decoded.error());
  if (auto error = codec::verify_signatures(*decoded, *tag_); error != core::Error::none)
    return refuse(error);
  auto answer = apply(*decoded);
  crashes_.pass();
  if (loses_answers) return tl::unexpected(anchoring::LedgerError{true, "", "Execute: deadline"});
  return answer;
}

LedgerResult<Sequence> TestLedger::apply(const codec::Decoded& decoded) {
  if (decoded.requests_seal) {
    const auto* entry = state_.key_entry(decoded.command.signer);
    if (!entry || (state_.account(entry->account).roles & core::role_anchor) == 0)
      return refuse(core::Error::missing_role);
    while (entries_before_seal > 0) {
      --entries_before_seal;
      add_entry();
    }
    auto seal = codec::make_seal(state_.globals, decoded.seal_block_id, {});
    return append(seal, core::apply(state_, seal.command, clock_.now_ms() * 1000));
  }
  auto outcome = core::apply(state_, decoded.command, clock_.now_ms() * 1000);
  switch (outcome.verdict) {
    case core::Outcome::Verdict::accepted:
      return append(decoded, std::move(outcome));
    case core::Outcome::Verdict::repeated:
      if (entries_[outcome.sequence.value].envelope != decoded.envelope.encode())
        return refuse(core::Error::nonce_conflict);
      return outcome.sequence;
    case core::Outcome::Verdict::covered:
    case core::Outcome::Verdict::refused:
      break;
  }
  return refuse(outcome.error);
}

LedgerResult<Sequence> TestLedger::submit(const SecretKey& by, core::Body body) {
  return submit({&by}, std::move(body));
}

LedgerResult<Sequence> TestLedger::rotate(const SecretKey& from, const SecretKey& to) {
  return submit({&from, &to}, core::RotateKey{to.public_key()});
}

LedgerResult<Sequence> TestLedger::submit(std::initializer_list<const SecretKey*> signers, core::Body body) {
  core::Command command{.signer = (*signers.begin())->public_key(),
                        .nonce = ++nonce_,
                        .expires_us = clock_.now_ms() * 1000 + core::hour_us,
                        .body = std::move(body)};
  auto envelope = codec::sign(codec::encode_command(command), *tag_, signers);
  auto decoded = codec::decode_submitted(envelope);
  if (!decoded) return refuse(decoded.error());
  return apply(*decoded);
}

LedgerResult<std::vector<anchoring::OpenWithdrawal>> TestLedger::open_withdrawals(const SecretKey&,
                                                                                  core::ChannelId after) {
  if (!reachable) return tl::unexpected(anchoring::LedgerError{true, "", "ListOpenWithdrawals: unreachable"});
  std::vector<anchoring::OpenWithdrawal> queue;
  if (old_queue) {
    for (const auto& open : *old_queue)
      if (open.id > after) queue.push_back(open);
    return queue;
  }
  state_.channels.for_each([&](core::ChannelId id, const core::Channel& channel) {
    if (channel.purpose != core::Purpose::withdrawal || !channel.open || id <= after) return;
    queue.push_back({id, channel.asset, channel.deposit - channel.fee, channel.fee,
                     *tron::address_from_bytes(channel.content), channel.claim != core::no_sequence});
  });
  std::sort(queue.begin(), queue.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return queue;
}

LedgerResult<std::optional<Sequence>> TestLedger::credit_at(const SecretKey&, std::uint32_t chain,
                                                            core::ChainCursor at) {
  if (!reachable) return tl::unexpected(anchoring::LedgerError{true, "", "ListCredits: unreachable"});
  return find_credit(chain, at);
}

std::optional<Sequence> TestLedger::find_credit(std::uint32_t chain, core::ChainCursor at) const {
  for (std::uint64_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].kind != core::Kind::credit) continue;
    auto decoded = codec::decode_stored(entries_[i].envelope);
    const auto& credit = std::get<core::Credit>(decoded->command.body);
    if (credit.chain == chain && credit.at == at) return Sequence{i};
  }
  return std::nullopt;
}

LedgerResult<std::map<core::AssetId, core::Amount>> TestLedger::available(const PublicKey& key) {
  if (!reachable) return tl::unexpected(anchoring::LedgerError{true, "", "GetAccount: unreachable"});
  std::map<core::AssetId, core::Amount> amounts;
  if (const auto* entry = state_.key_entry(key))
    for (const auto& balance : state_.account(entry->account).balances)
      amounts[balance.asset] = balance.available;
  return amounts;
}

LedgerResult<Sequence> TestLedger::submit(const codec::Made& command) {
  if (!command) return refuse(command.error());
  if (auto error = codec::verify_signatures(*command, *tag_); error != core::Error::none)
    return refuse(error);
  return apply(*command);
}

LedgerResult<core::ChannelId> TestLedger::open_btfs_channel(const SecretKey& payer, core::Amount amount) {
  return open_btfs_channel(payer, gateway_key.public_key(), amount);
}

LedgerResult<core::ChannelId> TestLedger::open_btfs_channel(const SecretKey& payer,
                                                            const PublicKey& recipient, core::Amount amount) {
  ledger::ChannelCommit commit;
  commit.mutable_payer()->set_key(codec::btfs::address_of(payer.public_key()));
  commit.mutable_recipient()->set_key(codec::btfs::address_of(recipient));
  commit.set_amount(amount);
  commit.set_payer_id(static_cast<std::int64_t>(++nonce_));
  auto message = commit.SerializeAsString();
  return submit(codec::make_btfs_open_channel(message, signed_by(payer, message))).map([](Sequence opened) {
    return core::ChannelId{opened.value};
  });
}

LedgerResult<Sequence> TestLedger::withdraw(const protocol::WithdrawRequest& request,
                                            const v1::AcceptWithdrawalResponse& accepted, core::Amount fee) {
  const auto &success = request.success_channel_state(), &failure = request.failure_channel_state();
  auto state = codec::btfs::parse_channel_state(success.channel());
  std::string user(view(state->from.address)), gateway(view(state->to.address));
  return submit(codec::make_btfs_withdraw({success.channel(),
                                           failure.channel(),
                                           {user, success.from_signature()},
                                           {user, failure.from_signature()},
                                           {gateway, accepted.success_to_signature()},
                                           {gateway, accepted.failure_to_signature()},
                                           fee}));
}

anchoring::BtfsChannel TestLedger::as_btfs_channel(const core::Channel& channel) const {
  auto key = [&](core::AccountNumber account) { return state_.account(account).key; };
  return {channel.id,      key(channel.payer), key(channel.recipient),
          channel.deposit, channel.open,       channel.open ? 0 : channel.deposit - channel.claimed};
}

LedgerResult<std::optional<anchoring::BtfsChannel>> TestLedger::btfs_channel(core::ChannelId id) {
  if (!reachable) return tl::unexpected(anchoring::LedgerError{true, "", "GetChannelInfo: unreachable"});
  const auto* channel = state_.channels.find(id);
  bool is_one =
      channel && (channel->purpose == core::Purpose::btfs_channel ||
                  (channel->purpose == core::Purpose::withdrawal && channel->recipient != channel->payer));
  if (!is_one) return std::nullopt;
  return as_btfs_channel(*channel);
}

LedgerResult<std::vector<anchoring::BtfsChannel>> TestLedger::idle_exchange_channels(
    const SecretKey& gateway, core::TimeUs opened_before_us) {
  if (!reachable)
    return tl::unexpected(anchoring::LedgerError{true, "", "ListExchangeChannels: unreachable"});
  std::vector<anchoring::BtfsChannel> idle;
  state_.channels.for_each([&](core::ChannelId id, const core::Channel& channel) {
    if (channel.purpose == core::Purpose::btfs_channel && channel.open &&
        state_.account(channel.recipient).key == gateway.public_key() &&
        entries_[id.value].time_us < opened_before_us)
      idle.push_back(as_btfs_channel(channel));
  });
  std::sort(idle.begin(), idle.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return idle;
}

LedgerResult<void> TestLedger::close_btfs_channel(const std::string& state, const std::string& to_signature) {
  crashes_.pass();
  if (!reachable) return tl::unexpected(anchoring::LedgerError{true, "", "CloseChannel: unreachable"});
  if (refuses_commands) return refuse(core::Error::queue_full).map([](Sequence) {});
  auto to = codec::btfs::parse_channel_state(state)->to.address;
  auto closed =
      submit(codec::make_btfs_close_channel(state, {std::string(view(to)), to_signature}, std::nullopt));
  crashes_.pass();
  if (loses_answers) return tl::unexpected(anchoring::LedgerError{true, "", "CloseChannel: deadline"});
  return closed.map([](Sequence) {});
}

LedgerResult<anchoring::AccountInfo> TestLedger::account(const PublicKey& key) {
  if (!reachable) return tl::unexpected(anchoring::LedgerError{true, "", "GetAccount: unreachable"});
  const auto* entry = state_.key_entry(key);
  if (!entry) return tl::unexpected(anchoring::LedgerError{false, "UNKNOWN_KEY", "GetAccount: unknown"});
  const auto& account = state_.account(entry->account);
  return anchoring::AccountInfo{account.number.value, account.key};
}

LedgerResult<anchoring::LedgerInfo> TestLedger::info() {
  if (!reachable) return tl::unexpected(anchoring::LedgerError{true, "", "GetLedger: unreachable"});
  return anchoring::LedgerInfo{*tag_, origin, log_key_, {}, size(), anchor_contract};
}

LedgerResult<anchoring::EntryInfo> TestLedger::entry(Sequence sequence) {
  const auto& stored = entries_.at(sequence.value);
  return anchoring::EntryInfo{stored.kind, stored.time_us};
}

LedgerResult<std::string> TestLedger::checkpoint(std::uint64_t minimum_size) {
  crashes_.pass();
  if (size() < minimum_size)
    return tl::unexpected(anchoring::LedgerError{true, "", "GetCheckpoint: deadline"});
  return signer.sign(log::Checkpoint{origin, size(), root(size())}.text());
}

LedgerResult<log::Proof> TestLedger::consistency_proof(std::uint64_t old_size, std::uint64_t size) {
  return log::consistency_proof(log::Tree(leaves_), old_size, size);
}

void TestLedger::add_entry() {
  core::Command command{.signer = operator_key.public_key(),
                        .nonce = ++nonce_,
                        .expires_us = clock_.now_ms() * 1000 + core::hour_us,
                        .body = core::SetRoles{payee_.public_key(), core::role_auditor}};
  auto decoded = codec::decode_submitted(codec::sign(codec::encode_command(command), *tag_, {&operator_key}));
  ASSERT_TRUE(decoded);
  ASSERT_TRUE(apply(*decoded));
}

std::uint64_t TestLedger::size_of_news() const {
  auto news = std::find_if(entries_.rbegin(), entries_.rend(),
                           [](const auto& entry) { return entry.kind != core::Kind::seal; });
  return static_cast<std::uint64_t>(entries_.rend() - news);
}

std::size_t TestLedger::count(core::Kind kind) const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.kind == kind; }));
}

core::Amount TestLedger::available(const PublicKey& key, std::uint32_t asset) const {
  const auto* entry = state_.key_entry(key);
  return entry ? state_.account(entry->account).balance(core::AssetId{asset}).available : 0;
}

// --- the network

tron::BlockRef TestChain::ref(std::int64_t newest) {
  auto ref = chain_.block(std::max<std::int64_t>(0, newest - lag))->ref;
  if (forges(ref.number)) ref.id = forged_header(ref.number).second;
  return ref;
}

tron::ChainResult<tron::BlockRef> TestChain::head() {
  return reach([&]() -> tron::ChainResult<tron::BlockRef> { return ref(chain_.head().ref.number); });
}

tron::ChainResult<tron::BlockRef> TestChain::solidified_head() {
  return reach([&]() -> tron::ChainResult<tron::BlockRef> {
    auto solid = ref(chain_.solidified());
    solid.timestamp_ms += solid_ahead_ms;
    return solid;
  });
}

// Each linked to the one before, from the first.
std::pair<std::string, tron::BlockId> TestChain::forged_header(std::int64_t number) const {
  std::int64_t from = std::max<std::int64_t>(1, *forged_from);
  std::pair<std::string, tron::BlockId> made{"", chain_.block(from - 1)->ref.id};
  for (std::int64_t at = from; at <= number; ++at) {
    protocol::Block block;
    block.ParseFromString(chain_.block(at)->bytes);
    auto& raw = *block.mutable_block_header()->mutable_raw_data();
    raw.set_parenthash(std::string(view(made.second)));
    raw.set_accountstateroot("forged");
    if (forger) raw.set_witness_address(std::string(view(forger->bytes)));
    made.first = raw.SerializeAsString();
    made.second = tron::block_id(at, made.first);
  }
  return made;
}

void TestChain::forge(tron::Block& block) const {
  if (!forges(block.ref.number)) return;
  if (forges(block.ref.number - 1)) block.parent = forged_header(block.ref.number - 1).second;
  std::tie(block.header, block.ref.id) = forged_header(block.ref.number);
  block.transactions.clear();
  if (block.ref.number % 3 == 0 && forged_deposit) {
    block.transactions.push_back(*forged_deposit);
    block.transactions.back().txid = sha256(view(block.ref.id));
  }
}

// As the node client reads it.
tron::ChainResult<std::optional<tron::Block>> TestChain::stuffed(std::int64_t number) const {
  protocol::Block block;
  block.ParseFromString(chain_.block(number)->bytes);
  block.add_transactions()->ParseFromString(*stuffing);
  auto read = tron::parse_block(block.SerializeAsString());
  if (!read) return tl::unexpected(tron::ChainError{tron::ChainError::Kind::forged, read.error()});
  return *std::move(read);
}

tron::ChainResult<std::optional<tron::Block>> TestChain::read(std::int64_t number, std::int64_t newest) {
  if (empty || number > newest - lag) return std::nullopt;
  if (stuffing && number % 3 == 0 && chain_.block(number)) return stuffed(number);
  auto block = *client_.block(number);
  flap_ = flaps && !flap_;
  if (block && !flap_) forge(*block);
  return block;
}

tron::ChainResult<std::optional<tron::Block>> TestChain::solidified_block(std::int64_t number) {
  return reach([&]() -> tron::ChainResult<std::optional<tron::Block>> {
    auto block = read(number, chain_.solidified());
    if (block && *block && change_block) change_block(**block);
    return block;
  });
}

tron::ChainResult<std::optional<tron::Block>> TestChain::block(std::int64_t number) {
  return reach([&]() -> tron::ChainResult<std::optional<tron::Block>> {
    return read(number, chain_.head().ref.number);
  });
}

tron::ChainResult<std::optional<std::int64_t>> TestChain::inclusion(const Hash& txid, bool solid) {
  return reach([&]() -> tron::ChainResult<std::optional<std::int64_t>> {
    if (invents_inclusions && !solid) return ref(chain_.head().ref.number).number;
    if (hides_transactions || empty) return std::nullopt;
    auto number = *client_.inclusion(txid, solid);
    if (!number || forges(*number)) return std::nullopt;
    if (*number > (solid ? chain_.solidified() : chain_.head().ref.number) - lag) return std::nullopt;
    return number;
  });
}

tron::ChainResult<std::optional<tron::Execution>> TestChain::execution(const Hash& txid, bool solid) {
  auto place = inclusion(txid, solid);
  if (!place) return tl::unexpected(place.error());
  if (!*place) return std::nullopt;
  return client_.execution(txid, solid);
}

tron::ChainResult<std::vector<tron::Execution>> TestChain::executions(std::int64_t number) {
  return reach([&]() -> tron::ChainResult<std::vector<tron::Execution>> {
    if (empty || hides_infos || forges(number) || number > chain_.solidified() - lag)
      return std::vector<tron::Execution>();
    auto executions = client_.executions(number);
    for (auto& execution : *executions) {
      if (hides_logs) execution.logs.clear();
      if (change_execution) change_execution(execution);
    }
    if (change_executions) change_executions(*executions);
    return executions;
  });
}

tron::ChainResult<tron::BroadcastAnswer> TestChain::broadcast(ByteView transaction) {
  crashes_.pass();
  return reach([&]() -> tron::ChainResult<tron::BroadcastAnswer> {
    sent.emplace_back(transaction);
    if (on_send) on_send(transaction);
    auto answer = pass_on(transaction);
    crashes_.pass();
    if (loses_answers) return tl::unexpected(unreachable());
    return answer;
  });
}

tron::BroadcastAnswer TestChain::pass_on(ByteView transaction) {
  if (remembers_refusals && refused.contains(sha256(transaction)))
    return {false, protocol::Return::DUP_TRANSACTION_ERROR, "Transaction already exists."};
  if (swallow) {
    refused.insert(sha256(transaction));
    return *swallow;
  }
  if (!malleates) return *chain_.broadcast(transaction);
  protocol::Transaction changed;
  changed.ParseFromArray(transaction.data(), static_cast<int>(transaction.size()));
  changed.mutable_signature(0)->push_back(1);  // the node ignores what follows 65 bytes
  return *chain_.broadcast(changed.SerializeAsString());
}

// --- all of it

World::World(StoreMaker make_store, WorldOptions world_options)
    : options(std::move(world_options)),
      chain(clock, chain_options(options),
            genesis(options, tron::address_of(ledger.anchor_key.public_key()),
                    tron::address_of(payer.public_key()), custody),
            key_from(options.entropy)),
      make_store_(std::move(make_store)) {
  payer_options = {
      .custody = custody, .offers = {{.symbol = "BTT"}, {.symbol = "TRX"}}, .max_fee_sun = 5'000'000};
  exchange_options = {.custody = custody};
  sweeper_options = {.custody = custody,
                     .minimums = {{"BTT", 1}, {"TRX", 1'000'000}, {"BTT20", 1}},
                     .max_fee_sun = 50'000'000};
  worker_options = {.to = custody, .interval_ms = 10 * 60 * 1000, .every_entries = 0};
  if (!make_store_) make_store_ = [this] { return std::make_unique<anchoring::MemoryStore>(tables); };
  tables.on_write = [this](std::string_view, bool) { crashes.pass(); };
  // The chain is not new: its first block has no time of its own, and nothing would be solid yet.
  for (std::int64_t i = 0; i < options.solid_after + 10; ++i) {
    clock.advance(block_ms);
    chain.produce_block();
  }
  start();
}

void World::start() {
  exchange.reset();
  worker.reset();
  scanner.reset();
  gateway.reset();
  sweeper.reset();
  connection.reset();
  store.reset();
  store = make_store_();
  ASSERT_TRUE(store->acquire());
  if (connect) connection = connect();
  tron::Chain& process_chain = connection ? *connection : network;
  worker = std::make_unique<anchoring::Worker>(worker_options, ledger.anchor_key, clock, process_chain,
                                               ledger, *store);
  scanner = std::make_unique<anchoring::Scanner>(scanner_options(), ledger.gateway_key, clock, process_chain,
                                                 ledger, *store);
  gateway = std::make_unique<anchoring::Payer>(payer_options, custody_key, ledger.gateway_key, clock,
                                               process_chain, ledger, *store);
  sweeper = std::make_unique<anchoring::Sweeper>(sweeper_options, deposit_key, custody_key,
                                                 ledger.gateway_key, clock, process_chain, ledger, *store);
  if (exchanges) {
    auto terms = [&payer = *gateway](core::AssetId asset) { return payer.published(asset); };
    exchange = std::make_unique<anchoring::Exchange>(exchange_options, ledger.gateway_key, clock,
                                                     process_chain, ledger, *store, terms);
  }
  scanner->also(meet_all(exchange.get(), *gateway, *sweeper));
}

anchoring::Scanner::Meet World::meet_all(anchoring::Exchange* exchange, anchoring::Payer& payer,
                                         anchoring::Sweeper& sweeper) {
  return [exchange, &payer, &sweeper](const tron::Block& block) {
    if (exchange) exchange->meet(block);
    return payer.meet(block).and_then([&] { return sweeper.meet(block); });
  };
}

void World::run_worker() {
  int steps = 0;
  std::string last_step;
  for (bool more = true; more;) {
    ASSERT_LT(++steps, max_steps_of_a_block) << last_step;
    auto step = worker->step();
    if (!step) problems.push_back(step.error());
    if (step && !step->outcome.empty()) outcomes.push_back(step->outcome);
    last_step = step ? step->what : step.error();
    more = step && step->advanced;
  }
}

void World::run_scanner() {
  int steps = 0;
  for (bool more = true; more;) {
    ASSERT_LT(++steps, max_steps_of_a_block);
    auto step = scanner->step();
    if (!step) problems.push_back(step.error());
    if (step) deposits.insert(deposits.end(), step->deposits.begin(), step->deposits.end());
    more = step && step->advanced;
  }
}

void World::run_payer() {
  int steps = 0;
  for (bool more = true; more;) {
    ASSERT_LT(++steps, max_steps_of_a_block);
    auto step = gateway->step();
    if (!step) problems.push_back(step.error());
    if (step) payment_outcomes.insert(payment_outcomes.end(), step->outcomes.begin(), step->outcomes.end());
    more = step && step->advanced;
  }
}

void World::run_exchange() {
  if (auto published = gateway->publish(); !published) problems.push_back(published.error());
  if (auto done = exchange->step(); !done) problems.push_back(done.error());
}

void World::run_sweeper() {
  int steps = 0;
  for (bool more = true; more;) {
    ASSERT_LT(++steps, max_steps_of_a_block);
    auto step = sweeper->step();
    if (!step) problems.push_back(step.error());
    if (step) sweep_outcomes.insert(sweep_outcomes.end(), step->outcomes.begin(), step->outcomes.end());
    more = step && step->advanced;
  }
}

void World::tick(std::int64_t after_ms) {
  clock.advance(after_ms);
  chain.produce_block();
  try {
    run_worker();
    if (scans) run_scanner();
    if (pays) run_payer();
    if (exchange) run_exchange();
    if (sweeps) run_sweeper();
  } catch (const Crash&) {
    start();
  }
}

void World::tick_blocks(std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) tick();
}

std::size_t World::solidified_anchors() const {
  return static_cast<std::size_t>(std::count_if(
      tables.anchors.begin(), tables.anchors.end(),
      [](const auto& entry) { return entry.second.state == anchoring::AnchorState::solidified; }));
}

std::vector<std::string> World::landed_memos() const {
  std::vector<std::string> memos;
  devchain::DevChainClient client(const_cast<devchain::DevChain&>(chain));
  for (std::int64_t number = 1; number <= chain.head().ref.number; ++number) {
    auto block = client.block(number);
    for (const auto& transaction : (*block)->transactions) {
      const auto* transfer = std::get_if<tron::TransferContract>(&transaction.contract);
      if (transfer && transfer->owner == worker->address() && transaction.succeeded &&
          !transaction.memo.empty())
        memos.push_back(transaction.memo);
    }
  }
  return memos;
}

void World::deploy_contract() {
  const auto& head = chain.head().ref;
  tron::TransactionFrame frame{head, clock.now_ms(), head.timestamp_ms + 300'000, {}, 100'000'000};
  auto anchor_address = tron::address_of(ledger.anchor_key.public_key());
  auto deployment =
      tron::sign_creation({anchor_address, tron::anchor_contract::creation_code(), "WindlassAnchor", {}},
                          frame, ledger.anchor_key);
  ASSERT_TRUE(chain.broadcast(deployment.bytes)->result);
  for (std::int64_t i = 0; i <= options.solid_after; ++i) {
    clock.advance(block_ms);
    chain.produce_block();
  }
  worker_options.contract = tron::created_address(deployment.txid, anchor_address);
  worker_options.to = {};
  ledger.anchor_contract = worker_options.contract;
  start();
}

Hash World::call(const SecretKey& from, std::string data) {
  return call(from, *ledger.anchor_contract, std::move(data));
}

Hash World::call(const SecretKey& from, const tron::Address& contract, std::string data, std::string memo) {
  const auto& head = chain.head().ref;
  tron::TransactionFrame frame{head, clock.now_ms() + ++payments_, head.timestamp_ms + 300'000,
                               std::move(memo), 100'000'000};
  auto made = tron::sign_call({tron::address_of(from.public_key()), contract, std::move(data)}, frame, from);
  auto answer = chain.broadcast(made.bytes);
  EXPECT_TRUE(answer && answer->result) << (answer ? answer->message : "malformed");
  return made.txid;
}

std::vector<tron::anchor_contract::Anchored> World::landed_events() const {
  std::vector<tron::anchor_contract::Anchored> events;
  for (std::int64_t number = 1; number <= chain.head().ref.number; ++number)
    for (const auto& receipt : chain.block(number)->receipts)
      for (const auto& log : receipt.logs)
        if (auto anchored = tron::anchor_contract::read_anchored(log, *ledger.anchor_contract))
          events.push_back(*anchored);
  return events;
}

bool World::is_over(const Hash& txid, std::int64_t expiration_ms) const {
  const auto& solid = chain.block(chain.solidified())->ref;
  auto place = chain.find(txid);
  return place ? place->block <= solid.number : solid.timestamp_ms >= expiration_ms;
}

std::optional<bool> World::succeeded(const Hash& txid) const {
  auto place = chain.find(txid);
  if (!place) return std::nullopt;
  return chain.block(place->block)->receipts[place->index].result == tron::contract_success;
}

tron::SignedTransaction World::pay(const SecretKey& from, const tron::Address& to, std::int64_t amount,
                                   std::string token, std::string memo) {
  const auto& head = chain.head().ref;
  // Equal payments differ by their time alone.
  tron::TransactionFrame frame{head, clock.now_ms() + ++payments_, head.timestamp_ms + 300'000,
                               std::move(memo)};
  auto transaction =
      tron::sign_transfer({tron::address_of(from.public_key()), to, amount, std::move(token)}, frame, from);
  auto answer = chain.broadcast(transaction.bytes);
  EXPECT_TRUE(answer && answer->result) << (answer ? answer->message : "malformed");
  return transaction;
}

Hash World::deposit(std::int64_t amount, std::string token, std::string memo) {
  return pay(payer, custody, amount, std::move(token), std::move(memo)).txid;
}

tron::Address World::hand_out(const PublicKey& key) {
  auto account = *ledger.account(key);
  auto child = deposit_key.public_key().child(static_cast<std::uint32_t>(account.number));
  auto address = tron::address_of(child->key());
  tables.addresses[address] = {account.number, account.key};
  return address;
}

Hash World::deposit_token(core::ChainAmount amount, std::string memo, const tron::Address& token) {
  return call(payer, token, tron::trc20::transfer_call(custody, amount), std::move(memo));
}

}  // namespace windlass::test
