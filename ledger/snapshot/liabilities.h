// Proofs of liabilities on disk: of each kept entry, for each asset, the tree of sums over what the ledger
// owed then. Made whole each time, since leaves of two of them must not be comparable; the leaves stand in
// the order of their hashes, which says nothing of whose they are, and an account's are found by them.
//
//   <dir>/<sequence>.head    the ledger, the secret, and a line for each asset: leaves, total, root
//   <dir>/<sequence>.nodes   for each asset the leaves, then the nodes of every 8th level above them
//
// Nothing here is the truth: what is lost or damaged is gone until the next one is made.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "ledger/codec/liabilities.h"
#include "ledger/snapshot/record_file.h"

namespace windlass::snapshot {

// Older ones are dropped. An anchored seal's must still be there when somebody asks for it.
constexpr std::size_t kept_liabilities = 32;
// Likewise, but for the two newest: one has 80 bytes for each account and asset.
constexpr std::uint64_t max_liabilities_bytes = std::uint64_t{4} << 30;
// In memory while they are made: some 46 MB. More are sorted in files.
constexpr std::size_t liability_leaves_in_memory = std::size_t{1} << 20;

struct LiabilityProof {
  core::Sequence sequence;
  std::vector<codec::AssetLiabilities> assets;
  struct Share {
    core::Amount amount = 0;
    codec::SumPath path;
  };
  codec::Secret secret{};     // of the account's leaves
  std::vector<Share> shares;  // none: nothing is owed
};

class Liabilities {
 public:
  // Sees those of this ledger that are whole. Throws std::system_error, as all of it.
  Liabilities(std::filesystem::path dir, const Hash& ledger_id);
  ~Liabilities();

  std::optional<core::Sequence> newest() const;
  // What a seal names: sequence, and root over the assets.
  std::optional<std::pair<core::Sequence, Hash>> newest_root() const;
  // Nothing where none of this entry is kept.
  std::optional<LiabilityProof> prove(core::Sequence sequence, core::AccountNumber account,
                                      core::AssetId asset) const;

  // Making one is: add() each account's amounts above 0 in any order, then finish(). One thread.
  class Maker;
  std::unique_ptr<Maker> make(core::Sequence sequence, const codec::Secret& secret,
                              std::size_t leaves_in_memory = liability_leaves_in_memory) const;
  void finish(std::unique_ptr<Maker> made);
  // All from this entry on: they were made from another database.
  void discard_from(core::Sequence sequence);

 private:
  struct Made;  // what a head says, and the nodes

  void load(const std::filesystem::path& head);
  void drop_old();
  void remove(core::Sequence sequence) const;

  const std::filesystem::path dir_;
  const Hash ledger_id_;
  mutable std::mutex mutex_;
  std::map<core::Sequence, std::shared_ptr<const Made>> kept_;
};

class Liabilities::Maker {
 public:
  Maker(std::filesystem::path dir, core::Sequence sequence, const codec::Secret& secret,
        std::size_t leaves_in_memory);
  ~Maker();
  void add(core::AccountNumber account, core::AssetId asset, core::Amount amount);

 private:
  friend class Liabilities;
  class Merge;
  // u32 asset || 32 hash || i64 amount: their order is that of the leaves.
  using Record = ByteArray<4 + 32 + 8>;
  struct Asset {
    codec::AssetLiabilities what;
    std::uint64_t leaves = 0;
  };
  void spill();
  // Writes the nodes, on disk when it returns.
  std::vector<Asset> write();

  const std::filesystem::path dir_;
  const core::Sequence sequence_;
  const codec::Secret secret_;
  const std::size_t leaves_in_memory_;
  std::vector<Record> waiting_;  // sorted and written to a run when there are too many
  std::vector<std::filesystem::path> runs_;
};

}  // namespace windlass::snapshot
