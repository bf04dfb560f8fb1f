#include "api/http/server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <set>
#include <stdexcept>

#include "ops/log.h"

namespace windlass::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using beast::error_code;

constexpr auto accept_pause =
    std::chrono::milliseconds(100);                 // after accept() failed, for want of descriptors
constexpr std::size_t drained_bytes = 1024 * 1024;  // of a refused request, so that its answer arrives
constexpr auto drain_refused = std::chrono::seconds(2);
constexpr std::string_view go_ahead = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view too_busy =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

HttpMethod method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return HttpMethod::get;
    case http::verb::head:
      return HttpMethod::head;
    case http::verb::post:
      return HttpMethod::post;
    case http::verb::options:
      return HttpMethod::options;
    default:
      return HttpMethod::other;
  }
}

bool parse_query(std::string_view text, HttpRequest& request) {
  while (!text.empty()) {
    std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    auto equals = std::min(pair.find('='), pair.size());
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return false;
    if (!pair.empty()) request.query.emplace(std::move(*name), std::move(*value));
  }
  return true;
}

std::optional<HttpRequest> to_request(http::request<http::string_body>&& message) {
  HttpRequest out;
  out.method = method_of(message.method());
  std::string_view target(message.target().data(), message.target().size());
  if (!target.starts_with('/')) return std::nullopt;
  auto question = std::min(target.find('?'), target.size());
  out.path = target.substr(0, question);
  if (!parse_query(target.substr(std::min(question + 1, target.size())), out)) return std::nullopt;
  out.body = std::move(message.body());
  return out;
}

HttpResponse refusal(int status, const char* text) {
  return {.status = status, .body = std::string(text) + "\n"};
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
    i += 2;
  }
  return out;
}

struct HttpServer::Impl {
  Impl(HttpHandler to_handle, HttpLimits to_hold)
      : handler(std::move(to_handle)),
        limits(to_hold),
        io(limits.threads),
        acceptor(asio::make_strand(io)),
        accept_timer(acceptor.get_executor()) {}

  class Session;
  void listen(const ops::Address& address);
  void accept();
  void take(tcp::socket socket);
  HttpResponse answer(http::request<http::string_body>&& message);
  bool is_stopping() {
    std::lock_guard lock(mutex);
    return stopping;
  }

  HttpHandler handler;
  HttpLimits limits;
  std::uint16_t port = 0;

  // Sessions reach for these while they go, which the last do with `io`: so they stand before it.
  std::mutex mutex;
  std::condition_variable all_closed;
  std::set<Session*> sessions;  // open ones; each takes itself out
  bool stopping = false;

  asio::io_context io;
  tcp::acceptor acceptor;
  asio::steady_timer accept_timer;
  std::vector<std::thread> threads;
};

// One connection. Each step sets its deadline, starts one operation and names the next step; the strand keeps
// steps apart. It lives as long as an operation holds it:
//   await -> read_header -> read_body -> handle, write -> await | finish
class HttpServer::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Impl& server, tcp::socket socket) : server_(server), stream_(std::move(socket)) {}
  ~Session() {
    std::lock_guard lock(server_.mutex);
    server_.sessions.erase(this);
    if (server_.sessions.empty()) server_.all_closed.notify_all();
  }

  void start() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] { self->await(); });
  }
  // Closes the connection unless a request has begun; from any thread.
  void stop() {
    asio::post(stream_.get_executor(), [self = weak_from_this()] {
      if (auto session = self.lock(); session && session->idle_) session->stream_.cancel();
    });
  }

 private:
  template <typename Step>
  auto then(Step step) {
    return [self = shared_from_this(), step](error_code error, std::size_t) { (self.get()->*step)(error); };
  }

  // Waits for the first byte of the next request.
  void await() {
    if (server_.is_stopping()) return finish();
    if (buffer_.size() > 0) return read_header();
    idle_ = true;
    stream_.expires_after(requests_ == 0 ? server_.limits.header_timeout : server_.limits.idle_timeout);
    stream_.async_read_some(buffer_.prepare(1024),
                            [self = shared_from_this()](error_code error, std::size_t count) {
                              self->idle_ = false;
                              if (error) return self->close();
                              self->buffer_.commit(count);
                              self->read_header();
                            });
  }

  void read_header() {
    parser_.emplace();
    parser_->header_limit(server_.limits.header_bytes);
    parser_->body_limit(server_.limits.body_bytes);
    stream_.expires_after(server_.limits.header_timeout);
    http::async_read_header(stream_, buffer_, *parser_, then(&Session::on_header));
  }

  void on_header(error_code error) {
    if (error) return refuse(error);
    stream_.expires_after(server_.limits.body_timeout);
    if (!beast::iequals(parser_->get()[http::field::expect], "100-continue")) return read_body();
    asio::async_write(stream_, asio::buffer(go_ahead),
                      [self = shared_from_this()](error_code failed, std::size_t) {
                        failed ? self->close() : self->read_body();
                      });
  }

  void read_body() { http::async_read(stream_, buffer_, *parser_, then(&Session::on_request)); }

  void on_request(error_code error) {
    if (error) return refuse(error);
    auto message = parser_->release();
    bool keep = message.keep_alive() && ++requests_ < server_.limits.requests_per_connection;
    bool head = message.method() == http::verb::head;
    unsigned version = message.version();
    HttpResponse response = server_.answer(std::move(message));
    write(std::move(response), version, head, keep && !server_.is_stopping());
  }

  void write(HttpResponse response, unsigned version, bool head, bool keep) {
    out_ = {};
    out_.version(version);
    out_.result(static_cast<unsigned>(response.status));
    out_.set(http::field::content_type, response.content_type);
    out_.set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : response.headers) out_.set(name, value);
    if (response.status != 204 && response.status != 304) out_.content_length(response.body.size());
    out_.keep_alive(keep);
    keep_ = keep;
    if (!head) out_.body() = std::move(response.body);
    serializer_.emplace(out_);
    stream_.expires_after(server_.limits.write_timeout);
    http::async_write(stream_, *serializer_, then(&Session::on_written));
  }

  void on_written(error_code error) {
    if (error) return close();
    keep_ ? await() : finish();
  }

  // A request that cannot be read: says why where the client is still there to hear it.
  void refuse(error_code error) {
    auto say = [this](int status, const char* text) {
      refused_ = true;
      write(refusal(status, text), 11, false, false);
    };
    if (error == http::error::header_limit) return say(431, "the header is too large");
    if (error == http::error::body_limit) return say(413, "the body is too large");
    bool is_syntax = error.category() == http::make_error_code(http::error::bad_target).category();
    bool is_end = error == http::error::end_of_stream || error == http::error::partial_message;
    is_syntax && !is_end ? say(400, "this is not an HTTP/1.1 request") : close();
  }

  // After a refusal it reads on for a moment: closing with bytes unread would reset the connection, and the
  // answer might never arrive.
  void finish() {
    if (!refused_) return close();
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(drain_refused);
    drain();
  }
  void drain() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(8192),
                            [self = shared_from_this()](error_code error, std::size_t count) {
                              self->drained_ += count;
                              error || self->drained_ > drained_bytes ? self->close() : self->drain();
                            });
  }

  void close() {
    error_code ignored;
    stream_.socket().close(ignored);
  }

  Impl& server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> out_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  bool keep_ = false;
  bool idle_ = false;     // no byte of a request has come
  bool refused_ = false;  // the request was not read to its end
  int requests_ = 0;
  std::size_t drained_ = 0;
};

