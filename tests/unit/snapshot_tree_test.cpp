// The tree of balance snapshots against a list of leaves: every snapshot that is kept is proven as it was,
// whatever came after it, and neither an interrupted change nor a loss of power leaves a trace.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "ledger/snapshot/account_tree.h"
#include "tests/seeded.h"
#include "tests/unit/scratch_folder.h"

namespace windlass::test {
namespace {

namespace fs = std::filesystem;
using snapshot::AccountTree;
using snapshot::Snapshot;
using Leaves = std::vector<std::string>;

Hash root_of(const Leaves& leaves) {
  std::vector<Hash> hashes;
  for (const auto& leaf : leaves) hashes.push_back(log::leaf_hash(leaf));
  return log::root_of(hashes);
}

// What the test does whenever a file is to be synced; false: the disk fails.
std::function<bool(const fs::path&)> on_sync;
bool disk_is_full = false;

int sync_file(int fd) {
  if (!on_sync || on_sync(fs::read_symlink("/proc/self/fd/" + std::to_string(fd)))) return 0;
  errno = EIO;
  return -1;
}

}  // namespace

// Before the C library's: the tests decide what reaches the disk.
extern "C" int fdatasync(int fd) {
  return sync_file(fd);
}
extern "C" int fsync(int fd) {
  return sync_file(fd);
}
extern "C" ssize_t pwrite(int fd, const void* data, std::size_t size, off_t at) {
  if (!disk_is_full) return ::syscall(SYS_pwrite64, fd, data, size, at);
  errno = ENOSPC;
  return -1;
}

namespace {

// A disk that keeps what is synced; of the rest, as luck has it.
class Disk {
 public:
  Disk(const fs::path& folder, Seeded& random) : folder_(folder), random_(random) {
    for (const auto& file : fs::directory_iterator(folder)) synced(file.path());
  }
  // "x.new" is about to be x.
  void synced(const fs::path& file) {
    if (!fs::is_directory(file))
      synced_[file.extension() == ".new" ? file.stem() : file.filename()] = content(file);
  }
  // As a loss of power leaves it.
  void copy_to(const ScratchFolder& copy) {
    std::uint64_t luck = random_.below(3);  // good, bad, mixed
    for (const auto& file : fs::directory_iterator(folder_)) {
      fs::path name = file.path().filename();
      bool whole = luck == 0 || (luck == 2 && random_.one_in(2));
      copy.write(name, whole ? content(file.path()) : synced_[name]);
    }
  }

 private:
  static std::string content(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  const fs::path folder_;
  Seeded& random_;
  std::map<fs::path, std::string> synced_;  // by name
};

class SnapshotTree : public ::testing::Test {
 protected:
  void TearDown() override { on_sync = nullptr, disk_is_full = false; }
  void reopen() { tree = std::make_unique<AccountTree>(folder.path(), ledger_id); }

  // Some accounts changed, some new.
  void change() {
    Leaves next = leaves;
    std::uint64_t fresh = random.below(40);
    std::set<std::uint64_t> changed;
    for (std::uint64_t i = 0; i < fresh; ++i) changed.insert(next.size() + i);
    for (std::uint64_t i = random.below(20); i-- > 0 && !next.empty();)
      changed.insert(random.below(next.size()));
    next.resize(next.size() + fresh);
    sequence += 1 + random.below(1000);
    tree->begin();
    for (auto account : changed) {
      next[account] = random.bytes(codec::account_leaf_bytes);
      tree->put({account}, next[account]);
    }
    kept[sequence] = next;
    EXPECT_EQ(tree->finish({sequence}, next.size(), pinned).root, root_of(next));
    leaves = next;
    finished = sequence;
  }

  void check_all() {
    auto newest = tree->newest();
    ASSERT_EQ(newest ? newest->sequence.value : 0, finished);
    check(*tree, 32);
  }
  // About so many `samples` of each snapshot's accounts.
  void check(const AccountTree& any, std::uint64_t samples) {
    for (const auto& snapshot : any.snapshots()) {
      const auto& then = kept.at(snapshot.sequence.value);
      ASSERT_EQ(snapshot.accounts, then.size());
      ASSERT_EQ(snapshot.root, root_of(then));
      for (std::uint64_t account = 0; account < then.size();
           account += 1 + random.below(2 * then.size() / samples + 1)) {
        auto proof = any.prove(snapshot.sequence, {account});
        ASSERT_TRUE(proof);
        ASSERT_EQ(proof->leaf, then[account]);
        ASSERT_TRUE(log::verify_inclusion(log::leaf_hash(proof->leaf), account, then.size(), proof->path,
                                          snapshot.root));
      }
      EXPECT_FALSE(any.prove(snapshot.sequence, {then.size()}));
    }
  }

