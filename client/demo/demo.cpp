#include "client/demo/demo.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "client/commands.h"
#include "client/dev/deposit.h"
#include "client/submit_stream.h"

namespace windlass::demo {
namespace {

using client::Failure;
using client::Result;
using Clock = std::chrono::steady_clock;
namespace pb = windlass::v1;

constexpr std::string_view asset_symbol = "BTT";
constexpr std::int64_t reserve_units = 1'000'000;  // that every peer deposits beyond what it will pay
constexpr std::int64_t fees_sun = 20'000'000;      // for each peer's deposit: bandwidth and the memo's fee
constexpr core::TimeUs channel_life_us = core::day_us;
constexpr std::size_t max_streams = 32;          // uploaders beyond that share one
constexpr std::size_t receipts_in_flight = 128;  // a stream; keeps the wait for an answer short
constexpr std::chrono::seconds anchor_slack{60};
constexpr std::chrono::milliseconds poll_interval{200};

struct Peer {
  std::uint32_t number = 0;
  SecretKey key;
  client::CommandSigner signer;
  std::int64_t deposit = 0;
};

using Pair = std::pair<std::uint32_t, std::uint32_t>;  // downloader, uploader

struct OpenedChannel {
  core::ChannelId id;
  std::int64_t deposit = 0;
};

struct Latencies {
  std::vector<float> ms;
  double at(double share) {
    if (ms.empty()) return 0;
    auto nth = ms.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(ms.size() - 1));
    std::nth_element(ms.begin(), nth, ms.end());
    return *nth;
  }
};

std::int64_t system_now_us() {
  return client::CommandSigner::system_now_ns() / 1000;
}

Failure refusal(std::string_view what, const pb::SubmitResult& result) {
  const auto& rejected = result.rejected();
  return {rejected.retry() ? Failure::Kind::later : Failure::Kind::refused,
          fmt::format("{} was refused: {}", what, rejected.message()),
          rejected.reason(),
          {rejected.metadata().begin(), rejected.metadata().end()}};
}

// Sends commands that must all be accepted; their entries, in order.
Result<std::vector<std::uint64_t>> submit_all(client::Connection& ledger,
                                              std::vector<pb::SignedCommand> commands,
                                              std::string_view what) {
  std::vector<std::uint64_t> sequences(commands.size());
  std::optional<Failure> refused;
  client::SubmitStream stream(ledger, {}, [&](std::uint64_t i, const pb::SubmitResult& result) {
    if (result.has_accepted())
      sequences[i] = result.accepted().sequence();
    else if (!refused)
      refused = refusal(what, result);
  });
  for (std::size_t i = 0; i < commands.size(); ++i)
    if (!stream.send(std::move(commands[i]), i)) break;
  if (auto finished = stream.finish(); !finished) return tl::unexpected(finished.error());
  if (refused) return tl::unexpected(*refused);
  return sequences;
}

// Some of the uploaders, submitting what they are given over one stream: each signs nothing but gets every
// receipt from its downloader, just before it submits it.
class Lane {
 public:
  struct Item {
    const Block* block;
    const client::CommandSigner* payer;
    core::ChannelId channel;
    std::int64_t cumulative;
  };
  std::vector<Item> items;  // in order of arrival

  void run(client::Connection& ledger, double speed, Clock::time_point start,
           std::atomic<std::uint64_t>& answered) {
    sent_at_.resize(items.size());
    latencies.ms.reserve(items.size());
    client::SubmitStreamOptions options;
    options.window = receipts_in_flight;
    client::SubmitStream stream(ledger, options, [&](std::uint64_t i, const pb::SubmitResult& result) {
      take_answer(i, result);
      ++answered;
    });
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Item& item = items[i];
      if (speed > 0)
        std::this_thread::sleep_until(start + std::chrono::microseconds(static_cast<std::int64_t>(
                                                  static_cast<double>(item.block->at_ms) * 1000 / speed)));
      auto receipt = item.payer->sign_receipt(item.channel, item.cumulative);
      if (!stream.wait_for_room()) break;
      sent_at_[i] = Clock::now();
      if (!stream.send(std::move(receipt), i)) break;
    }
    if (auto finished = stream.finish(); !finished && !failure) failure = finished.error();
  }

  std::uint64_t accepted = 0, covered = 0;
  Latencies latencies;
  std::optional<Failure> failure;

 private:
  void take_answer(std::uint64_t i, const pb::SubmitResult& result) {
    latencies.ms.push_back(std::chrono::duration<float, std::milli>(Clock::now() - sent_at_[i]).count());
    if (result.has_accepted()) ++accepted;
    if (result.has_covered()) ++covered;
    if (result.has_rejected() && !failure)
      failure = refusal(fmt::format("the receipt at {} ms", items[i].block->at_ms), result);
  }
  std::vector<Clock::time_point> sent_at_;
};

