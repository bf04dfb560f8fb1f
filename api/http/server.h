// A small HTTP/1.1 server (Boost.Beast) with a bound on everything that a client could make it hold:
// connections, bytes of a request, time. It speaks plain HTTP; TLS for the public belongs to a reverse proxy
// before it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ops/config.h"

namespace windlass::api {

enum class HttpMethod { get, head, post, options, other };

struct HttpRequest {
  HttpMethod method = HttpMethod::get;
  std::string path;                                       // as sent, nothing decoded; begins with '/'
  std::map<std::string, std::string, std::less<>> query;  // decoded; of a name given twice, the first value
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;  // left out when a HEAD is answered
  std::vector<std::pair<std::string, std::string>> headers;
};

// Runs on the server's threads, several at a time; it may block, but every wait in it needs a deadline. What
// it throws is logged and answered with 500.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

struct HttpLimits {
  int threads = 2;                // so many requests are handled at once
  std::size_t connections = 512;  // one more is answered 503 and closed
  std::uint32_t header_bytes = 8 * 1024;
  std::uint64_t body_bytes = 64 * 1024;
  int requests_per_connection =
      1'000;  // then it is closed: long-lived ones cannot starve the others for ever
  std::chrono::milliseconds header_timeout{
      5'000};  // from the connection, or from the header's first byte, to its last
  std::chrono::milliseconds body_timeout{10'000};
  std::chrono::milliseconds write_timeout{10'000};
  std::chrono::milliseconds idle_timeout{15'000};  // between two requests
  std::chrono::milliseconds drain_timeout{3'000};  // stop(): for requests that are being handled
};

class HttpServer {
 public:
  // Listens at once; throws std::runtime_error that names the address when it cannot.
  HttpServer(const ops::Address& listen, HttpHandler handler, HttpLimits limits = {});
  ~HttpServer();  // stop()

  std::uint16_t port() const;  // the one it listens on, when asked for port 0
  // Takes no new connections or requests, closes idle ones, lets those being handled finish. Any thread;
  // once.
  void stop();
  std::size_t open_connections() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Decodes %XX and, for queries, '+'. Nothing when an escape is broken.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

}  // namespace windlass::api
