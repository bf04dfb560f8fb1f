#include "ledger/snapshot/snapshots.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

namespace windlass::snapshot {
namespace {

using core::AccountNumber;
using core::Sequence;

constexpr std::size_t entries_at_once = 512;  // a list's postings are some 46 kB
constexpr int folds_ahead = 4;                // each of what came during the one before
constexpr std::size_t accounts_at_once = 2'048;
constexpr std::size_t channels_at_once = 65'536;  // core::max_open_channels: one account's at the most
constexpr int below_everybody = 10;               // niceness
// The flush that a snapshot waits for: the writer flushes every second while there is something to write.
constexpr std::chrono::milliseconds flush_poll{50};
constexpr std::chrono::seconds longest_wait_for_flush{5};

// Told to stop in the middle of a snapshot.
struct Stopped : std::runtime_error {
  Stopped() : std::runtime_error("the server stops") {}
};

}  // namespace

// What happened to the accounts since the last snapshot: who was touched, and their histories, folded on.
class Folding {
 public:
  Folding(const AccountTree& tree, const std::filesystem::path& scratch)
      : tree_(tree), histories_(scratch, sizeof(Hash), RecordFile::Open::empty) {}

  // So many there are by now.
  void make_room(std::uint64_t accounts) {
    touched_.resize(accounts);
    folded_.resize(accounts);
  }

  // Returns the channels that the entries touched: their payers' leaves change with them.
  std::vector<core::ChannelId> fold(const std::vector<journal::SnapshotSession::Postings>& entries) {
    absl::flat_hash_map<std::uint64_t, Hash> histories;
    absl::flat_hash_set<std::uint64_t> channels;
    for (const auto& entry : entries) {
      auto postings = codec::decode_postings(entry.postings);
      if (!postings) throw journal::DatabaseError("postings that cannot be read", "");
      for (std::uint32_t i = 0; i < postings->size(); ++i) {
        const auto& posting = (*postings)[i];
        if (const auto* channel = std::get_if<core::ChannelPosting>(&posting)) {
          channels.insert(channel->channel.value);
          continue;
        }
        const auto* closing = std::get_if<core::ClosingPosting>(&posting);
        auto number = (closing ? closing->payer : std::get<core::AccountPosting>(posting)).account.value;
        auto [history, is_new] = histories.try_emplace(number);
        if (is_new) history->second = history_of(number);
        Hash leaf =
            codec::posting_leaf_hash(codec::salt(entry.secret, i + 1), codec::encode_posting(posting));
        history->second = codec::extend_history(history->second, entry.sequence, leaf);
      }
    }
    for (const auto& [number, history] : histories) {
      histories_.write(number, view(history));
      folded_.at(number) = touched_.at(number) = true;
    }
    std::vector<core::ChannelId> ids;
    for (auto id : channels) ids.push_back({id});
    return ids;
  }
  void touch(AccountNumber account) { touched_.at(account.value) = true; }

  Hash history_of(std::uint64_t number) const {
    if (folded_.at(number)) return *to_array<sizeof(Hash)>(histories_.read(number));
    return *to_array<sizeof(Hash)>(
        ByteView(tree_.leaf({number})).substr(codec::account_leaf_bytes - sizeof(Hash)));
  }
  const std::vector<bool>& touched() const { return touched_; }

