// A caching state over a storage, as the sequencer runs it: loads, pins, evictions, flushes in small pieces
// between commands, crashes and replays; beside it a state that holds everything. Every answer is the same,
// every flush writes exactly the state as of its freeze, and storage with a replay of what came after gives
// the same state again.
//   WINDLASS_SEED=n               only this seed
//   WINDLASS_PROPERTY_COMMANDS=n  commands in all
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <iostream>

#include "ledger/core/invariants.h"
#include "tests/property/core_commands.h"
#include "tests/property/core_seeds.h"

namespace windlass::core {
namespace {

constexpr std::uint64_t commands_by_default = 200'000;
constexpr std::uint64_t commands_of_a_seed = 20'000;

// What is durable.
struct Storage {
  Globals globals;
  std::map<Key, KeyEntry> keys;
  std::map<AccountNumber, Account> accounts;
  std::map<ChannelId, Channel> channels;
  std::map<Hash, BtfsUse> btfs_uses;
  bool operator==(const Storage&) const = default;
};

// Storage as it will be once all that is in memory has been written.
Storage written_over(Storage storage, const State& state) {
  storage.globals = state.globals;
  state.keys.for_each([&](const Key& key, const KeyEntry& entry) { storage.keys[key] = entry; });
  state.accounts.for_each([&](AccountNumber n, const Account& account) { storage.accounts[n] = account; });
  state.channels.for_each([&](ChannelId id, const Channel& channel) { storage.channels[id] = channel; });
  state.btfs_uses.for_each([&](const Hash& id, const BtfsUse& use) { storage.btfs_uses[id] = use; });
  return storage;
}

std::string difference(const Storage& a, const Storage& b) {
  if (a.globals != b.globals) return "globals";
  if (a.keys != b.keys) return "keys";
  if (a.accounts != b.accounts) return "accounts";
  if (a.channels != b.channels) return "channels";
  return a.btfs_uses != b.btfs_uses ? "uses of historical messages" : "nothing";
}

struct TimedCommand {
  Command command;
  TimeUs now_us = 0;
};

struct Counts {
  std::uint64_t flushes = 0, records = 0, btfs_uses = 0, changed_while_flushed = 0, evicted = 0, crashes = 0,
                replayed = 0;
};

class CachedRun {
 public:
  CachedRun(std::uint64_t seed, Counts& counts)
      : random_(seed ^ 0x9e3779b97f4a7c15), source_(seed, model_), counts_(counts) {}

  Fault run(std::uint64_t commands) {
    for (std::uint64_t done = 0; done < commands;) {
      auto batch = next_batch();
      done += batch.size();
      Fault fault = apply_batch(batch);
      if (!fault) fault = do_something_else();
      if (fault) return fmt::format("after {} commands: {}", done, *fault);
    }
    return crash();
  }

 private:
  std::vector<TimedCommand> next_batch() {
    std::vector<TimedCommand> batch;
    std::uint64_t size = model_.size() == 0 ? 1 : 1 + random_.below(8);
    for (std::uint64_t i = 0; i < size; ++i) {
      auto command = source_.next();
      batch.push_back({std::move(command), source_.now_us()});
    }
    return batch;
  }

  // All that the batch needs is loaded and pinned; whatever else there is may be evicted at any time.
  Fault apply_batch(const std::vector<TimedCommand>& batch) {
    Needs needs;
    for (const auto& [command, now_us] : batch) collect_needs(command, needs);
    auto accounts = load(needs);
    auto pins = pin(needs, accounts);
    evict();
    for (const auto& [command, now_us] : batch) {
      source_.observe(command, model_.apply(command, now_us));
      Outcome expected = apply(whole_, command, now_us, terms_at(whole_));
      Outcome got = apply(cache_, command, now_us, terms_at(cache_));
      if (auto fault = compare(expected, got)) return fmt::format("{}: {}", name(command.kind()), *fault);
      if (got.accepted()) unflushed_.push_back({command, now_us});
      if (random_.one_in(8)) evict();
      if (random_.one_in(8)) drain();
    }
    return std::nullopt;
  }

  Fault compare(const Outcome& expected, const Outcome& got) const {
    if (expected.verdict != got.verdict || expected.error != got.error) return "another verdict";
    if (expected.sequence != got.sequence || expected.claimed != got.claimed) return "another answer";
    if (expected.postings != got.postings) return "other postings";
    if (whole_.globals != cache_.globals) return "other globals";
    return std::nullopt;
  }

