#include "ledger/snapshot/liabilities.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <queue>
#include <sstream>

#include "ledger/log/durable_file.h"

namespace windlass::snapshot {
namespace {

namespace fs = std::filesystem;
using codec::SumNode;

constexpr const char* format_name = "windlass liabilities v1";
constexpr std::size_t node_bytes = 32 + 8;  // hash || i64 sum
constexpr std::uint64_t tile = 256;         // the nodes between are computed again for a proof
constexpr std::size_t write_bytes = std::size_t{1} << 20;
constexpr std::size_t read_records = 4'096;  // of each run that is merged

void append_node(std::string& out, const SumNode& node) {
  out += view(node.hash);
  append_be(out, node.sum);
}

std::vector<SumNode> read_nodes(const RecordFile& file, std::uint64_t place, std::size_t count) {
  std::string bytes = file.read(place, count);
  ByteReader in(bytes);
  std::vector<SumNode> nodes;
  for (std::size_t i = 0; i < count; ++i) {
    SumNode node{in.array<32>(), 0};
    node.sum = in.be<std::int64_t>();
    nodes.push_back(node);
  }
  return nodes;
}

std::uint64_t above(std::uint64_t nodes) {
  return (nodes + tile - 1) / tile;
}
// In the file, of an asset with so many leaves.
std::uint64_t nodes_of(std::uint64_t leaves) {
  std::uint64_t all = leaves;
  for (auto level = leaves; level > 1; all += level) level = above(level);
  return all;
}

fs::path head_path(const fs::path& dir, core::Sequence sequence) {
  return dir / fmt::format("{}.head", sequence.value);
}
fs::path nodes_path(const fs::path& dir, core::Sequence sequence) {
  return dir / fmt::format("{}.nodes", sequence.value);
}

}  // namespace

// --- what is kept

struct Liabilities::Made {
  codec::Secret secret{};
  struct Asset {
    codec::AssetLiabilities what;
    std::uint64_t leaves = 0, place = 0;  // of its first leaf in the file
  };
  std::vector<Asset> assets;
  Hash root{};
  std::uint64_t bytes = 0;
  RecordFile nodes;