void HttpServer::Impl::listen(const ops::Address& address) {
  try {
    tcp::resolver resolver(io);
    tcp::endpoint endpoint = resolver.resolve(address.host, std::to_string(address.port))->endpoint();
    acceptor.open(endpoint.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    acceptor.bind(endpoint);
    acceptor.listen();
    port = acceptor.local_endpoint().port();
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error("cannot listen on " + address.text() + ": " + error.code().message());
  }
}

void HttpServer::Impl::accept() {
  acceptor.async_accept(asio::make_strand(io), [this](error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
    if (!error) {
      take(std::move(socket));
      return accept();
    }
    accept_timer.expires_after(accept_pause);
    accept_timer.async_wait([this](error_code aborted) {
      if (!aborted) accept();
    });
  });
}

void HttpServer::Impl::take(tcp::socket socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  std::shared_ptr<Session> session;
  {
    std::lock_guard lock(mutex);
    if (sessions.size() < limits.connections && !stopping) {
      session = std::make_shared<Session>(*this, std::move(socket));
      sessions.insert(session.get());
    }
  }
  if (session) return session->start();
  // A new connection's buffer takes these few bytes at once, or the client goes without.
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(too_busy), ignored);
}

HttpResponse HttpServer::Impl::answer(http::request<http::string_body>&& message) {
  std::string target(message.target().substr(0, 200));
  auto request = to_request(std::move(message));
  if (!request) return refusal(400, "the target is not a path with well-formed escapes");
  try {
    return handler(*request);
  } catch (const std::exception& error) {
    ops::log_error("an HTTP request failed", {{"target", target}, {"error", error.what()}});
    return refusal(500, "the server could not answer; its log says why");
  }
}

HttpServer::HttpServer(const ops::Address& listen, HttpHandler handler, HttpLimits limits)
    : impl_(std::make_unique<Impl>(std::move(handler), limits)) {
  impl_->listen(listen);
  impl_->accept();
  for (int i = 0; i < limits.threads; ++i) impl_->threads.emplace_back([this] { impl_->io.run(); });
}

HttpServer::~HttpServer() {
  stop();
}

std::uint16_t HttpServer::port() const {
  return impl_->port;
}

std::size_t HttpServer::open_connections() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->sessions.size();
}

void HttpServer::stop() {
  asio::post(impl_->acceptor.get_executor(), [impl = impl_.get()] {
    error_code ignored;
    impl->acceptor.close(ignored);
    impl->accept_timer.cancel();
  });
  {
    std::unique_lock lock(impl_->mutex);
    if (std::exchange(impl_->stopping, true)) return;
    for (Impl::Session* session : impl_->sessions) session->stop();
    impl_->all_closed.wait_for(lock, impl_->limits.drain_timeout, [this] { return impl_->sessions.empty(); });
  }
  impl_->io.stop();
  for (std::thread& thread : impl_->threads) thread.join();
}

}  // namespace windlass::api
