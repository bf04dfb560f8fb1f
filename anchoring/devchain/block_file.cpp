#include "anchoring/devchain/block_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "crypto/hash.h"

namespace windlass::devchain {
namespace {

constexpr std::size_t checksum_bytes = 4;
constexpr std::size_t header_bytes = 4 + checksum_bytes;

tl::unexpected<std::string> system_error(std::string what) {
  return tl::unexpected(what + ": " + std::generic_category().message(errno));
}

std::string checksum(ByteView block) {
  return std::string(view(sha256(block)).substr(0, checksum_bytes));
}

}  // namespace

tl::expected<BlockFile, std::string> BlockFile::open(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return system_error("cannot open " + path);
  BlockFile file(fd);
  if (auto loaded = file.load(); !loaded) return tl::unexpected(path + ": " + loaded.error());
  return file;
}

BlockFile::BlockFile(BlockFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      starts_(std::move(other.starts_)),
      size_(other.size_),
      blocks_(std::move(other.blocks_)),
      dropped_bytes_(other.dropped_bytes_) {}

BlockFile::~BlockFile() {
  if (fd_ >= 0) ::close(fd_);
}

tl::expected<void, std::string> BlockFile::load() {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return system_error("cannot stat");
  std::string all(static_cast<std::size_t>(status.st_size), '\0');
  for (std::size_t done = 0; done < all.size();) {
    ssize_t got = ::pread(fd_, all.data() + done, all.size() - done, static_cast<off_t>(done));
    if (got <= 0) return system_error("cannot read");
    done += static_cast<std::size_t>(got);
  }

  ByteReader reader(all);
  while (reader.remaining() >= header_bytes) {
    auto length = reader.be<std::uint32_t>();
    std::string sum(reader.take(checksum_bytes));
    std::string block(reader.take(length));
    if (reader.failed() || checksum(block) != sum) break;
    starts_.push_back(size_);
    size_ += header_bytes + block.size();
    blocks_.push_back(std::move(block));
  }
  dropped_bytes_ = all.size() - size_;
  return dropped_bytes_ > 0 ? cut(size_) : tl::expected<void, std::string>();
}

tl::expected<void, std::string> BlockFile::append(ByteView block) {
  std::string record;
  append_be(record, static_cast<std::uint32_t>(block.size()));
  record += checksum(block);
  record += block;
  for (std::size_t done = 0; done < record.size();) {
    ssize_t put = ::pwrite(fd_, record.data() + done, record.size() - done, static_cast<off_t>(size_ + done));
    if (put < 0) return system_error("cannot write");
    done += static_cast<std::size_t>(put);
  }
  starts_.push_back(size_);
  size_ += record.size();
  return {};
}

tl::expected<void, std::string> BlockFile::remove_newest(std::size_t count) {
  for (; count > 0 && !starts_.empty(); --count) {
    size_ = starts_.back();
    starts_.pop_back();
  }
  return cut(size_);
}

tl::expected<void, std::string> BlockFile::cut(std::uint64_t size) {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return system_error("cannot truncate");
  return {};
}

}  // namespace windlass::devchain
