#include "ledger/log/tiles.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <charconv>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace windlass::log {
namespace {

namespace fs = std::filesystem;

constexpr int levels = 8;                   // of 8 bits each: sizes have 64
constexpr int max_path_level = levels - 1;  // a tile above it could not have a leaf
constexpr std::uint64_t max_tile_index = (std::uint64_t{1} << 56) - 1;
constexpr std::size_t hash_bytes = sizeof(Hash);
constexpr std::size_t tile_bytes = tile_width * hash_bytes;
// Of each level; a tile takes 16 KiB. Above the leaves' level these are all of a log of 67 million leaves.
constexpr std::uint64_t cached_leaf_tiles = 64, cached_tiles = 1024;
constexpr std::uint64_t recheck_tiles = 256;

[[noreturn]] void throw_errno(const char* what, const fs::path& path) {
  throw std::system_error(errno, std::generic_category(), std::string(what) + " " + path.string());
}

class File {
 public:
  File(const fs::path& path, int flags) : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }

  bool is_open() const { return fd_ >= 0; }
  // Not by fstat: after that Linux gives the file's next write an exact time, and no write to any file a time
  // before it. So each commit would change the time of Postgres' log, and an ext4 without a journal writes
  // its inode, too, before fdatasync returns.
  std::uint64_t size() const {
    off_t end = ::lseek(fd_, 0, SEEK_END);
    if (end < 0) throw_errno("cannot seek in", path_);
    return static_cast<std::uint64_t>(end);
  }
  std::string read() const {
    std::string out(size(), '\0');
    std::size_t done = 0;
    while (done < out.size()) {
      ssize_t count = ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw_errno("cannot read", path_);
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    out.resize(done);
    return out;
  }
  // Makes `bytes` the end of the file.
  void write(std::uint64_t offset, ByteView bytes) const {
    std::uint64_t end = offset + bytes.size();
    while (!bytes.empty()) {
      ssize_t count = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(end - bytes.size()));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw_errno("cannot write", path_);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    if (size() > end && ::ftruncate(fd_, static_cast<off_t>(end)) != 0) throw_errno("cannot truncate", path_);
  }

 private:
  const fs::path& path_;
  int fd_;
};

// The file's bytes; empty when there is no such file.
std::string read_file(const fs::path& path) {
  File file(path, O_RDONLY);
  if (file.is_open()) return file.read();
  if (errno == ENOENT) return {};
  throw_errno("cannot open", path);
}

void write_file(const fs::path& path, std::uint64_t offset, ByteView bytes) {
  for (bool directory_made = false;; directory_made = true) {
    File file(path, O_WRONLY | O_CREAT);
    if (file.is_open()) return file.write(offset, bytes);
    if (errno != ENOENT || directory_made) throw_errno("cannot open", path);
    fs::create_directories(path.parent_path());
  }
}

// A tile's hashes and all nodes between them and its root, each computed as soon as what it covers is there.
class Tile {
 public:
  explicit Tile(std::uint64_t index) : index_(index) {}
  std::uint64_t index() const { return index_; }
  const Hash& at(int height, std::uint64_t place) const { return nodes_[row(height) + place]; }
  const Hash& root() const { return at(tile_height, 0); }
  ByteView bytes(std::uint64_t width) const {
    return {reinterpret_cast<const char*>(nodes_.data()), width * hash_bytes};
  }
  // Hashes are put from left to right.
  void put(std::uint64_t place, const Hash& hash) {
    nodes_[place] = hash;
    for (int height = 1; (place & 1) != 0; ++height) {
      nodes_[row(height) + place / 2] = node_hash(at(height - 1, place - 1), at(height - 1, place));
      place /= 2;
    }
  }

