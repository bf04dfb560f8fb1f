// Files of records of one width, read and written by place; and such files kept in the order of a key. All of
// it throws std::system_error.
#pragma once

#include <filesystem>
#include <optional>

#include "crypto/bytes.h"

namespace windlass::snapshot {

class RecordFile {
 public:
  enum class Open { keep, empty };
  RecordFile(const std::filesystem::path& path, std::size_t width, Open how);
  ~RecordFile();
  RecordFile(RecordFile&& other) noexcept;
  RecordFile& operator=(RecordFile&&) = delete;

  std::uint64_t count() const;  // of whole records
  // Zeros where nothing was ever written.
  std::string read(std::uint64_t place, std::size_t count = 1) const;
  // `records` is a multiple of the width.
  void write(std::uint64_t place, ByteView records);
  void sync();
  std::size_t width() const { return width_; }

 private:
  std::filesystem::path path_;
  std::size_t width_;
  int fd_;
};

// Records that begin with a big-endian key of `key_width` bytes and are appended in its order.
class SortedFile {
 public:
  SortedFile(const std::filesystem::path& path, std::size_t key_width, std::size_t value_width,
             RecordFile::Open how)
      : file_(path, key_width + value_width, how), key_width_(key_width), count_(file_.count()) {}

  // On disk when this returns; found only after accept().
  void append(ByteView records);
  void accept() { count_ += appended_, appended_ = 0; }
  std::uint64_t count() const { return count_; }
  std::string key(std::uint64_t place) const { return file_.read(place).substr(0, key_width_); }
  std::string value(std::uint64_t place) const { return file_.read(place).substr(key_width_); }
  std::string record(std::uint64_t place) const { return file_.read(place); }
  std::optional<std::string> find(ByteView key) const;

 private:
  RecordFile file_;
  std::size_t key_width_;
  std::uint64_t count_;
  std::uint64_t appended_ = 0;
};

}  // namespace windlass::snapshot
