// Loads tests/vectors/tlog, and makes the trees that those vectors are about.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "ledger/log/tiles.h"

namespace windlass::test {

// The cases of one kind.
inline std::vector<nlohmann::json> tlog_vectors(const std::string& file, const std::string& kind) {
  const char* source = std::getenv("WINDLASS_SOURCE_DIR");
  std::ifstream in(std::string(source != nullptr ? source : ".") + "/tests/vectors/tlog/" + file);
  if (!in) throw std::runtime_error("no tests/vectors/tlog/" + file + ": set WINDLASS_SOURCE_DIR");
  std::vector<nlohmann::json> found;
  auto json = nlohmann::json::parse(in);
  for (const auto& vector : json.at("vectors"))
    if (vector.at("kind") == kind) found.push_back(vector);
  if (found.empty()) throw std::runtime_error("no " + kind + " in tests/vectors/tlog/" + file);
  return found;
}

inline std::string bytes_of(const nlohmann::json& hex) {
  return from_hex(hex.get<std::string>()).value();
}
inline Hash hash_of(const nlohmann::json& hex) {
  return to_array<32>(bytes_of(hex)).value();
}
inline log::Proof proof_of(const nlohmann::json& hexes) {
  log::Proof proof;
  for (const auto& hex : hexes) proof.push_back(hash_of(hex));
  return proof;
}

struct Leaves {
  std::vector<std::string> bytes;
  std::vector<Hash> hashes;
  void add(std::string leaf) {
    hashes.push_back(log::leaf_hash(leaf));
    bytes.push_back(std::move(leaf));
  }
};

// Entry i is the text `leaf-i`.
inline Leaves vector_leaves(std::uint64_t count) {
  Leaves leaves;
  for (std::uint64_t i = 0; i < count; ++i) leaves.add("leaf-" + std::to_string(i));
  return leaves;
}

// A directory that is gone when the test is.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "windlass-log-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    path_ = name;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void append_range(log::TileStore& store, const Leaves& leaves, std::uint64_t begin,
                         std::uint64_t end) {
  store.append(std::span(leaves.bytes).subspan(begin, end - begin),
               std::span(leaves.hashes).subspan(begin, end - begin));
}

// The largest tree of the vectors, in a store that all tests share.
struct VectorTree {
  static constexpr std::uint64_t size = 65537;
  Leaves leaves = vector_leaves(size);
  ScratchDirectory directory;
  log::TileStore store{directory.path()};
  VectorTree() { append_range(store, leaves, 0, size); }
  std::vector<Hash> first(std::uint64_t count) const {
    return {leaves.hashes.begin(), leaves.hashes.begin() + static_cast<std::ptrdiff_t>(count)};
  }

  static const VectorTree& instance() {
    static const VectorTree tree;
    return tree;
  }
};

}  // namespace windlass::test
