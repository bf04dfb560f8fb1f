// A whole sequencer over a private Postgres, with keys to act with.
#pragma once

#include <gtest/gtest.h>

#include <future>

#include "ledger/sequencer/sequencer.h"
#include "tests/pg/cluster.h"

namespace windlass::testing {

inline core::TimeUs wall_clock_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

constexpr core::AssetId btt{1};

// With the numbers from `first` on.
inline std::vector<codec::Entry> entries_from(std::uint64_t first, std::size_t count) {
  std::vector<codec::Entry> entries(count);
  for (std::size_t i = 0; i < count; ++i) {
    entries[i].sequence = {first + i};
    entries[i].time_us = 1'000 + static_cast<core::TimeUs>(i);
    entries[i].kind = core::Kind::transfer;
    entries[i].leaf_hash = random_array<32>();
    entries[i].secret = random_array<32>();
    entries[i].envelope = "envelope " + std::to_string(first + i);
    entries[i].postings = {core::AccountPosting{{i}, {btt, 5, 6, 7}, {first}}};
  }
  return entries;
}

struct Person {
  SecretKey secret = SecretKey::generate();
  core::Key key = secret.public_key();
};

// One run of the sequencer; making another on the same database is a restart.
class Running {
 public:
  Running(journal::Sessions& sessions, const Person& operating, const Person& gateway,
          std::chrono::milliseconds flush_interval = std::chrono::milliseconds(50),
          std::size_t cache_bytes = sequencer::Limits().cache_bytes,
          std::size_t flush_records = sequencer::Limits().flush_records)
      : Running(
            sessions, operating, gateway,
            {.flush_records = flush_records, .flush_interval = flush_interval, .cache_bytes = cache_bytes}) {}
  Running(journal::Sessions& sessions, const Person& operating, const Person& gateway,
          const sequencer::Limits& limits) {
    sequencer::Options options;
    options.limits = limits;
    options.limits.verifier_threads = 2;
    options.clock = wall_clock_us;
    core::Genesis genesis{operating.key,
                          {{gateway.key, core::role_gateway | core::role_anchor}},
                          {{btt, "BTT", 1, "1002000", 6, 1, 10, 10}}};
    options.genesis = codec::GenesisParameters{random_array<32>(), "test.example/log", genesis};
    options.failed = [this](const std::string& why) { failure_.set_value(why); };
    sequencer_ = std::make_unique<sequencer::Sequencer>(sessions, std::move(options), observer_);
  }

  bool serving() { return sequencer_->wait_until_serving(); }
  std::string failure() { return failure_.get_future().get(); }
  sequencer::Sequencer& sequencer() { return *sequencer_; }
  std::size_t verified() const { return observer_.signatures; }

  struct Reply {
    sequencer::Answer answer;
    std::optional<codec::Entry> entry;  // of an accepted command
  };
  using Items = std::vector<tl::expected<codec::Decoded, core::Error>>;
  static Items decode(std::vector<codec::Envelope> envelopes) {
    Items decoded;
    for (auto& envelope : envelopes) decoded.push_back(codec::decode_submitted(std::move(envelope)));
    return decoded;
  }
  // All in one submission, answered together.
  std::vector<Reply> submit(std::vector<codec::Envelope> envelopes, sequencer::ClientId client = 1) {
    return submit_decoded(decode(std::move(envelopes)), client);
  }
  std::vector<Reply> submit_decoded(Items decoded, sequencer::ClientId client = 1) {
    return send(std::move(decoded), client).get();
  }
  std::future<std::vector<Reply>> send(Items decoded, sequencer::ClientId client = 1) {
    sequencer::Commands commands;
    std::size_t count = decoded.size();
    commands.items = std::move(decoded);
    auto promise = std::make_shared<std::promise<std::vector<Reply>>>();
    auto replies = promise->get_future();
    commands.done = [promise](const auto& answers, const auto& batch) {
      std::vector<Reply> out;
      for (const auto& answer : answers) {
        Reply reply{answer, {}};
        if (answer.verdict == core::Outcome::Verdict::accepted)
          reply.entry = batch->entries[answer.sequence.value - batch->first().value];
        out.push_back(std::move(reply));
      }
      promise->set_value(std::move(out));
    };
    auto error = sequencer_->submit({client, std::move(commands)});
    if (error != core::Error::none)
      promise->set_value(std::vector<Reply>(count, Reply{{.error = error}, {}}));
    return replies;
  }
  Reply submit_one(codec::Envelope envelope) { return submit({std::move(envelope)}).front(); }

  // --- commands
  codec::Envelope sign(const Person& who, core::Body body) {
    core::Command command{who.key, ++nonce_, wall_clock_us() + core::hour_us, std::move(body)};
    if (command.kind() == core::Kind::receipt) command.nonce = 0, command.expires_us = 0;
    return codec::sign(codec::encode_command(command), *sequencer_->signing_tag(), {&who.secret});
  }
  codec::Envelope credit(const Person& gateway, const Person& owner, core::Amount amount) {
    core::Command command{
        gateway.key, ++nonce_, wall_clock_us() + core::hour_us,
        core::Credit{btt, static_cast<core::ChainAmount>(amount), owner.key, 1, {++block_, 0, 0}}};
    return codec::sign(codec::encode_credit(command, std::string(32, 't'), std::string(21, 's')),
                       *sequencer_->signing_tag(), {&gateway.secret});
  }

  // --- looks
  template <typename Look>
  void look(core::Needs needs, Look see) {
    std::promise<bool> done;
    auto error = sequencer_->submit({0, sequencer::Look{std::move(needs),
                                                        {},
                                                        [&](const core::State& state) { see(state); },
                                                        [&](bool available) { done.set_value(available); }}});
    ASSERT_EQ(error, core::Error::none);
    ASSERT_TRUE(done.get_future().get());
  }
  core::Amount available(const Person& who) {
    core::Amount amount = -1;
    look({{who.key}, {}}, [&](const core::State& state) {
      if (const auto* entry = state.key_entry(who.key))
        amount = state.account(entry->account).balance(btt).available;
    });
    return amount;
  }

 private:
  struct Counting final : sequencer::Observer {
    void verified(core::Error, double) override { ++signatures; }
    std::atomic<std::size_t> signatures{0};
  };
  Counting observer_;
  std::promise<std::string> failure_;
  std::atomic<std::uint64_t> nonce_ = static_cast<std::uint64_t>(wall_clock_us()) * 1000;
  std::uint64_t block_ = static_cast<std::uint64_t>(wall_clock_us());
  std::unique_ptr<sequencer::Sequencer> sequencer_;
};

}  // namespace windlass::testing