  std::vector<codec::AssetLiabilities> all() const {
    std::vector<codec::AssetLiabilities> out;
    for (const auto& asset : assets) out.push_back(asset.what);
    return out;
  }
  // The leaf's place among its asset's.
  std::optional<std::uint64_t> find(const Asset& asset, const Hash& leaf) const {
    std::uint64_t low = 0, high = asset.leaves;
    while (low < high) {
      std::uint64_t middle = low + (high - low) / 2;
      Hash found = read_nodes(nodes, asset.place + middle, 1).front().hash;
      if (found == leaf) return middle;
      (found < leaf ? low : high) = found < leaf ? middle + 1 : middle;
    }
    return std::nullopt;
  }
  codec::SumPath path(const Asset& asset, std::uint64_t index) const {
    codec::SumPath path;
    std::uint64_t place = asset.place;
    for (auto count = asset.leaves; count > 1; index /= tile) {
      std::uint64_t first = index / tile * tile;
      auto siblings = read_nodes(nodes, place + first, std::min(tile, count - first));
      auto part = codec::path_of_sums(std::move(siblings), index - first);
      path.insert(path.end(), part.begin(), part.end());
      place += count;
      count = above(count);
    }
    return path;
  }
};

Liabilities::Liabilities(fs::path dir, const Hash& ledger_id) : dir_(std::move(dir)), ledger_id_(ledger_id) {
  fs::create_directories(dir_);
  fs::permissions(dir_, fs::perms::owner_all);  // who has a head's secret can tell whose the leaves are
  std::vector<fs::path> heads;
  for (const auto& file : fs::directory_iterator(dir_))
    if (file.path().extension() == ".head") heads.push_back(file.path());
  for (const auto& head : heads) load(head);
  for (const auto& file : fs::directory_iterator(dir_)) {
    auto kept = std::any_of(kept_.begin(), kept_.end(), [&](const auto& one) {
      return file.path() == head_path(dir_, one.first) || file.path() == nodes_path(dir_, one.first);
    });
    if (!kept) fs::remove_all(file);
  }
}

Liabilities::~Liabilities() = default;

void Liabilities::load(const fs::path& head) {
  std::ifstream in(head);
  std::string first, line;
  if (!std::getline(in, first) || first != fmt::format("{} {}", format_name, to_hex(ledger_id_))) return;
  core::Sequence sequence;
  std::string secret;
  if (!std::getline(in, line) || !(std::istringstream(line) >> sequence.value >> secret)) return;
  auto hash_of = [](const std::string& hex) { return to_array<32>(from_hex(hex).value_or("")); };
  if (head != head_path(dir_, sequence) || !hash_of(secret)) return;
  auto path = nodes_path(dir_, sequence);
  Made made{*hash_of(secret), {}, {}, 0, RecordFile(path, node_bytes, RecordFile::Open::keep)};
  std::uint64_t place = 0;
  while (std::getline(in, line)) {
    Made::Asset asset;
    std::string root;
    if (!(std::istringstream(line) >> asset.what.asset.value >> asset.leaves >> asset.what.total >> root) ||
        !hash_of(root) || asset.leaves < codec::liability_shares)
      return;
    asset.what.root = *hash_of(root);
    asset.place = place;
    place += nodes_of(asset.leaves);
    made.assets.push_back(asset);
  }
  if (made.nodes.count() != place) return;
  made.bytes = place * node_bytes;
  made.root = codec::liabilities_root(made.all());
  kept_[sequence] = std::make_shared<const Made>(std::move(made));
}

std::optional<core::Sequence> Liabilities::newest() const {
  std::lock_guard lock(mutex_);
  if (kept_.empty()) return std::nullopt;
  return kept_.rbegin()->first;
}

std::optional<std::pair<core::Sequence, Hash>> Liabilities::newest_root() const {
  std::lock_guard lock(mutex_);
  if (kept_.empty()) return std::nullopt;
  return std::pair(kept_.rbegin()->first, kept_.rbegin()->second->root);
}

std::optional<LiabilityProof> Liabilities::prove(core::Sequence sequence, core::AccountNumber account,
                                                 core::AssetId asset) const {
  std::shared_ptr<const Made> made;
  {
    std::lock_guard lock(mutex_);
    auto found = kept_.find(sequence);
    if (found == kept_.end()) return std::nullopt;
    made = found->second;
  }
  LiabilityProof proof{sequence, made->all(), {}, {}};
  auto wanted = std::find_if(made->assets.begin(), made->assets.end(),
                             [&](const auto& one) { return one.what.asset == asset; });
  if (wanted == made->assets.end()) return proof;
  auto secret = codec::account_liability_secret(made->secret, account, asset);
  for (std::uint8_t share = 0; share < codec::liability_shares; ++share) {
    auto index = made->find(*wanted, codec::liability_leaf(secret, account, asset, share));
    if (!index) return proof;
    auto leaf = read_nodes(made->nodes, wanted->place + *index, 1).front();
    proof.shares.push_back({leaf.sum, made->path(*wanted, *index)});
    // A damaged file must not make the ledger look as if it cheated.
    if (codec::climb(leaf, proof.shares.back().path) != SumNode{wanted->what.root, wanted->what.total})
      return std::nullopt;
  }
  proof.secret = secret;
  return proof;
}

// --- making

std::unique_ptr<Liabilities::Maker> Liabilities::make(core::Sequence sequence, const codec::Secret& secret, std::size_t leaves_in_memory) const {
  return std::make_unique<Maker>(dir_, sequence, secret, leaves_in_memory);
}

void Liabilities::finish(std::unique_ptr<Maker> made) {
  std::string head = fmt::format("{} {}\n{} {}\n", format_name, to_hex(ledger_id_), made->sequence_.value,
                                 to_hex(made->secret_));
  for (const auto& asset : made->write())
    head += fmt::format("{} {} {} {}\n", asset.what.asset.value, asset.leaves, asset.what.total,
                        to_hex(asset.what.root));
  auto path = head_path(dir_, made->sequence_);
  log::write_durably(path, head);
  std::lock_guard lock(mutex_);
  load(path);
  drop_old();
}

void Liabilities::drop_old() {
  std::uint64_t bytes = 0;
  for (const auto& [sequence, made] : kept_) bytes += made->bytes;
  while (kept_.size() > 2 && (kept_.size() > kept_liabilities || bytes > max_liabilities_bytes)) {
    bytes -= kept_.begin()->second->bytes;
    remove(kept_.begin()->first);
    kept_.erase(kept_.begin());
  }
}

void Liabilities::discard_from(core::Sequence sequence) {
  std::lock_guard lock(mutex_);
  auto first = kept_.lower_bound(sequence);
  for (auto it = first; it != kept_.end(); ++it) remove(it->first);
  kept_.erase(first, kept_.end());
}

void Liabilities::remove(core::Sequence sequence) const {
  fs::remove(head_path(dir_, sequence));
  fs::remove(nodes_path(dir_, sequence));
}

Liabilities::Maker::Maker(fs::path dir, core::Sequence sequence, const codec::Secret& secret,
                          std::size_t leaves_in_memory)
    : dir_(std::move(dir)), sequence_(sequence), secret_(secret), leaves_in_memory_(leaves_in_memory) {}

Liabilities::Maker::~Maker() {
  std::error_code ignored;
  for (const auto& run : runs_) fs::remove(run, ignored);
}

void Liabilities::Maker::add(core::AccountNumber account, core::AssetId asset, core::Amount amount) {
  for (const auto& leaf : codec::liability_leaves(secret_, account, asset, amount)) {
    std::string record;
    append_be(record, asset.value);
    append_node(record, leaf);
    waiting_.push_back(*to_array<std::tuple_size_v<Record>>(record));
  }
  if (waiting_.size() >= leaves_in_memory_) spill();
}

void Liabilities::Maker::spill() {
  std::sort(waiting_.begin(), waiting_.end());
  runs_.push_back(dir_ / fmt::format("run.{}", runs_.size()));
  RecordFile file(runs_.back(), sizeof(Record), RecordFile::Open::empty);
  file.write(0, ByteView(reinterpret_cast<const char*>(waiting_.data()), waiting_.size() * sizeof(Record)));
  waiting_.clear();
}

// All records in order: of the runs, and of what was never written to one.
class Liabilities::Maker::Merge {
 public:
  explicit Merge(Maker& maker) {
    std::sort(maker.waiting_.begin(), maker.waiting_.end());
    for (const auto& run : maker.runs_)
      sources_.push_back(
          {std::make_unique<RecordFile>(run, sizeof(Record), RecordFile::Open::keep), 0, {}, 0});
    sources_.push_back({nullptr, 0, std::move(maker.waiting_), 0});
    for (std::size_t i = 0; i < sources_.size(); ++i) push(i);
  }
  std::optional<Record> next() {
    if (heap_.empty()) return std::nullopt;
    auto [record, source] = heap_.top();
    heap_.pop();
    push(source);
    return record;
  }