class Demo {
 public:
  Demo(const dev::Settings& settings, const Trace& trace, const Options& options, Audience audience)
      : settings_(settings),
        trace_(trace),
        options_(options),
        audience_(std::move(audience)),
        ledger_({settings.grpc_address(), std::chrono::seconds(30), ""}),
        node_(dev::connect_node(settings)) {}

  Result<Report> run() {
    auto flow = flow_of(trace_, options_.units_per_byte);
    if (!flow) return tl::unexpected(flow.error());
    flow_ = *std::move(flow);
    for (auto step : {&Demo::find_asset, &Demo::make_peers, &Demo::fund_peers, &Demo::open_channels,
                      &Demo::play, &Demo::close_channels, &Demo::check_totals, &Demo::verify})
      if (auto done = (this->*step)(); !done) return tl::unexpected(done.error());
    return report_;
  }

 private:
  Result<void> find_asset() {
    auto facts = ledger_.facts();
    if (!facts) return tl::unexpected(facts.error());
    const auto* asset = client::find_asset((*facts)->assets, asset_symbol);
    if (!asset) return client::usage_error("this ledger has no asset BTT");
    asset_ = *asset;
    return {};
  }

  Result<void> make_peers() {
    auto facts = ledger_.facts();
    std::int64_t least = std::max(reserve_units, asset_.minimum_first_credit());
    for (const auto& [number, paid] : flow_.paid) {
      SecretKey key = SecretKey::generate();
      client::CommandSigner signer(key, (*facts)->tag);
      peers_.emplace(number, Peer{number, std::move(key), std::move(signer), least});
    }
    // A channel may have to be larger than what is paid through it.
    for (const auto& [pair, units] : flow_.pairs)
      if (__builtin_add_overflow(peers_.at(pair.first).deposit, channel_deposit(units),
                                 &peers_.at(pair.first).deposit))
        return client::usage_error("at this price the trace costs more than a ledger can hold");
    audience_.say(fmt::format("{} peers, {} blocks, {} channels, {} to be paid at {} unit{} a byte",
                              peers_.size(), trace_.blocks.size(), flow_.pairs.size(), show(flow_.total),
                              options_.units_per_byte, options_.units_per_byte == 1 ? "" : "s"));
    return {};
  }

  std::int64_t channel_deposit(std::int64_t units) const { return std::max(units, asset_.minimum_channel()); }
  std::string show(std::int64_t units) const {
    return client::format_units(units, asset_.decimals()) + " " + asset_.symbol();
  }

  // The faucet gives each peer tokens and fees on the chain; then each deposits from its own address.
  Result<void> fund_peers() {
    auto key = dev::faucet_key(settings_);
    if (!key) return tl::unexpected(key.error());
    dev::Wallet faucet(node_, *key);
    std::vector<Hash> sent;
    for (const auto& [number, peer] : peers_) {
      auto address = tron::address_of(peer.signer.key());
      for (const auto& [token, units] : {std::pair<std::string, core::ChainAmount>{"", fees_sun},
                                         {asset_.token(), dev::chain_amount(asset_, peer.deposit)}}) {
        auto txid = faucet.send(address, token, units);
        if (!txid) return tl::unexpected(txid.error());
        sent.push_back(*txid);
      }
    }
    if (auto landed = dev::wait_for(node_, sent, false, dev::landing_patience(settings_)); !landed)
      return landed;
    return deposit();
  }

  Result<void> deposit() {
    auto before = ledger_.call(&pb::Query::Stub::GetLedger, pb::GetLedgerRequest{});
    if (!before) return tl::unexpected(before.error());
    std::vector<Hash> sent;
    for (const auto& [number, peer] : peers_) {
      dev::Wallet wallet(node_, peer.key);
      auto txid = dev::send_deposit(ledger_, settings_, wallet, wanted(peer));
      if (!txid) return tl::unexpected(txid.error());
      sent.push_back(*txid);
    }
    auto progress = audience_.begin("deposits");
    std::uint64_t credited = 0;
    for (const auto& [number, peer] : peers_) {
      progress(credited++, peers_.size());
      auto sequence =
          dev::wait_for_credit(ledger_, wanted(peer), before->size(), dev::credit_patience(settings_));
      if (!sequence) return tl::unexpected(sequence.error());
    }
    report_.entries += peers_.size();
    audience_.say(
        fmt::format("every peer has a key, and a solidified deposit on the chain is credited to it"));
    return {};
  }

  dev::DepositWanted wanted(const Peer& peer) const {
    return {peer.signer.key(), {asset_.number(), peer.deposit}};
  }

