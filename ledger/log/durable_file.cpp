#include "ledger/log/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <system_error>

namespace windlass::log {

void write_durably(const std::filesystem::path& file, ByteView text) {
  auto temporary = file;
  temporary += ".new";
  auto fail = [&](const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what + temporary.string());
  };
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) fail("cannot create ");
  bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!ok) fail("cannot write ");
  std::filesystem::rename(temporary, file);
  int directory = ::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  ::fsync(directory);
  ::close(directory);
}

}  // namespace windlass::log
