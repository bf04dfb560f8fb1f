// The chain's blocks on disk, append-only: u32 length, the first four bytes of SHA-256 over the block, the
// block.
#pragma once

#include <tl/expected.hpp>
#include <vector>

#include "crypto/bytes.h"

namespace windlass::devchain {

class BlockFile {
 public:
  // Opens or makes the file. A torn or damaged end is cut off.
  static tl::expected<BlockFile, std::string> open(const std::string& path);
  BlockFile(BlockFile&& other) noexcept;
  BlockFile& operator=(BlockFile&&) = delete;
  ~BlockFile();

  // What was there when it was opened; once.
  std::vector<std::string> take_blocks() { return std::move(blocks_); }
  std::uint64_t dropped_bytes() const { return dropped_bytes_; }

  // Whole or not at all. The error is the operating system's.
  tl::expected<void, std::string> append(ByteView block);
  // Removes the newest `count` blocks.
  tl::expected<void, std::string> remove_newest(std::size_t count);

 private:
  explicit BlockFile(int fd) : fd_(fd) {}
  tl::expected<void, std::string> load();
  tl::expected<void, std::string> cut(std::uint64_t size);

  int fd_;
  std::vector<std::uint64_t> starts_;  // offset of each block's record
  std::uint64_t size_ = 0;
  std::vector<std::string> blocks_;
  std::uint64_t dropped_bytes_ = 0;
};

}  // namespace windlass::devchain