 private:
  const AccountTree& tree_;
  RecordFile histories_;  // by account number, where folded_
  std::vector<bool> touched_, folded_;
};

namespace {

// Puts the leaves of some accounts into the tree, in the order of their numbers.
void put_leaves(journal::SnapshotSession& session, const Folding& folding,
                const std::vector<AccountNumber>& numbers, AccountTree& tree) {
  auto accounts = session.accounts(numbers);
  if (accounts.size() != numbers.size())
    throw journal::DatabaseError("of " + std::to_string(numbers.size()) + " accounts from number " +
                                     std::to_string(numbers.front().value) + " on, which entries name, " +
                                     std::to_string(accounts.size()) + " are stored",
                                 "");
  std::sort(accounts.begin(), accounts.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  for (std::size_t begin = 0, end = begin; begin < accounts.size(); begin = end) {
    std::vector<AccountNumber> payers;
    for (std::size_t open = 0; end < accounts.size(); ++end) {
      open += accounts[end].open_channels;
      if (open > channels_at_once && end > begin) break;
      if (accounts[end].open_channels > 0) payers.push_back(accounts[end].number);
    }
    auto channels = payers.empty() ? std::vector<core::Channel>() : session.open_channels_of(payers);
    auto next = channels.begin();
    for (std::size_t i = begin; i < end; ++i) {
      std::vector<const core::Channel*> own;
      for (; next != channels.end() && next->payer == accounts[i].number; ++next) own.push_back(&*next);
      tree.put(accounts[i].number, codec::make_account_leaf(accounts[i], std::move(own),
                                                            folding.history_of(accounts[i].number.value))
                                       .encode());
    }
  }
}

}  // namespace

Snapshots::Snapshots(Options options, journal::Sessions& sessions)
    : options_(std::move(options)), sessions_(sessions), thread_([this] { run(); }) {}

Snapshots::~Snapshots() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Snapshots::start(const Hash& genesis_leaf_hash) {
  {
    std::lock_guard lock(mutex_);
    if (started_) return;
  }
  auto tree = std::make_unique<AccountTree>(options_.directory, genesis_leaf_hash);
  auto liabilities = std::make_unique<Liabilities>(options_.liabilities, genesis_leaf_hash);
  std::lock_guard lock(mutex_);
  tree_ = std::move(tree);
  liabilities_ = std::move(liabilities);
  newest_ = tree_->newest();
  started_ = true;
}

void Snapshots::refresh(Sequence entries, std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  if (!started_) return;
  wanted_ = std::max(wanted_, entries);
  // One under way may have begun too early: the next is the one to wait for.
  std::uint64_t mine = ++asked_;
  changed_.notify_all();
  changed_.wait_until(lock, deadline, [&] { return answered_ >= mine || stopping_; });
}

bool Snapshots::started() const {
  std::lock_guard lock(mutex_);
  return started_;
}

std::optional<Snapshot> Snapshots::newest() const {
  std::lock_guard lock(mutex_);
  return newest_;
}
std::vector<Snapshot> Snapshots::kept() const {
  std::lock_guard lock(mutex_);
  return started_ ? tree_->snapshots() : std::vector<Snapshot>();
}
std::optional<AccountProof> Snapshots::prove(Sequence snapshot, AccountNumber account) const {
  {
    std::lock_guard lock(mutex_);
    if (!started_) return std::nullopt;
  }
  return tree_->prove(snapshot, account);
}

std::optional<std::pair<Sequence, Hash>> Snapshots::newest_liabilities() const {
  std::lock_guard lock(mutex_);
  return started_ ? liabilities_->newest_root() : std::nullopt;
}
std::optional<LiabilityProof> Snapshots::prove_liability(Sequence sequence, AccountNumber account,
                                                         core::AssetId asset) const {
  {
    std::lock_guard lock(mutex_);
    if (!started_) return std::nullopt;
  }
  return liabilities_->prove(sequence, account, asset);
}

void Snapshots::run() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), below_everybody);
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || answered_ < asked_; });
    if (stopping_) return;
    std::uint64_t asked = asked_;
    Sequence wanted = wanted_;
    lock.unlock();
    try {
      take(wanted);
    } catch (const std::exception& error) {
      options_.trouble(error.what());
      try {
        tree_->roll_back();
      } catch (const std::exception& worse) {
        options_.trouble(worse.what());
      }
    }
    lock.lock();
    newest_ = tree_->newest();
    answered_ = asked;
    changed_.notify_all();
  }
}