 private:
  static std::size_t row(int height) { return 512 - (std::size_t{512} >> height); }
  std::uint64_t index_;
  std::array<Hash, 2 * tile_width - 1> nodes_;  // row after row, the root last
};

void put_bytes(Tile& tile, ByteView hashes) {
  ByteReader reader(hashes);
  for (std::uint64_t place = 0; reader.remaining() >= hash_bytes; ++place)
    tile.put(place, reader.array<hash_bytes>());
}

std::uint64_t hashes_at(int level, std::uint64_t size) {
  return size >> (tile_height * level);
}

// `x001/x234/067`
std::string index_text(std::uint64_t index) {
  auto group = [](std::uint64_t thousandth) { return std::to_string(1000 + thousandth % 1000).substr(1); };
  std::string out = group(index);
  while ((index /= 1000) != 0) out.insert(0, "x" + group(index) + "/");
  return out;
}

template <typename Integer>
bool parse_digits(std::string_view text, Integer& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// How many bytes the first `count` leaves of a bundle take; fewer leaves when it is cut short.
struct BundlePrefix {
  std::uint64_t leaves = 0;
  std::size_t bytes = 0;
};
template <typename Visit>
BundlePrefix walk_bundle(ByteView bundle, std::uint64_t count, Visit visit) {
  BundlePrefix prefix;
  ByteReader reader(bundle);
  while (prefix.leaves < count && reader.remaining() > 0) {
    ByteView leaf = reader.take(reader.be<std::uint16_t>());
    if (reader.failed() || !visit(prefix.leaves, leaf)) break;
    ++prefix.leaves;
    prefix.bytes = bundle.size() - reader.remaining();
  }
  return prefix;
}
BundlePrefix bundle_prefix(ByteView bundle, std::uint64_t count) {
  return walk_bundle(bundle, count, [](std::uint64_t, ByteView) { return true; });
}

}  // namespace

std::optional<std::vector<ByteView>> parse_bundle(ByteView bundle) {
  std::vector<ByteView> leaves;
  auto keep = [&](std::uint64_t, ByteView leaf) {
    leaves.push_back(leaf);
    return true;
  };
  if (walk_bundle(bundle, tile_width, keep).bytes != bundle.size()) return std::nullopt;
  return leaves;
}

std::string TilePath::text() const {
  std::string out = "tile/" + (entries ? "entries" : std::to_string(level)) + "/" + index_text(index);
  return is_full() ? out : out + ".p/" + std::to_string(width);
}

// Reads loosely, then holds what was read against the one text that it may have.
std::optional<TilePath> TilePath::parse(std::string_view path) {
  auto first_slash = path.find('/'), second_slash = path.find('/', first_slash + 1);
  if (second_slash >= path.size()) return std::nullopt;
  std::string_view level = path.substr(first_slash + 1, second_slash - first_slash - 1);
  std::string_view rest = path.substr(second_slash + 1);
  TilePath out;
  out.entries = level == "entries";
  if (!out.entries && !parse_digits(level, out.level)) return std::nullopt;
  if (auto partial = rest.find(".p/"); partial != std::string_view::npos) {
    if (!parse_digits(rest.substr(partial + 3), out.width)) return std::nullopt;
    rest = rest.substr(0, partial);
  }
  std::string digits(rest);
  std::erase_if(digits, [](char c) { return c == 'x' || c == '/'; });
  if (!parse_digits(digits, out.index) || !out.is_valid() || out.text() != path) return std::nullopt;
  return out;
}

bool TilePath::is_valid() const {
  return level >= 0 && level <= max_path_level && index <= max_tile_index && width >= 1 &&
         width <= static_cast<int>(tile_width);
}

using SharedTile = std::shared_ptr<const Tile>;
using Edges = std::array<std::shared_ptr<Tile>, levels>;

struct TileStore::Impl {
  fs::path dir;
  std::atomic<std::uint64_t> size{0};  // leaves that readers may ask for

  // The writer's.
  std::uint64_t bundle_bytes = 0;  // of the bundle that is not full
  bool torn = false;               // an append failed: files may hold more than `size`

  // At each level the tile that is not full yet. The writer fills it in place, beyond what `size` covers and
  // so beyond what any reader looks at; the pointers change under the mutex, together with `size`.
  mutable std::mutex mutex;
  Edges edges;
  mutable std::array<std::vector<SharedTile>, levels> cache = empty_cache();
  std::uint64_t generation = 0;  // of the files: what was loaded before a truncation is not cached after it

  static std::array<std::vector<SharedTile>, levels> empty_cache() {
    std::array<std::vector<SharedTile>, levels> cache;
    for (std::size_t level = 0; level < cache.size(); ++level)
      cache[level].resize(level == 0 ? cached_leaf_tiles : cached_tiles);
    return cache;
  }
  SharedTile& cached(std::size_t level, std::uint64_t index) const {
    return cache[level][index % cache[level].size()];
  }
  fs::path tile_path(int level, std::uint64_t index) const {
    return dir / TilePath{.level = level, .index = index}.text();
  }
  fs::path bundle_path(std::uint64_t index) const {
    return dir / TilePath{.entries = true, .index = index}.text();
  }

