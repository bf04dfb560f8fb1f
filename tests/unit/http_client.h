// A socket that says exactly what a test wants said.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <string_view>

namespace windlass::test {

constexpr int client_timeout_ms = 20'000;  // a test that waits as long has failed

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { ::close(fd_); }

  // False when the other side is gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  // One response, header and body; `head`: there is no body. What came when the connection ended before its
  // end.
  std::string receive(bool head = false) {
    while (true) {
      auto end = buffer_.find("\r\n\r\n");
      if (end != std::string::npos) {
        std::size_t size = end + 4 + (head ? 0 : content_length(buffer_.substr(0, end + 2)));
        if (buffer_.size() >= size) {
          std::string out = buffer_.substr(0, size);
          buffer_.erase(0, size);
          return out;
        }
      }
      if (!read_more()) return std::exchange(buffer_, {});
    }
  }
  // Whether the connection ends within the time.
  bool closes_within(std::chrono::milliseconds time) {
    pollfd waited{fd_, POLLIN, 0};
    char byte = 0;
    return ::poll(&waited, 1, static_cast<int>(time.count())) == 1 && ::recv(fd_, &byte, 1, MSG_PEEK) <= 0;
  }
  // Whether the server closes the connection (having said nothing more).
  bool is_closed_by_server() {
    bool more = read_more();
    return !more && buffer_.empty();
  }

  static std::string get(std::uint16_t port, const std::string& target) {
    RawClient client(port);
    client.send("GET " + target + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    return client.receive();
  }

 private:
  static std::size_t content_length(const std::string& header) {
    auto at = header.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::stoull(header.substr(at + 16));
  }
  bool read_more() {
    pollfd waited{fd_, POLLIN, 0};
    if (::poll(&waited, 1, client_timeout_ms) != 1) {
      ADD_FAILURE() << "the server said nothing and kept the connection open";
      return false;
    }
    char bytes[16 * 1024];
    ssize_t count = ::recv(fd_, bytes, sizeof bytes, 0);
    if (count > 0) buffer_.append(bytes, static_cast<std::size_t>(count));
    return count > 0;
  }

  int fd_;
  std::string buffer_;
};

inline int status_of(const std::string& response) {
  return response.starts_with("HTTP/1.1 ") ? std::stoi(response.substr(9, 3)) : 0;
}
inline std::string body_of(const std::string& response) {
  auto end = response.find("\r\n\r\n");
  return end == std::string::npos ? "" : response.substr(end + 4);
}

}  // namespace windlass::test
