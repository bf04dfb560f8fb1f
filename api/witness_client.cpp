#include "api/witness_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <stdexcept>

namespace windlass::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using beast::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t max_answer_bytes = 64 * 1024;  // some hundred signature lines
constexpr auto stop_check = std::chrono::milliseconds(50);

// Runs one asynchronous step after another, each until it is done, the deadline has passed or a stop is
// wanted. A step that was given up is never resumed: its stream must not be used again.
class Steps {
 public:
  Steps(asio::io_context& io, std::chrono::milliseconds deadline, const std::atomic<bool>& stopping)
      : io_(io), deadline_(Clock::now() + deadline), stopping_(stopping) {}

  // start(handler): the handler is called with an error_code first.
  template <typename Start>
  error_code run(Start start) {
    std::optional<error_code> result;
    start([&result](error_code error, auto&&...) { result = error; });
    io_.restart();
    while (!result) {
      if (stopping_) return asio::error::operation_aborted;
      auto now = Clock::now();
      if (now >= deadline_) return beast::error::timeout;
      io_.run_for(std::min<Clock::duration>(stop_check, deadline_ - now));
      io_.restart();
    }
    return *result;
  }

 private:
  asio::io_context& io_;
  Clock::time_point deadline_;
  const std::atomic<bool>& stopping_;
};

std::string sentence(const char* what, const error_code& error) {
  return std::string(what) + ": " + error.message();
}

template <typename Stream>
tl::expected<WitnessAnswer, std::string> exchange(Stream& stream, Steps& steps,
                                                  http::request<http::string_body>& request) {
  if (auto error = steps.run([&](auto done) { http::async_write(stream, request, done); }))
    return tl::unexpected(sentence("cannot send", error));
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> answer;
  answer.body_limit(max_answer_bytes);
  if (auto error = steps.run([&](auto done) { http::async_read(stream, buffer, answer, done); }))
    return tl::unexpected(sentence("no answer", error));
  return WitnessAnswer{answer.get().result_int(), std::move(answer.get().body())};
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
         c == '_';
}

bool is_path_character(char c) {
  return is_host_character(c) || c == '/' || c == '~' || c == '%';
}

}  // namespace

tl::expected<WitnessUrl, std::string> WitnessUrl::parse(std::string_view text) {
  auto wrong = [&](const char* what) {
    return tl::unexpected("\"" + std::string(text) + "\" " + what +
                          "; a witness's URL reads https://host[:port][/path]");
  };
  WitnessUrl url;
  std::string_view rest = text;
  url.is_https = rest.starts_with("https://");
  if (!url.is_https && !rest.starts_with("http://")) return wrong("is neither http:// nor https://");
  rest.remove_prefix(url.is_https ? 8 : 7);
  auto slash = std::min(rest.find('/'), rest.size());
  std::string_view authority = rest.substr(0, slash), path = rest.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (!std::all_of(path.begin(), path.end(), is_path_character)) return wrong("has an odd path");
  url.path = path;
  auto port = authority.rfind(':');
  if (authority.starts_with('[')) {
    auto end = authority.find(']');
    if (end == std::string_view::npos) return wrong("has no ] after its address");
    url.host = authority.substr(1, end - 1);
    port = end + 1 < authority.size() ? end + 1 : std::string_view::npos;
    error_code error;
    asio::ip::make_address_v6(url.host, error);
    if (error || (port != std::string_view::npos && authority[port] != ':'))
      return wrong("has no IPv6 address between [ and ]");
  } else {
    url.host = authority.substr(0, std::min(port, authority.size()));
    if (url.host.empty() || !std::all_of(url.host.begin(), url.host.end(), is_host_character))
      return wrong("has no host");
  }
  url.port = url.is_https ? "443" : "80";
  if (port == std::string_view::npos) return url;
  url.port = authority.substr(port + 1);
  bool is_number = !url.port.empty() && url.port.size() <= 5 &&
                   std::all_of(url.port.begin(), url.port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number || std::stoi(url.port) == 0 || std::stoi(url.port) > 65'535)
    return wrong("has no port between 1 and 65535");
  return url;
}

struct WitnessClient::Tls {
  asio::ssl::context context{asio::ssl::context::tls_client};
};

WitnessClient::WitnessClient(const std::filesystem::path& ca_file) : tls_(std::make_unique<Tls>()) {
  error_code error;
  if (ca_file.empty())
    tls_->context.set_default_verify_paths(error);
  else
    tls_->context.load_verify_file(ca_file.string(), error);
  if (error)
    throw std::runtime_error("cannot read the certificates in " + ca_file.string() + ": " + error.message());
  tls_->context.set_verify_mode(asio::ssl::verify_peer);
}

WitnessClient::~WitnessClient() = default;

tl::expected<WitnessAnswer, std::string> WitnessClient::post(const WitnessUrl& url, std::string_view call,
                                                             const std::string& body,
                                                             std::chrono::milliseconds deadline,
                                                             const std::atomic<bool>& stopping) const {
  asio::io_context io;
  Steps steps(io, deadline, stopping);
  // A look-up that hangs holds the destructor of `io` up, for as long as the system's resolver waits.
  tcp::resolver resolver(io);
  tcp::resolver::results_type found;
  auto error = steps.run([&](auto done) {
    resolver.async_resolve(url.host, url.port, [&found, done](error_code failed, auto results) mutable {
      found = results;
      done(failed);
    });
  });
  if (error) return tl::unexpected(sentence("cannot find the host", error));

  http::request<http::string_body> request(http::verb::post, url.path + "/" + std::string(call), 11, body);
  request.set(http::field::host, url.host + ":" + url.port);
  request.set(http::field::user_agent, "windlass");
  request.set(http::field::content_type, "text/plain; charset=utf-8");
  request.set(http::field::connection, "close");
  request.prepare_payload();

  beast::ssl_stream<beast::tcp_stream> stream(io, tls_->context);
  auto& plain = beast::get_lowest_layer(stream);
  plain.expires_never();  // the steps have their own
  error = steps.run([&](auto done) { plain.async_connect(found, done); });
  if (error) return tl::unexpected(sentence("cannot connect", error));
  if (!url.is_https) return exchange(plain, steps, request);

  std::string name = url.host;
  SSL_ctrl(stream.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
  stream.set_verify_callback(asio::ssl::host_name_verification(url.host));
  error = steps.run([&](auto done) { stream.async_handshake(asio::ssl::stream_base::client, done); });
  if (error) return tl::unexpected(sentence("no TLS", error));
  return exchange(stream, steps, request);
}

}  // namespace windlass::api
