// The log's node hashes and leaves on disk, as C2SP tlog-tiles lays them out: files that any web server can
// serve.
//   <dir>/tile/<level>/<N>           up to 256 hashes of 32 bytes; level L holds the roots of full tiles of
//   level L-1 <dir>/tile/entries/<N>           up to 256 leaves, each with a big-endian uint16 length
// A tile that is not full yet lives under its full name and is only ever appended to, so a partial tile of
// width W is its first W hashes. Nothing here is the truth: all of it is rebuilt from `entries`; so nothing
// is synced to disk either.
#pragma once

#include <filesystem>
#include <memory>

#include "ledger/log/merkle.h"

namespace windlass::log {

constexpr int tile_height = 8;
constexpr std::uint64_t tile_width = 256;

struct TilePath {
  bool entries = false;  // an entry bundle; then `level` is 0
  int level = 0;
  std::uint64_t index = 0;
  int width = 256;  // 1..256; below 256: partial
  // `tile/0/x001/x234/067.p/5`, without a leading slash.
  std::string text() const;
  // Only the canonical form: three-digit groups, no leading zero groups, partial widths 1..255, level 0..7.
  static std::optional<TilePath> parse(std::string_view path);
  bool is_full() const { return width == static_cast<int>(tile_width); }
  bool is_valid() const;  // in the ranges above, and such that a log of 2^64 leaves could have it
};

constexpr std::size_t max_leaf_bytes = 65'535;

// The leaves of an entry bundle; nothing when it is cut short. Views into `bundle`.
std::optional<std::vector<ByteView>> parse_bundle(ByteView bundle);

// One writer; readers (any thread) see sizes that append() has finished. What leaves the cache is checked
// against the hash above it when it is read again: std::runtime_error says that the files contradict one
// another (or are gone), and that <dir>/tile should be removed, to be rebuilt.
class TileStore final : public NodeReader {
 public:
  // Opens or makes `dir`; keeps the longest prefix that is whole (a crash may leave a torn end). It looks for
  // the end among the newest 131,072 leaves, which it hashes again, and trusts what lies before.
  explicit TileStore(std::filesystem::path dir);
  ~TileStore() override;

  std::uint64_t size() const;  // leaves
  // The hash of each leaf, in the same order; a leaf has at most max_leaf_bytes. Throws std::system_error,
  // and has then added nothing: it may be called again. Keep a batch below some 100,000 leaves: it is held in
  // memory.
  void append(std::span<const std::string> leaves, std::span<const Hash> leaf_hashes);
  void truncate(std::uint64_t size);  // drops what is beyond: used when the tail does not match `entries`

  Hash node(int level, std::uint64_t index) const override;
  std::string leaf(std::uint64_t index) const;  // below size()
  // A tile's or bundle's bytes, partial widths included; nothing when the log is not that long.
  std::optional<std::string> read(const TilePath& path) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace windlass::log