 private:
  struct Source {
    std::unique_ptr<RecordFile> file;  // null: all is in the page
    std::uint64_t read = 0;
    std::vector<Record> page;
    std::size_t place = 0;
  };
  void push(std::size_t number) {
    Source& source = sources_[number];
    if (source.place == source.page.size()) refill(source);
    if (source.place < source.page.size()) heap_.emplace(source.page[source.place++], number);
  }
  static void refill(Source& source) {
    source.page.clear();
    source.place = 0;
    if (!source.file) return;
    auto count = std::min<std::uint64_t>(read_records, source.file->count() - source.read);
    std::string bytes = source.file->read(source.read, count);
    source.page.resize(count);
    std::memcpy(source.page.data(), bytes.data(), bytes.size());
    source.read += count;
  }

  using Head = std::pair<Record, std::size_t>;
  std::vector<Source> sources_;
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heap_;
};

namespace {

// Appends nodes to a file in pieces.
class Writer {
 public:
  explicit Writer(const fs::path& path) : file_(path, node_bytes, RecordFile::Open::empty) {}
  void add(const SumNode& node) {
    append_node(buffer_, node);
    if (buffer_.size() >= write_bytes) flush();
  }
  void finish() {
    flush();
    file_.sync();
  }

 private:
  void flush() {
    file_.write(written_, buffer_);
    written_ += buffer_.size() / node_bytes;
    buffer_.clear();
  }
  RecordFile file_;
  std::string buffer_;
  std::uint64_t written_ = 0;
};

// The roots of tiles, as their nodes come by; they are the next level.
class Tiles {
 public:
  void add(const SumNode& node) {
    open_.push_back(node);
    if (open_.size() == tile) close();
  }
  std::vector<SumNode> finish() {
    if (!open_.empty()) close();
    return std::exchange(roots_, {});
  }

 private:
  void close() { roots_.push_back(codec::root_of_sums(std::exchange(open_, {}))); }
  std::vector<SumNode> open_, roots_;
};

// Writes the levels above the leaves; the root.
SumNode write_above(std::vector<SumNode> level, Writer& out) {
  for (;;) {
    for (const auto& node : level) out.add(node);
    if (level.size() == 1) return level.front();
    Tiles next;
    for (const auto& node : level) next.add(node);
    level = next.finish();
  }
}

}  // namespace

std::vector<Liabilities::Maker::Asset> Liabilities::Maker::write() {
  std::vector<Asset> assets;
  Writer out(nodes_path(dir_, sequence_));
  Tiles tiles;
  auto end_asset = [&] {
    if (assets.empty()) return;
    SumNode root = write_above(tiles.finish(), out);
    assets.back().what.total = root.sum;
    assets.back().what.root = root.hash;
  };
  Merge merge(*this);
  while (auto record = merge.next()) {
    ByteReader in(view(*record));
    core::AssetId asset{in.be<std::uint32_t>()};
    SumNode leaf{in.array<32>(), 0};
    leaf.sum = in.be<std::int64_t>();
    if (assets.empty() || assets.back().what.asset != asset) {
      end_asset();
      assets.push_back({{asset, 0, {}}, 0});
    }
    ++assets.back().leaves;
    out.add(leaf);
    tiles.add(leaf);
  }
  end_asset();
  out.finish();
  return assets;
}

}  // namespace windlass::snapshot