  std::runtime_error damaged(const fs::path& path) const {
    return std::runtime_error(path.string() + " is damaged: stop, remove " + (dir / "tile").string() +
                              " and start again, which rebuilds it");
  }
  SharedTile tile(int level, std::uint64_t index) const;
  std::shared_ptr<Tile> load(int level, std::uint64_t index) const;
  std::shared_ptr<Tile> assemble(int level, std::uint64_t index, std::uint64_t width) const;

  std::uint64_t find_end() const;
  std::uint64_t whole_leaves(std::uint64_t tile) const;
  void restore(std::uint64_t new_size);
  std::shared_ptr<Tile> restore_edge(int level, std::uint64_t new_size) const;
  std::uint64_t restore_bundle(std::uint64_t new_size) const;
  void publish(Edges new_edges, std::uint64_t new_size);
};

namespace {

void remove_from(const std::function<fs::path(std::uint64_t)>& path_of, std::uint64_t index) {
  while (fs::remove(path_of(index))) ++index;
}

}  // namespace

// A full tile, or the one that is not; checked against the hash above it unless it never left memory.
SharedTile TileStore::Impl::tile(int level, std::uint64_t index) const {
  auto depth = static_cast<std::size_t>(level);
  SharedTile& slot = cached(depth, index);
  std::uint64_t generation_before;
  {
    std::lock_guard lock(mutex);
    if (edges[depth]->index() == index) return edges[depth];
    if (slot && slot->index() == index) return slot;
    generation_before = generation;
  }
  SharedTile loaded = load(level, index);
  bool is_top = level == max_path_level;
  if (!is_top && loaded->root() != tile(level + 1, index / tile_width)->at(0, index % tile_width))
    throw damaged(tile_path(level, index));
  std::lock_guard lock(mutex);
  if (generation == generation_before) slot = loaded;
  return loaded;
}

// A full tile from its file, or from those below it.
std::shared_ptr<Tile> TileStore::Impl::load(int level, std::uint64_t index) const {
  std::string bytes = read_file(tile_path(level, index));
  if (bytes.size() < tile_bytes) return assemble(level, index, tile_width);
  auto tile = std::make_shared<Tile>(index);
  put_bytes(*tile, ByteView(bytes).substr(0, tile_bytes));
  return tile;
}

// The first `width` hashes of a tile above level 0, from the full tiles below it.
std::shared_ptr<Tile> TileStore::Impl::assemble(int level, std::uint64_t index, std::uint64_t width) const {
  if (level == 0) throw damaged(tile_path(level, index));
  auto tile = std::make_shared<Tile>(index);
  for (std::uint64_t place = 0; place < width; ++place)
    tile->put(place, load(level - 1, index * tile_width + place)->root());
  return tile;
}

// How many leaves both the bundle and the tile of hashes have, and agree on.
std::uint64_t TileStore::Impl::whole_leaves(std::uint64_t tile) const {
  std::string hashes = read_file(tile_path(0, tile));
  return walk_bundle(read_file(bundle_path(tile)), std::min(tile_width, hashes.size() / hash_bytes),
                     [&](std::uint64_t place, ByteView leaf) {
                       return view(leaf_hash(leaf)) ==
                              ByteView(hashes).substr(place * hash_bytes, hash_bytes);
                     })
      .leaves;
}

// The number of leaves in the longest whole prefix.
std::uint64_t TileStore::Impl::find_end() const {
  auto exists = [this](std::uint64_t tile) { return fs::exists(bundle_path(tile)); };
  if (!exists(0)) return 0;
  std::uint64_t last = 0, beyond = 1;
  for (; exists(beyond); beyond *= 2) last = beyond;
  while (beyond - last > 1) {
    std::uint64_t middle = last + (beyond - last) / 2;
    (exists(middle) ? last : beyond) = middle;
  }
  std::uint64_t this_group = last / recheck_tiles;
  for (std::uint64_t tile = (this_group - (this_group > 0 ? 1 : 0)) * recheck_tiles; tile <= last; ++tile)
    if (std::uint64_t leaves = whole_leaves(tile); leaves < tile_width) return tile * tile_width + leaves;
  return beyond * tile_width;
}

// Makes files and memory those of the first `new_size` leaves.
void TileStore::Impl::restore(std::uint64_t new_size) {
  torn = true;
  Edges restored;
  for (int level = 0; level < levels; ++level)
    restored[static_cast<std::size_t>(level)] = restore_edge(level, new_size);
  bundle_bytes = restore_bundle(new_size);
  torn = false;
  publish(std::move(restored), new_size);
}

std::shared_ptr<Tile> TileStore::Impl::restore_edge(int level, std::uint64_t new_size) const {
  std::uint64_t hashes = hashes_at(level, new_size), index = hashes / tile_width, width = hashes % tile_width;
  fs::path path = tile_path(level, index);
  std::shared_ptr<Tile> edge;
  if (level > 0) {
    edge = assemble(level, index, width);
    // Hashes above level 0 are written last, so a crash may have cut the newest full tile, too.
    if (index > 0 && read_file(tile_path(level, index - 1)).size() != tile_bytes)
      write_file(tile_path(level, index - 1), 0, assemble(level, index - 1, tile_width)->bytes(tile_width));
  } else {
    edge = std::make_shared<Tile>(index);
    std::string bytes = read_file(path);
    if (bytes.size() < width * hash_bytes) throw damaged(path);
    put_bytes(*edge, ByteView(bytes).substr(0, width * hash_bytes));
  }
  if (width > 0) write_file(path, 0, edge->bytes(width));
  remove_from([&](std::uint64_t tile) { return tile_path(level, tile); }, index + (width > 0 ? 1 : 0));
  return edge;
}

// Answers the length of the bundle that is not full.
std::uint64_t TileStore::Impl::restore_bundle(std::uint64_t new_size) const {
  std::uint64_t index = new_size / tile_width, width = new_size % tile_width;
  std::string bundle = read_file(bundle_path(index));
  BundlePrefix prefix = bundle_prefix(bundle, width);
  if (prefix.leaves != width) throw damaged(bundle_path(index));
  if (width > 0) write_file(bundle_path(index), 0, ByteView(bundle).substr(0, prefix.bytes));
  remove_from([this](std::uint64_t tile) { return bundle_path(tile); }, index + (width > 0 ? 1 : 0));
  return prefix.bytes;
}

void TileStore::Impl::publish(Edges new_edges, std::uint64_t new_size) {
  std::lock_guard lock(mutex);
  if (new_size < size) {
    // In place: readers hold on to a slot while they load what goes into it.
    for (auto& level : cache) std::fill(level.begin(), level.end(), nullptr);
    ++generation;
  }
  edges = std::move(new_edges);
  size.store(new_size, std::memory_order_release);
}

namespace {

// One batch on its way into the files: what goes into one file is written at once.
class Batch {
 public:
  using PathOf = std::function<fs::path(int level, std::uint64_t index)>;  // level -1: the bundle
  Batch(PathOf path_of, Edges edges, std::uint64_t size, std::uint64_t bundle_bytes)
      : path_of_(std::move(path_of)), edges_(std::move(edges)), size_(size), bundle_offset_(bundle_bytes) {}