  Result<void> open_channels() {
    std::vector<pb::SignedCommand> opens;
    for (const auto& [pair, units] : flow_.pairs) {
      core::OpenChannel open{core::AssetId{asset_.number()},
                             peers_.at(pair.second).signer.key(),
                             channel_deposit(units),
                             system_now_us() + channel_life_us,
                             {},
                             {}};
      opens.push_back(peers_.at(pair.first).signer.sign(open));
    }
    auto sequences = submit_all(ledger_, std::move(opens), "opening a channel");
    if (!sequences) return tl::unexpected(sequences.error());
    std::size_t i = 0;
    for (const auto& [pair, units] : flow_.pairs)
      channels_[pair] = {core::ChannelId{(*sequences)[i++]}, channel_deposit(units)};
    report_.channels = channels_.size();
    report_.entries += channels_.size();
    audience_.say(fmt::format("{} channels are open", channels_.size()));
    return {};
  }

  std::vector<Lane> make_lanes() const {
    std::map<std::uint32_t, std::size_t> lane_of;  // by uploader
    std::map<Pair, std::int64_t> cumulative;
    std::vector<Lane> lanes;
    for (const auto& block : trace_.blocks) {
      auto [place, is_new] = lane_of.try_emplace(block.uploader, lane_of.size() % max_streams);
      if (place->second == lanes.size()) lanes.emplace_back();
      Pair pair{block.downloader, block.uploader};
      std::int64_t& earned = cumulative[pair];
      earned += block.bytes * options_.units_per_byte;
      lanes[place->second].items.push_back(
          {&block, &peers_.at(block.downloader).signer, channels_.at(pair).id, earned});
    }
    return lanes;
  }

  Result<void> play() {
    auto lanes = make_lanes();
    auto progress = audience_.begin("receipts");
    std::atomic<std::uint64_t> answered = 0;
    std::atomic<std::size_t> running = lanes.size();
    auto start = Clock::now();
    std::vector<std::thread> threads;
    for (auto& lane : lanes)
      threads.emplace_back([&] {
        lane.run(ledger_, options_.speed, start, answered);
        --running;
      });
    while (running > 0) {
      std::this_thread::sleep_for(poll_interval / 4);
      progress(answered, trace_.blocks.size());
    }
    for (auto& thread : threads) thread.join();
    report_.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return gather(lanes);
  }

  Result<void> gather(std::vector<Lane>& lanes) {
    Latencies all;
    for (auto& lane : lanes) {
      if (lane.failure) return tl::unexpected(*lane.failure);
      report_.accepted += lane.accepted;
      report_.covered += lane.covered;
      all.ms.insert(all.ms.end(), lane.latencies.ms.begin(), lane.latencies.ms.end());
    }
    report_.receipts = trace_.blocks.size();
    report_.entries += report_.accepted;
    report_.p50_ms = all.at(0.50);
    report_.p99_ms = all.at(0.99);
    if (report_.accepted + report_.covered != report_.receipts)
      return client::false_proof(fmt::format("{} receipts were sent, but {} were answered", report_.receipts,
                                             report_.accepted + report_.covered));
    audience_.say(fmt::format(
        "{} receipts signed and submitted over {} streams in {:.1f} s: {:.0f} a second, {} of them "
        "as entries, the others covered by higher ones; acknowledged in {:.1f} ms (p50), {:.1f} ms (p99)",
        report_.receipts, lanes.size(), report_.seconds,
        static_cast<double>(report_.receipts) / report_.seconds, report_.accepted, report_.p50_ms,
        report_.p99_ms));
    return {};
  }

  Result<void> close_channels() {
    std::vector<pb::SignedCommand> closes;
    for (const auto& [pair, channel] : channels_)
      closes.push_back(peers_.at(pair.second).signer.sign(core::CloseChannel{channel.id, {}}));
    auto sequences = submit_all(ledger_, std::move(closes), "closing a channel");
    if (!sequences) return tl::unexpected(sequences.error());
    newest_ = *std::max_element(sequences->begin(), sequences->end());
    report_.entries += sequences->size();
    return {};
  }

  // The ledger's figures, unit by unit, against what the trace says they must be.
  Result<void> check_totals() {
    for (const auto& [pair, units] : flow_.pairs)
      if (auto held = check_channel(pair, units); !held) return held;
    for (const auto& [number, peer] : peers_)
      if (auto held = check_balance(peer); !held) return held;
    report_.total = flow_.total;
    audience_.say(fmt::format(
        "totals equal the trace to the last unit: {} units for {} blocks, in every channel and every account",
        flow_.total, trace_.blocks.size()));
    return {};
  }

