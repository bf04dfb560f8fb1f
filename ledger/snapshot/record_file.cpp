#include "ledger/snapshot/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <system_error>

namespace windlass::snapshot {
namespace {

[[noreturn]] void fail(const char* what, const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(), std::string(what) + " " + path.string());
}

}  // namespace

RecordFile::RecordFile(const std::filesystem::path& path, std::size_t width, Open how)
    : path_(path),
      width_(width),
      fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | (how == Open::empty ? O_TRUNC : 0), 0644)) {
  if (fd_ < 0) fail("cannot open", path_);
}

RecordFile::~RecordFile() {
  if (fd_ >= 0) ::close(fd_);
}

RecordFile::RecordFile(RecordFile&& other) noexcept
    : path_(std::move(other.path_)), width_(other.width_), fd_(std::exchange(other.fd_, -1)) {}

std::uint64_t RecordFile::count() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) fail("cannot read", path_);
  return static_cast<std::uint64_t>(status.st_size) / width_;
}

std::string RecordFile::read(std::uint64_t place, std::size_t records) const {
  std::string record(width_ * records, '\0');
  std::size_t done = 0;
  while (done < record.size()) {
    ssize_t got =
        ::pread(fd_, record.data() + done, record.size() - done, static_cast<off_t>(place * width_ + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("cannot read", path_);
    if (got == 0) break;  // past the end: zeros
    done += static_cast<std::size_t>(got);
  }
  return record;
}

void RecordFile::write(std::uint64_t place, ByteView records) {
  auto at = static_cast<off_t>(place * width_);
  while (!records.empty()) {
    ssize_t put = ::pwrite(fd_, records.data(), records.size(), at);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail("cannot write", path_);
    records.remove_prefix(static_cast<std::size_t>(put));
    at += put;
  }
}

void RecordFile::sync() {
  if (::fdatasync(fd_) != 0) fail("cannot write", path_);
}

void SortedFile::append(ByteView records) {
  if (records.empty()) return;
  file_.write(count_ + appended_, records);
  file_.sync();
  appended_ += records.size() / file_.width();
}

std::optional<std::string> SortedFile::find(ByteView wanted) const {
  std::uint64_t low = 0, high = count_;
  while (low < high) {
    std::uint64_t middle = low + (high - low) / 2;
    std::string found = file_.read(middle);
    int order = ByteView(found).substr(0, key_width_).compare(wanted);
    if (order == 0) return found.substr(key_width_);
    (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
  }
  return std::nullopt;
}

}  // namespace windlass::snapshot