  ScratchFolder folder;
  Hash ledger_id{1};
  Seeded random;
  Leaves leaves;               // of the newest
  std::uint64_t finished = 0;  // the newest
  std::uint64_t sequence = 0;  // of the change under way, or the last one
  std::map<std::uint64_t, Leaves> kept;
  std::vector<core::Sequence> pinned;
  std::unique_ptr<AccountTree> tree = std::make_unique<AccountTree>(folder.path(), ledger_id);
};

TEST_F(SnapshotTree, ProvesEveryKeptSnapshotAsItWas) {
  for (int i = 0; i < 12; ++i) change();
  check_all();
  reopen();
  check_all();
}

TEST_F(SnapshotTree, TakesAnInterruptedChangeBack) {
  for (int i = 0; i < 15; ++i) {
    change();
    // The last thing to fail is the file that names the new snapshot.
    std::uint64_t good = random.below(24);
    on_sync = [&](const fs::path& file) { return file.filename() != "head.new" && good-- != 0; };
    EXPECT_THROW(change(), std::system_error);
    on_sync = nullptr;
    check_all();
    if (i % 3 == 0) {
      disk_is_full = true;
      on_sync = [](const auto&) { return false; };
      EXPECT_THROW(tree->roll_back(), std::system_error);  // the next change does it
      disk_is_full = false;
      on_sync = nullptr;
    } else if (i % 3 == 1) {
      tree->roll_back();
    } else {
      reopen();
    }
    check_all();
  }
}

TEST_F(SnapshotTree, AnswersFromTheLastSnapshotWhileTheNextIsMade) {
  for (int i = 0; i < 4; ++i) {
    change();
    on_sync = [&](const fs::path& file) {
      bool readers_wait = file.filename() == "head.new" || file == folder.path();
      if (!readers_wait) check_all();
      return true;
    };
    change();
  }
}

TEST_F(SnapshotTree, ServesReadersWhileItChanges) {
  while (leaves.empty()) change();
  constexpr int proofs_a_change = 64;  // of each reader, who then waits for the next: locks favour readers
  std::atomic<bool> over = false;
  std::atomic<std::uint64_t> changes = 0, proven = 0, wrong = 0;
  auto read = [&](std::uint64_t seed) {
    Seeded choice(seed, Seeded::Quiet{});
    for (std::uint64_t seen = 0; !over; changes.wait(seen), seen = changes)
      for (int i = 0; i < proofs_a_change; ++i) {
        auto all = tree->snapshots();
        const auto& one = all[choice.below(all.size())];
        std::uint64_t account = one.accounts == 0 ? 0 : choice.below(one.accounts);
        auto proof = tree->prove(one.sequence, {account});  // none: dropped meanwhile
        proven += proof ? 1 : 0;
        wrong += proof && !log::verify_inclusion(log::leaf_hash(proof->leaf), account, one.accounts,
                                                 proof->path, one.root);
      }
  };
  auto changed = [&] {
    ++changes;
    changes.notify_all();
  };
  {
    std::jthread first(read, random.below(1000)), second(read, random.below(1000));
    for (std::size_t i = 0; i < snapshot::kept_snapshots + 12; ++i) {
      change();
      changed();
    }
    over = true;
    changed();
  }
  EXPECT_GT(proven, 0U);
  EXPECT_EQ(wrong, 0U);
}

TEST_F(SnapshotTree, LosesNothingWithThePower) {
  while (tree->snapshots().size() < snapshot::kept_snapshots - 1) change();
  Disk disk(folder.path(), random);
  auto lose_power = [&] {
    ScratchFolder copy;
    disk.copy_to(copy);
    AccountTree after(copy.path(), ledger_id);
    auto newest = after.newest();
    ASSERT_TRUE(newest && (newest->sequence.value == finished || newest->sequence.value == sequence));
    check(after, 2);
  };
  std::uint64_t good = ~std::uint64_t{0};
  on_sync = [&](const fs::path& file) {
    if (file != folder.path() && file.parent_path() != folder.path()) return true;  // the copy's
    lose_power();
    disk.synced(file);
    return good-- != 0;
  };
  for (int i = 0; i < 2; ++i) {
    change();
    lose_power();
  }
  good = random.below(8);
  EXPECT_THROW(change(), std::system_error);
  tree->roll_back();
  lose_power();
}

TEST_F(SnapshotTree, KeepsTheNewestAndThePinnedOnes) {
  for (std::size_t i = 0; i < snapshot::kept_snapshots + 12; ++i) {
    change();
    if (i == 2 || i == 5) pinned.push_back({sequence});
  }
  auto all = tree->snapshots();
  EXPECT_EQ(all.size(), snapshot::kept_snapshots + pinned.size());
  EXPECT_EQ(all[0].sequence, pinned[0]);
  EXPECT_EQ(all[1].sequence, pinned[1]);
  check_all();
  reopen();
  check_all();
}

TEST_F(SnapshotTree, DiscardsWhatIsAnotherLedgersOrDamaged) {
  change();
  change();
  ledger_id = {2};
  reopen();
  EXPECT_FALSE(tree->newest());
  leaves.clear(), kept.clear(), finished = 0;
  while (leaves.size() < 2) change();
  tree.reset();
  for (const auto& file : std::filesystem::directory_iterator(folder.path()))
    if (file.path().filename() != "head") std::filesystem::resize_file(file.path(), 0);
  reopen();
  EXPECT_FALSE(tree->newest());
}

}  // namespace
}  // namespace windlass::test