  // Keys and channels first, then the accounts behind them. What memory has is newer than storage: sometimes
  // it is loaded all the same.
  std::vector<AccountNumber> load(const Needs& needs) {
    for (const auto& key : needs.keys) load_one(cache_.keys, storage_.keys, key);
    for (auto id : needs.channels) load_one(cache_.channels, storage_.channels, id);
    for (const auto& id : needs.btfs_uses) load_one(cache_.btfs_uses, storage_.btfs_uses, id);
    std::vector<AccountNumber> accounts;
    for (const auto& key : needs.keys)
      if (const KeyEntry* entry = cache_.keys.find(key)) accounts.push_back(entry->account);
    for (auto id : needs.channels) {
      const Channel* channel = cache_.channels.find(id);
      if (!channel) continue;
      accounts.push_back(channel->payer);
      accounts.push_back(channel->recipient);
    }
    for (auto number : accounts) load_one(cache_.accounts, storage_.accounts, number);
    return accounts;
  }
  template <typename Id, typename Record>
  void load_one(Table<Id, Record>& table, const std::map<Id, Record>& stored, const Id& id) {
    if (table.resident(id) && !random_.one_in(4)) return;
    auto it = stored.find(id);
    table.load(id, it == stored.end() ? std::nullopt : std::optional(it->second));
  }

  std::vector<Pin> pin(const Needs& needs, const std::vector<AccountNumber>& accounts) {
    std::vector<Pin> pins;
    auto all_of = [&](auto& table, const auto& ids) {
      for (const auto& id : ids) pins.push_back(table.pin(id).value().pin);
    };
    all_of(cache_.keys, needs.keys);
    all_of(cache_.channels, needs.channels);
    all_of(cache_.btfs_uses, needs.btfs_uses);
    all_of(cache_.accounts, accounts);
    return pins;
  }

