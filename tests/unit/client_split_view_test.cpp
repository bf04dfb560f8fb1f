// Evidence of a split view, over all pairs of small trees; and what is remembered between two commands.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "client/split_view.h"
#include "tests/unit/scratch_folder.h"

namespace windlass::client {
namespace {

const log::NoteSigner signer("example.org/ledger", Ed25519SecretKey::from_seed({1}));
const log::NoteSigner stranger("example.org/ledger", Ed25519SecretKey::from_seed({2}));

// A tree in memory; two of different seeds differ in every leaf from `fork` on.
class Tree final : public log::NodeReader {
 public:
  Tree(std::uint64_t size, std::uint64_t fork, char seed) {
    for (std::uint64_t i = 0; i < size; ++i)
      leaves_.push_back(log::leaf_hash(std::to_string(i) + (i < fork ? ' ' : seed)));
  }
  Hash node(int level, std::uint64_t index) const override {
    return log::root_of(std::span(leaves_).subspan(index << level, std::size_t{1} << level));
  }
  std::string note(std::uint64_t size, const log::NoteSigner& by = signer) const {
    return by.sign(log::Checkpoint{"example.org/ledger", size, log::root_at(*this, size)}.text());
  }

 private:
  std::vector<Hash> leaves_;
};

constexpr std::uint64_t largest = 20;

SplitView evidence_of(const Tree& one, std::uint64_t older, const Tree& other, std::uint64_t newer) {
  SplitView evidence{one.note(older), other.note(newer), std::nullopt, {}};
  if (older == newer) return evidence;
  evidence.root = log::root_at(other, older);
  evidence.proof = log::consistency_proof(other, older, newer);
  return evidence;
}

TEST(SplitView, IsProvenForEveryPairOfForkedTrees) {
  Tree one(largest, 5, 'a'), other(largest, 5, 'b');
  for (std::uint64_t older = 6; older <= largest; ++older)
    for (std::uint64_t newer = older; newer <= largest; ++newer) {
      auto evidence = SplitView::parse(evidence_of(one, older, other, newer).text());
      ASSERT_TRUE(evidence) << older << " " << newer;
      auto split = check_split_view(*evidence, signer.verifier());
      ASSERT_TRUE(split) << older << " " << newer << ": " << split.error();
      EXPECT_EQ(split->older.size, older);
      EXPECT_EQ(split->newer.size, newer);
      EXPECT_FALSE(check_split_view(*evidence, stranger.verifier()));
    }
}

TEST(SplitView, IsNeverProvenOfOneHistory) {
  Tree tree(largest, 0, 'a'), other(largest, 0, 'b');
  for (std::uint64_t older = 1; older <= largest; ++older)
    for (std::uint64_t newer = older; newer <= largest; ++newer) {
      SplitView evidence = evidence_of(tree, older, tree, newer);
      EXPECT_FALSE(check_split_view(evidence, signer.verifier())) << older << " " << newer;
      evidence.root = log::root_at(other, older);
      EXPECT_FALSE(check_split_view(evidence, signer.verifier())) << "a root from elsewhere";
      evidence.proof = log::consistency_proof(other, older, newer);
      EXPECT_FALSE(check_split_view(evidence, signer.verifier())) << "a proof from elsewhere";
      evidence.root.reset();
      EXPECT_FALSE(check_split_view(evidence, signer.verifier())) << "no root";
    }
}

TEST(SplitView, NeedsBothSignatures) {
  Tree one(9, 5, 'a'), other(9, 5, 'b');
  SplitView evidence = evidence_of(one, 7, other, 9);
  ASSERT_TRUE(check_split_view(evidence, signer.verifier()));
  SplitView forged = evidence;
  forged.older = one.note(7, stranger);
  EXPECT_FALSE(check_split_view(forged, signer.verifier()));
  forged = evidence;
  forged.newer = other.note(9, stranger);
  EXPECT_FALSE(check_split_view(forged, signer.verifier()));
}

TEST(SplitView, ReadsWhatItWritesAndNothingElse) {
  Tree one(9, 5, 'a'), other(9, 5, 'b');
  for (std::uint64_t newer : {7, 9}) {
    std::string text = evidence_of(one, 7, other, newer).text();
    EXPECT_EQ(SplitView::parse(text)->text(), text);
    EXPECT_FALSE(SplitView::parse(text + "\n\n"));
    EXPECT_FALSE(SplitView::parse(text.substr(1)));
    EXPECT_FALSE(SplitView::parse(text.substr(0, text.rfind("\n\n") - 1)));
    EXPECT_FALSE(SplitView::parse("windlass/split-view/v2" + text.substr(text.find('\n'))));
    EXPECT_FALSE(SplitView::parse("windlass/split-view/v1\nAAAA" + text.substr(text.find('\n'))));
  }
  EXPECT_FALSE(SplitView::parse(""));
  EXPECT_FALSE(SplitView::parse(one.note(7)));
}

TEST(SplitView, TheProofsOwnOldRootIsFoundWhereItNamesOne) {
  Tree tree(largest, 0, 'a');
  for (std::uint64_t older = 1; older <= largest; ++older)
    for (std::uint64_t newer = older; newer <= largest; ++newer) {
      auto proof = log::consistency_proof(tree, older, newer);
      auto root = log::claimed_old_root(older, newer, proof);
      if (std::has_single_bit(older) || older == newer) {
        EXPECT_FALSE(root);
      } else {
        EXPECT_EQ(root, log::root_at(tree, older)) << older << " " << newer;
        proof.emplace_back();
        EXPECT_FALSE(log::claimed_old_root(older, newer, proof));
      }
    }
}

TEST(CheckpointMemory, KeepsTheNoteForItsOwnerAlone) {
  test::ScratchFolder folder;
  CheckpointMemory memory(folder.path() / "a" / "b");
  Tree tree(9, 0, 'a');
  EXPECT_FALSE(memory.newest(signer.verifier()));
  memory.keep(signer.verifier(), tree.note(7));
  memory.keep(stranger.verifier(), tree.note(8, stranger));
  memory.keep(signer.verifier(), tree.note(9));
  EXPECT_EQ(memory.newest(signer.verifier()), tree.note(9));
  EXPECT_EQ(memory.newest(stranger.verifier()), tree.note(8, stranger)) << "another key is another log";
  struct stat info {};
  ASSERT_EQ(::stat(memory.file(signer.verifier()).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST(CheckpointMemory, IsAsIfEmptyWhereItCannotBeReadOrWritten) {
  test::ScratchFolder folder;
  Tree tree(9, 0, 'a');
  CheckpointMemory none((std::filesystem::path()));
  none.keep(signer.verifier(), tree.note(9));
  EXPECT_FALSE(none.newest(signer.verifier()));
  CheckpointMemory blocked(folder.write("file", "") / "below");
  blocked.keep(signer.verifier(), tree.note(9));
  EXPECT_FALSE(blocked.newest(signer.verifier()));
  CheckpointMemory memory(folder.path());
  for (const std::string& bad : {std::string(), std::string("garbage"), tree.note(9, stranger)}) {
    std::ofstream(memory.file(signer.verifier())) << bad;
    EXPECT_FALSE(memory.newest(signer.verifier()));
  }
}

TEST(CheckpointMemory, StandsWhereTheUserWantsIt) {
  ::setenv("HOME", "/home/somebody", 1);
  ::unsetenv("XDG_STATE_HOME");
  EXPECT_EQ(CheckpointMemory::default_directory(""), "/home/somebody/.config/windlass/checkpoints");
  ::setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(CheckpointMemory::default_directory(""), "/state/windlass/checkpoints");
  EXPECT_EQ(CheckpointMemory::default_directory("/here"), "/here");
  EXPECT_EQ(CheckpointMemory::default_directory("off"), "");
}

}  // namespace
}  // namespace windlass::client