  void add(ByteView leaf, const Hash& hash) {
    assert(leaf.size() <= max_leaf_bytes);
    append_be(bundle_, static_cast<std::uint16_t>(leaf.size()));
    bundle_ += leaf;
    std::uint64_t place = size_++;
    if (size_ % tile_width == 0) write_bundle();
    add_hash(0, place, hash);
  }
  void finish() {
    if (size_ % tile_width != 0) write_bundle();
    for (int level = 0; level < levels; ++level) write_tile(level, hashes_at(level, size_));
  }

  Edges edges() const { return edges_; }
  const std::vector<std::pair<std::size_t, SharedTile>>& filled() const { return filled_; }
  std::uint64_t size() const { return size_; }
  std::uint64_t bundle_bytes() const { return bundle_offset_; }

 private:
  void add_hash(int level, std::uint64_t place, const Hash& hash) {
    auto depth = static_cast<std::size_t>(level);
    edges_[depth]->put(place % tile_width, hash);
    pending_[depth] += view(hash);
    if ((place + 1) % tile_width != 0) return;
    write_tile(level, place + 1);
    auto full = std::exchange(edges_[depth], std::make_shared<Tile>(place / tile_width + 1));
    filled_.emplace_back(depth, full);
    if (level < max_path_level) add_hash(level + 1, place / tile_width, full->root());
  }
  // `end`: how many hashes the level has now.
  void write_tile(int level, std::uint64_t end) {
    std::string& bytes = pending_[static_cast<std::size_t>(level)];
    if (bytes.empty()) return;
    std::uint64_t index = (end - 1) / tile_width;
    write_file(path_of_(level, index), (end - index * tile_width) * hash_bytes - bytes.size(), bytes);
    bytes.clear();
  }
  void write_bundle() {
    write_file(path_of_(-1, (size_ - 1) / tile_width), bundle_offset_, bundle_);
    bundle_offset_ = size_ % tile_width == 0 ? 0 : bundle_offset_ + bundle_.size();
    bundle_.clear();
  }