  void evict() {
    auto before = records_in_memory();
    std::size_t budget = random_.one_in(3) ? 0 : random_.below(50'000);
    cache_.keys.evict(budget);
    cache_.accounts.evict(budget);
    cache_.channels.evict(budget);
    cache_.btfs_uses.evict(budget);
    counts_.evicted += before - records_in_memory();
  }
  std::size_t records_in_memory() const {
    return cache_.keys.size() + cache_.accounts.size() + cache_.channels.size() + cache_.btfs_uses.size();
  }

  Fault do_something_else() {
    if (random_.one_in(400)) return crash();
    if (!flushing_ && random_.one_in(20)) freeze();
    if (flushing_ && random_.percent(70)) drain();
    if (flushing_ && drained_ && random_.percent(20)) return finish();
    if (random_.percent(30)) evict();
    return std::nullopt;
  }

  // --- flushing

  void freeze() {
    flushing_ = true;
    drained_ = false;
    flush_ = Flush{.expected = written_over({}, whole_)};
    flush_.keys.announced = cache_.keys.changed();
    flush_.accounts.announced = cache_.accounts.changed();
    flush_.channels.announced = cache_.channels.changed();
    flush_.btfs_uses.announced = cache_.btfs_uses.changed();
    cache_.keys.freeze();
    cache_.accounts.freeze();
    cache_.channels.freeze();
    cache_.btfs_uses.freeze();
    unflushed_at_freeze_ = unflushed_.size();
  }

  // A few records of a table or two; the tables are not equally far.
  void drain() {
    if (!flushing_ || drained_) return;
    if (random_.percent(60)) drain_one(cache_.keys, flush_.keys);
    if (random_.percent(60)) drain_one(cache_.accounts, flush_.accounts);
    if (random_.percent(60)) drain_one(cache_.channels, flush_.channels);
    if (random_.percent(60)) drain_one(cache_.btfs_uses, flush_.btfs_uses);
    drained_ = flush_.keys.done && flush_.accounts.done && flush_.channels.done && flush_.btfs_uses.done;
  }
  template <typename Id, typename Record, typename Drained>
  void drain_one(Table<Id, Record>& table, Drained& drained) {
    if (!drained.done) drained.done = !table.drain(1 + random_.below(12), drained.records);
  }

  // What was drained becomes durable, in one transaction.
  Fault finish() {
    Storage next = storage_;
    next.globals = flush_.expected.globals;
    for (const auto& entry : flush_.keys.records) next.keys[entry.key] = entry;
    for (const auto& account : flush_.accounts.records) next.accounts[account.number] = account;
    for (const auto& channel : flush_.channels.records) next.channels[channel.id] = channel;
    for (const auto& use : flush_.btfs_uses.records) next.btfs_uses[use.id] = use;
    if (next != flush_.expected)
      return fmt::format("what a flush wrote is not the state as of its freeze: {} differ",
                         difference(next, flush_.expected));
    if (flush_.keys.records.size() != flush_.keys.announced ||
        flush_.accounts.records.size() != flush_.accounts.announced ||
        flush_.channels.records.size() != flush_.channels.announced ||
        flush_.btfs_uses.records.size() != flush_.btfs_uses.announced)
      return "a flush wrote another number of records than had changed";
    ++counts_.flushes;
    counts_.records += flush_.keys.announced + flush_.accounts.announced + flush_.channels.announced +
                       flush_.btfs_uses.announced;
    counts_.btfs_uses += flush_.btfs_uses.announced;
    for (const auto& account : flush_.accounts.records)
      if (*whole_.accounts.find(account.number) != account) ++counts_.changed_while_flushed;

    storage_ = std::move(next);
    unflushed_.erase(unflushed_.begin(),
                     unflushed_.begin() + static_cast<std::ptrdiff_t>(unflushed_at_freeze_));
    cache_.keys.finish();
    cache_.accounts.finish();
    cache_.channels.finish();
    cache_.btfs_uses.finish();
    flushing_ = false;
    return std::nullopt;
  }

  // --- crashing: memory is lost, a flush under way too

  Fault crash() {
    if (auto live = written_over(storage_, cache_); live != written_over({}, whole_))
      return fmt::format("memory over storage is not the state: {} differ",
                         difference(live, written_over({}, whole_)));
    cache_ = State(false);
    cache_.globals = storage_.globals;
    flushing_ = false;
    for (const auto& [command, now_us] : unflushed_) {
      Needs needs;
      collect_needs(command, needs);
      load(needs);
      if (!apply(cache_, command, now_us).accepted()) return "a replayed entry was not accepted again";
    }
    ++counts_.crashes;
    counts_.replayed += unflushed_.size();
    if (auto again = written_over(storage_, cache_); again != written_over({}, whole_))
      return fmt::format("storage and a replay are not the state: {} differ",
                         difference(again, written_over({}, whole_)));
    return check_whole(whole_);
  }

  template <typename Record>
  struct Drained {
    std::size_t announced = 0;
    std::vector<Record> records;
    bool done = false;
  };
  struct Flush {
    Storage expected;
    Drained<KeyEntry> keys;
    Drained<Account> accounts;
    Drained<Channel> channels;
    Drained<BtfsUse> btfs_uses;
  };

  Random random_;
  Model model_;  // for the source only
  CommandSource source_;
  Counts& counts_;
  State whole_{true};
  State cache_{false};
  Storage storage_;
  std::vector<TimedCommand> unflushed_;  // entries after storage's
  bool flushing_ = false;
  bool drained_ = false;
  Flush flush_;
  std::size_t unflushed_at_freeze_ = 0;
};

TEST(CoreCache, FlushesExactlyAsOfTheFreezeAndReplaysToTheSameState) {
  Counts counts;
  for (auto seed : property_seeds(commands_by_default, commands_of_a_seed)) {
    std::cout << fmt::format("seed {}: {} commands", seed, commands_of_a_seed) << std::endl;
    auto fault = CachedRun(seed, counts).run(commands_of_a_seed);
    ASSERT_FALSE(fault) << "WINDLASS_SEED=" << seed << ": " << *fault;
  }
  std::cout << fmt::format(
      "{} flushes of {} records, {} accounts changed meanwhile; {} evicted; {} crashes, {} replayed\n",
      counts.flushes, counts.records, counts.changed_while_flushed, counts.evicted, counts.crashes,
      counts.replayed);
  EXPECT_GT(counts.changed_while_flushed, 0U);
  EXPECT_GT(counts.evicted, 0U);
  EXPECT_GT(counts.btfs_uses, 0U);
  EXPECT_GT(counts.replayed, 0U);
}

}  // namespace
}  // namespace windlass::core
