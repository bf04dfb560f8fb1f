// Tiles and entry bundles, against what transparency-dev/tessera and golang.org/x/mod/sumdb/tlog made, and
// the store's own promises: what a crash or a full disk may leave behind, and what it does then.
#include <set>
#include <thread>

#include "ledger/log/tiles.h"
#include "tests/seeded.h"
#include "tests/unit/log_vectors.h"

namespace windlass::log {
namespace {

namespace fs = std::filesystem;
using test::append_range;
using test::ScratchDirectory;
using test::tlog_vectors;
using test::vector_leaves;
using test::VectorTree;

TEST(TilePath, ReadsAndWritesTheReferencesPaths) {
  for (const auto& v : tlog_vectors("tiles.json", "path")) {
    TilePath tile{.level = v["level"], .index = v["index"], .width = v["width"]};
    TilePath bundle{.entries = true, .index = v["index"], .width = v["width"]};
    for (const auto& [path, text] : {std::pair(tile, v["tile_path"]), std::pair(bundle, v["entries_path"])}) {
      EXPECT_EQ(path.text(), text);
      auto read = TilePath::parse(text.get<std::string>());
      ASSERT_TRUE(read) << text;
      EXPECT_EQ(read->entries, path.entries);
      EXPECT_EQ(read->level, path.level);
      EXPECT_EQ(read->index, path.index);
      EXPECT_EQ(read->width, path.width);
    }
  }
}

TEST(TilePath, RefusesWhatIsNotCanonical) {
  for (const auto& v : tlog_vectors("tiles.json", "bad-path"))
    EXPECT_FALSE(TilePath::parse(v["tile_path"].get<std::string>())) << v;
  for (const char* path : {"",
                           "tile",
                           "tile/",
                           "tile/0",
                           "tile/0/",
                           "/tile/0/000",
                           "tile/8/000",
                           "tile/entries/",
                           "Tile/0/000",
                           "tile/0/000.p/",
                           "tile/0/000.p/1/",
                           "tile/0/000.p/1.p/1",
                           "tile//000",
                           "tile/0//000",
                           "tile/entries/x000/000",
                           "tile/0/x072/x057/x594/x037/x927/936",
                           "tile/0/000\n",
                           "tile/0/x999/x999/x999/x999/x999/x999/999",
                           "tile/-1/000",
                           "tile/0/000.p/+1"})
    EXPECT_FALSE(TilePath::parse(path)) << path;
}

TEST(EntryBundle, IsJudgedAsTheReferenceDoes) {
  for (const auto& v : tlog_vectors("tiles.json", "bundle")) {
    std::string bytes = test::bytes_of(v["bundle_hex"]);
    auto leaves = parse_bundle(bytes);
    ASSERT_EQ(leaves.has_value(), v["valid"].get<bool>()) << v;
    if (!leaves) continue;
    ASSERT_EQ(leaves->size(), v["entries_hex"].size());
    for (std::size_t i = 0; i < leaves->size(); ++i) {
      EXPECT_EQ((*leaves)[i], test::bytes_of(v["entries_hex"][i]));
      EXPECT_EQ(leaf_hash((*leaves)[i]), test::hash_of(v["leaf_hashes_hex"][i]));
    }
  }
  EXPECT_TRUE(parse_bundle(std::string(256 * 2, '\0')));
  EXPECT_FALSE(parse_bundle(std::string(257 * 2, '\0'))) << "a bundle has at most 256 leaves";
}

TEST(EntryBundle, IsWrittenAsTheReferenceDoes) {
  const auto& store = VectorTree::instance().store;
  for (const auto& v : tlog_vectors("tiles.json", "bundle-file"))
    EXPECT_EQ(store.read(TilePath::parse(v["path"].get<std::string>()).value()),
              test::bytes_of(v["bundle_hex"]));
}

TEST(EntryBundle, HoldsTheLargestLeaf) {
  ScratchDirectory directory;
  TileStore store(directory.path());
  test::Leaves leaves;
  leaves.add(std::string(max_leaf_bytes, '\x5a'));
  append_range(store, leaves, 0, 1);
  std::string bundle = store.read({.entries = true, .width = 1}).value();
  const auto v = tlog_vectors("tiles.json", "bundle-hash").at(0);
  ASSERT_EQ(v["entry_is"], "65535 bytes 5a");
  EXPECT_EQ(bundle.size(), v["bundle_bytes"]);
  EXPECT_EQ(sha256(bundle), test::hash_of(v["bundle_sha256_hex"]));
}

// Every tile that a checkpoint of a size implies, from a store of that size and from one that has grown
// since.
TEST(TileStore, ServesTheTilesOfTheReference) {
  const auto& tree = VectorTree::instance();
  for (const auto& v : tlog_vectors("tiles.json", "tree")) {
    ScratchDirectory directory;
    TileStore store(directory.path());
    append_range(store, tree.leaves, 0, v["size"]);
    std::vector<nlohmann::json> files(v["tiles"].begin(), v["tiles"].end());
    files.insert(files.end(), v["entry_bundles"].begin(), v["entry_bundles"].end());
    for (const auto& file : files) {
      auto path = TilePath::parse(file["path"].get<std::string>()).value();
      auto bytes = store.read(path);
      ASSERT_TRUE(bytes) << file;
      EXPECT_EQ(bytes->size(), file["bytes"]) << file;
      EXPECT_EQ(sha256(*bytes), test::hash_of(file["sha256_hex"])) << file;
      EXPECT_EQ(tree.store.read(path), bytes) << file;
    }
    for (std::uint64_t i = 0; i < store.size(); ++i) {
      ASSERT_EQ(leaf_hash(store.leaf(i)), store.node(0, i)) << i;
      ASSERT_EQ(tree.store.leaf(i), store.leaf(i)) << i;
    }
    std::uint64_t tiles_on_disk = 0;
    for (const auto& file : fs::recursive_directory_iterator(directory.path()))
      tiles_on_disk +=
          file.is_regular_file() && file.path().string().find("entries") == std::string::npos ? 1 : 0;
    EXPECT_EQ(tiles_on_disk, v["tile_count"]) << v["size"];
  }
}

TEST(TileStore, HasNothingBeyondItsSize) {
  ScratchDirectory directory;
  TileStore store(directory.path());
  auto leaves = vector_leaves(300);
  EXPECT_FALSE(store.read({.width = 1}));
  append_range(store, leaves, 0, 300);
  EXPECT_TRUE(store.read({.index = 1, .width = 44}));
  EXPECT_FALSE(store.read({.index = 1, .width = 45}));
  EXPECT_FALSE(store.read({.index = 1}));
  EXPECT_FALSE(store.read({.index = 2, .width = 1}));
  EXPECT_FALSE(store.read({.index = ~std::uint64_t{0} >> 8, .width = 1}));
  EXPECT_FALSE(store.read({.index = ~std::uint64_t{0}, .width = 1}));
  EXPECT_TRUE(store.read({.level = 1, .width = 1}));
  EXPECT_FALSE(store.read({.level = 1, .width = 2}));
  EXPECT_FALSE(store.read({.level = 2, .width = 1}));
  EXPECT_FALSE(store.read({.level = 8, .width = 1}));
  EXPECT_FALSE(store.read({.entries = true, .index = 1, .width = 45}));
  EXPECT_FALSE(store.read({.width = 0}));
  EXPECT_FALSE(store.read({.width = 257}));
}

TEST(TileStore, GoesOnWhereItWasClosed) {
  const auto& tree = VectorTree::instance();
  ScratchDirectory directory;
  std::uint64_t size = 0;
  for (std::uint64_t next : {0, 1, 2, 255, 256, 257, 511, 513, 1000, 65535, 65536, 65537}) {
    TileStore store(directory.path());
    ASSERT_EQ(store.size(), size);
    ASSERT_EQ(root_at(store, size), root_at(tree.store, size));
    append_range(store, tree.leaves, size, next);
    size = next;
    ASSERT_EQ(root_at(store, size), root_at(tree.store, size));
  }
}

TEST(TileStore, TruncatesToAnySize) {
  const auto& tree = VectorTree::instance();
  ScratchDirectory directory;
  TileStore store(directory.path());
  append_range(store, tree.leaves, 0, VectorTree::size);
  for (std::uint64_t size : {65536, 65535, 1000, 513, 512, 257, 256, 255, 1, 0}) {
    store.truncate(size);
    ASSERT_EQ(store.size(), size);
    EXPECT_EQ(root_at(store, size), root_at(tree.store, size));
    TileStore reopened(directory.path());
    EXPECT_EQ(reopened.size(), size);
  }
  auto others = vector_leaves(600);
  std::reverse(others.hashes.begin(), others.hashes.end());
  std::reverse(others.bytes.begin(), others.bytes.end());
  append_range(store, others, 0, 600);
  EXPECT_EQ(root_at(store, 600), root_of(others.hashes)) << "nothing of the old tree is left in the cache";
}

TEST(TileStore, AFailedAppendAddsNothing) {
  ScratchDirectory directory;
  TileStore store(directory.path());
  auto leaves = vector_leaves(2000);
  append_range(store, leaves, 0, 200);
  fs::path in_the_way = directory.path() / "tile/0/003";  // no file can be made where a directory is
  fs::create_directories(in_the_way);
  EXPECT_THROW(append_range(store, leaves, 1000, 2000), std::system_error);
  EXPECT_EQ(store.size(), 200U);
  EXPECT_EQ(root_at(store, 200), root_of(std::span(leaves.hashes).first(200)));
  EXPECT_FALSE(store.read({.width = 201}));
  fs::remove_all(in_the_way);
  append_range(store, leaves, 200, 512);
  EXPECT_EQ(root_at(store, 512), root_of(std::span(leaves.hashes).first(512)));
  EXPECT_EQ(TileStore(directory.path()).size(), 512U) << "nothing of the failed append is left";
}

TEST(TileStore, ReportsAnOldTileThatHasChanged) {
  ScratchDirectory directory;
  TileStore store(directory.path());
  auto leaves = vector_leaves(256 * 100);
  append_range(store, leaves, 0, leaves.bytes.size());
  {
    std::fstream file(directory.path() / "tile/0/000", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(32 * 7);
    file.put('\x5a');
  }
  EXPECT_THROW((void)store.node(0, 3), std::runtime_error);
  EXPECT_EQ(store.node(0, 256), leaves.hashes[256]);
  fs::resize_file(directory.path() / "tile/entries/001", 100);
  EXPECT_THROW((void)store.read({.entries = true, .index = 1}), std::runtime_error);
}

TEST(TileStore, MendsUpperTilesFromThoseBelow) {
  const auto& tree = VectorTree::instance();
  for (const char* name : {"tile/1/000", "tile/1/001", "tile/2/000"}) {
    ScratchDirectory directory;
    auto leaves = vector_leaves(65536 + 600);
    {
      TileStore store(directory.path());
      append_range(store, leaves, 0, leaves.bytes.size());
    }
    auto size_before = fs::file_size(directory.path() / name);
    fs::resize_file(directory.path() / name, size_before - 1);
    TileStore store(directory.path());
    EXPECT_EQ(store.size(), leaves.bytes.size()) << name;
    EXPECT_EQ(fs::file_size(directory.path() / name), size_before);
    EXPECT_EQ(root_at(store, 65537), root_at(tree.store, 65537)) << name;
    EXPECT_TRUE(verify_inclusion(leaves.hashes[77], 77, 65537, inclusion_proof(store, 77, 65537),
                                 root_at(store, 65537)));
  }
}

TEST(TileStore, MendsAnUpperTileThatIsNotTheNewest) {
  ScratchDirectory directory;
  auto leaves = vector_leaves(2 * 65536 + 10);
  {
    TileStore store(directory.path());
    append_range(store, leaves, 0, leaves.bytes.size());
  }
  fs::resize_file(directory.path() / "tile/1/000", 32 * 100 + 1);
  TileStore store(directory.path());
  EXPECT_EQ(root_at(store, store.size()), root_of(leaves.hashes));
  EXPECT_EQ(store.read({.level = 1})->size(), 32U * 256);
}

TEST(TileStore, FindsATornEndAlsoBehindAnUpperTilesEdge) {
  ScratchDirectory directory;
  auto leaves = vector_leaves(65536 + 300);
  {
    TileStore store(directory.path());
    append_range(store, leaves, 0, leaves.bytes.size());
  }
  fs::resize_file(directory.path() / "tile/0/255", 32 * 10);
  EXPECT_EQ(TileStore(directory.path()).size(), 65536U - 256 + 10);
}

// Readers ask for proofs at the size they see while the writer appends.
TEST(TileStore, ServesReadersWhileItGrows) {
  const auto& tree = VectorTree::instance();
  constexpr std::uint64_t end = 30'000;
  ScratchDirectory directory;
  TileStore store(directory.path());
  std::atomic<std::uint64_t> failures{0};
  auto read = [&](std::uint64_t seed) {
    test::Seeded random(seed);
    while (store.size() < end) {
      std::uint64_t size = store.size();
      if (size == 0) continue;
      std::uint64_t index = random.below(size);
      bool good =
          verify_inclusion(tree.leaves.hashes[index], index, size, inclusion_proof(store, index, size),
                           root_at(tree.store, size)) &&
          store.read({.entries = true, .index = index / 256, .width = static_cast<int>(index % 256 + 1)});
      failures += good ? 0 : 1;
    }
  };
  std::jthread first(read, 1), second(read, 2);
  test::Seeded random;
  for (std::uint64_t size = 0; size < end;) {
    std::uint64_t next = std::min(end, size + 1 + random.below(700));
    append_range(store, tree.leaves, size, next);
    size = next;
  }
  first.join();
  second.join();
  EXPECT_EQ(failures, 0U);
}

}  // namespace
}  // namespace windlass::log