  PathOf path_of_;
  Edges edges_;
  std::uint64_t size_;
  std::uint64_t bundle_offset_;
  std::string bundle_;
  std::array<std::string, levels> pending_;
  std::vector<std::pair<std::size_t, SharedTile>> filled_;
};

}  // namespace

TileStore::TileStore(fs::path dir) : impl_(std::make_unique<Impl>()) {
  impl_->dir = std::move(dir);
  fs::create_directories(impl_->dir);
  impl_->restore(impl_->find_end());
}
TileStore::~TileStore() = default;

std::uint64_t TileStore::size() const {
  return impl_->size.load(std::memory_order_acquire);
}

void TileStore::append(std::span<const std::string> leaves, std::span<const Hash> leaf_hashes) {
  assert(leaves.size() == leaf_hashes.size());
  if (leaves.empty()) return;
  if (impl_->torn) impl_->restore(size());
  impl_->torn = true;
  auto path_of = [this](int level, std::uint64_t index) {
    return level < 0 ? impl_->bundle_path(index) : impl_->tile_path(level, index);
  };
  Batch batch(path_of, impl_->edges, size(), impl_->bundle_bytes);
  for (std::size_t i = 0; i < leaves.size(); ++i) batch.add(leaves[i], leaf_hashes[i]);
  batch.finish();
  impl_->torn = false;
  impl_->bundle_bytes = batch.bundle_bytes();
  {
    std::lock_guard lock(impl_->mutex);
    for (const auto& [level, tile] : batch.filled()) impl_->cached(level, tile->index()) = tile;
  }
  impl_->publish(batch.edges(), batch.size());
}

void TileStore::truncate(std::uint64_t new_size) {
  assert(new_size <= size());
  impl_->restore(new_size);
}

Hash TileStore::node(int level, std::uint64_t index) const {
  assert(level >= 0 && level < 64 && index < size() >> level);
  int height = level % tile_height;
  std::uint64_t place = index << height;  // of its first hash in the tile's level
  return impl_->tile(level / tile_height, place / tile_width)->at(height, (place % tile_width) >> height);
}

std::string TileStore::leaf(std::uint64_t index) const {
  assert(index < size());
  std::uint64_t place = index % tile_width;
  fs::path path = impl_->bundle_path(index / tile_width);
  std::string bundle = read_file(path), found;
  auto keep = [&](std::uint64_t at, ByteView leaf) {
    if (at == place) found = leaf;
    return true;
  };
  if (walk_bundle(bundle, place + 1, keep).leaves != place + 1) throw impl_->damaged(path);
  return found;
}

std::optional<std::string> TileStore::read(const TilePath& path) const {
  if (!path.is_valid()) return std::nullopt;
  auto width = static_cast<std::uint64_t>(path.width);
  std::uint64_t available = path.entries ? size() : hashes_at(path.level, size());
  if (available / tile_width < path.index || available - path.index * tile_width < width) return std::nullopt;
  if (!path.entries) return std::string(impl_->tile(path.level, path.index)->bytes(width));
  std::string bundle = read_file(impl_->bundle_path(path.index));
  BundlePrefix prefix = bundle_prefix(bundle, width);
  if (prefix.leaves != width) throw impl_->damaged(impl_->bundle_path(path.index));
  bundle.resize(prefix.bytes);
  return bundle;
}

}  // namespace windlass::log