  Result<void> check_channel(const Pair& pair, std::int64_t units) {
    pb::GetChannelRequest request;
    request.set_channel(channels_.at(pair).id.value);
    auto channel = ledger_.call(&pb::Query::Stub::GetChannel, request);
    if (!channel) return tl::unexpected(channel.error());
    if (channel->open() || channel->claimed() != units)
      return client::false_proof(
          fmt::format("channel {} of peer {} to peer {}: {} units claimed, but the trace says {}",
                      channel->id(), pair.first, pair.second, channel->claimed(), units));
    return {};
  }

  Result<void> check_balance(const Peer& peer) {
    pb::GetAccountRequest request;
    request.set_key(std::string(view(peer.signer.key())));
    auto account = ledger_.call(&pb::Query::Stub::GetAccount, request);
    if (!account) return tl::unexpected(account.error());
    PeerResult result{peer.number,
                      to_hex(peer.signer.key()),
                      peer.deposit,
                      flow_.paid.at(peer.number),
                      flow_.earned.at(peer.number),
                      0};
    std::int64_t locked = 0;
    for (const auto& balance : account->balances())
      if (balance.asset() == asset_.number()) {
        result.balance = balance.available();
        locked = balance.locked();
      }
    if (locked != 0 || result.balance != result.deposited - result.paid + result.earned)
      return client::false_proof(
          fmt::format("peer {}: its balance is {} units, but the trace says {} - {} + {}", peer.number,
                      result.balance, result.deposited, result.paid, result.earned));
    report_.peers.push_back(result);
    return {};
  }

  // The biggest earner's: it has the longest history.
  Result<void> verify() {
    if (auto anchored = wait_for_anchor(); !anchored) return anchored;
    auto most = std::max_element(report_.peers.begin(), report_.peers.end(),
                                 [](const auto& a, const auto& b) { return a.earned < b.earned; });
    report_.verified_peer = most->number;
    pb::GetAccountRequest request;
    request.set_key(std::string(view(peers_.at(most->number).signer.key())));
    auto account = ledger_.call(&pb::Query::Stub::GetAccount, request);
    if (!account) return tl::unexpected(account.error());
    auto history = client::read_history(ledger_, *account, audience_.begin("history"));
    if (!history) return tl::unexpected(history.error());
    auto vkey = log::VerifierKey::parse(settings_.log_vkey);
    if (!vkey) return client::usage_error("there is no log_vkey in " + settings_.conf().string());
    auto verified = client::verify_history(*client::evidence_from(ledger_), *history, {*vkey, {}, &node_, 4},
                                           audience_.begin("proofs"));
    if (!verified) return tl::unexpected(verified.error());
    if (verified->anchored_entries != verified->entries)
      return client::false_proof(
          fmt::format("peer {}: entry {} is not anchored", most->number, verified->oldest_unanchored));
    report_.verified = *std::move(verified);
    audience_.say(fmt::format("peer {}'s whole history is verified against the chain:", most->number));
    for (const auto& line : client::describe(report_.verified)) audience_.say("  " + line);
    return {};
  }

  Result<void> wait_for_anchor() {
    auto progress = audience_.begin("waiting for the anchor to solidify, seconds:");
    auto start = Clock::now();
    auto patience = std::chrono::milliseconds(settings_.anchor_interval_ms +
                                              (settings_.solid_after + 3) * settings_.block_interval_ms) +
                    anchor_slack;
    pb::ListAnchorsRequest request;
    request.set_covering(newest_);
    request.set_solidified_only(true);
    request.set_page_size(1);
    while (Clock::now() - start < patience) {
      auto listed = ledger_.call(&pb::Log::Stub::ListAnchors, request);
      if (!listed) return tl::unexpected(listed.error());
      if (listed->anchors_size() > 0) return {};
      progress(static_cast<std::uint64_t>(
                   std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - start).count()),
               0);
      std::this_thread::sleep_for(poll_interval);
    }
    return client::fail(Failure::Kind::later,
                        "the ledger is not anchored yet; is windlass-anchor well? See its log in " +
                            settings_.logs().string());
  }

  const dev::Settings& settings_;
  const Trace& trace_;
  Options options_;
  Audience audience_;
  client::Connection ledger_;
  tron::Node node_;
  pb::Asset asset_;
  Flow flow_;
  std::map<std::uint32_t, Peer> peers_;
  std::map<Pair, OpenedChannel> channels_;
  std::uint64_t newest_ = 0;
  Report report_;
};

}  // namespace

Result<Report> run(const dev::Settings& settings, const Trace& trace, const Options& options,
                   Audience audience) {
  return Demo(settings, trace, options, std::move(audience)).run();
}

}  // namespace windlass::demo