void Snapshots::take(Sequence wanted) {
  auto began = std::chrono::steady_clock::now();
  auto session = sessions_.snapshot();
  auto moment = session->begin();
  while (moment.next < wanted && std::chrono::steady_clock::now() < began + longest_wait_for_flush) {
    session->end();
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, flush_poll, [&] { return stopping_; })) return;
    lock.unlock();
    moment = session->begin();
  }
  if (moment.next.value == 0) return;
  auto last = tree_->newest();
  if (last && last->sequence >= moment.next) {
    // The database is younger than the tree: it is not the one that the tree was made from.
    tree_->discard();
    last.reset();
  }
  liabilities_->discard_from(moment.next);
  if (!last || last->sequence.value + 1 != moment.next.value) {
    auto snapshot = change_tree(*session, moment, last);
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    options_.finished(snapshot, took.count());
    std::lock_guard lock(mutex_);
    newest_ = snapshot;  // a seal need not wait for the liabilities
  }
  make_liabilities(*session, {moment.next.value - 1});
  session->end();
}

// Entries never change, nor does a channel's payer: most is folded before the transaction that the rows are
// read in. It must be short, because Postgres keeps every version of a row that is written meanwhile.
Snapshot Snapshots::change_tree(journal::SnapshotSession& session, journal::SnapshotSession::Moment& moment,
                                const std::optional<Snapshot>& last) {
  Folding folding(*tree_, options_.directory / "histories");
  Sequence next{last ? last->sequence.value + 1 : 0};
  for (int turn = 0; turn < folds_ahead; ++turn) {
    session.end();
    fold(session, folding, next, moment);
    next = moment.next;
    moment = session.begin();
    if (moment.next.value - next.value <= entries_at_once) break;
  }
  fold(session, folding, next, moment);
  tree_->begin();
  put_accounts(session, folding);
  std::vector<Sequence> pinned;
  for (const auto& audit : sessions_.reader()->audits(max_audits)) pinned.push_back(audit.snapshot);
  return tree_->finish({moment.next.value - 1}, moment.accounts, pinned);
}

void Snapshots::fold(journal::SnapshotSession& session, Folding& folding, Sequence first,
                     const journal::SnapshotSession::Moment& moment) {
  folding.make_room(moment.accounts);
  while (first < moment.next) {
    auto entries = session.postings(first, moment.next, entries_at_once);
    if (entries.empty())
      throw journal::DatabaseError("no entry from " + std::to_string(first.value) + " on, though " +
                                       std::to_string(moment.next.value) + " were committed",
                                   "");
    stop_if_told();
    first = {entries.back().sequence.value + 1};
    if (auto channels = folding.fold(entries); !channels.empty())
      for (auto payer : session.payers_of(channels)) folding.touch(payer);
  }
}

// Nothing changed what is owed where no entry came that is not public.
void Snapshots::make_liabilities(journal::SnapshotSession& session, Sequence sequence) {
  auto began = std::chrono::steady_clock::now();
  if (began < rests_until_) return;
  auto key = session.newest_private({sequence.value + 1});
  auto last = liabilities_->newest();
  if (!key || (last && key->sequence <= *last)) return;
  auto maker = liabilities_->make(sequence, codec::liabilities_secret(sequence, key->secret));
  std::vector<journal::SnapshotSession::Owed> page;
  for (std::optional<AccountNumber> next{AccountNumber{0}}; next;) {
    stop_if_told();
    page.clear();
    next = session.owed(*next, accounts_at_once, page);
    for (const auto& owed : page) maker->add(owed.account, owed.asset, owed.amount);
  }
  liabilities_->finish(std::move(maker));
  auto took = std::chrono::steady_clock::now() - began;
  if (took > short_work) rests_until_ = std::chrono::steady_clock::now() + rest_after_work * took;
  options_.liabilities_finished(sequence, std::chrono::duration<double>(took).count());
}

void Snapshots::put_accounts(journal::SnapshotSession& session, const Folding& folding) {
  std::vector<AccountNumber> numbers;
  auto put = [&] {
    stop_if_told();
    if (!numbers.empty()) put_leaves(session, folding, numbers, *tree_);
    numbers.clear();
  };
  for (std::uint64_t number = 0; number < folding.touched().size(); ++number) {
    if (!folding.touched()[number]) continue;
    numbers.push_back({number});
    if (numbers.size() == accounts_at_once) put();
  }
  put();
}

void Snapshots::stop_if_told() const {
  std::lock_guard lock(mutex_);
  if (stopping_) throw Stopped();
}

}  // namespace windlass::snapshot
