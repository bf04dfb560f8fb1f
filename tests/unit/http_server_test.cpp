// The HTTP server against clients that are slow, wrong, greedy or many.
#include <future>

#include "api/http/server.h"
#include "tests/unit/http_client.h"

namespace windlass::api {
namespace {

using namespace std::chrono_literals;
using test::body_of;
using test::RawClient;
using test::status_of;

HttpResponse echo(const HttpRequest& request) {
  HttpResponse response{.body = request.path};
  for (const auto& [name, value] : request.query) response.body += "|" + name + "=" + value;
  if (!request.body.empty()) response.body += "|" + request.body;
  response.headers.emplace_back("X-Test", "yes");
  return response;
}

// Short where a test waits for it, long where it must not strike.
HttpLimits test_limits() {
  HttpLimits limits;
  limits.header_bytes = 1024;
  limits.body_bytes = 2048;
  limits.header_timeout = limits.body_timeout = limits.idle_timeout = 60s;
  return limits;
}

class HttpServerTest : public testing::Test {
 protected:
  HttpServer& serve(HttpLimits limits = test_limits(), HttpHandler handler = echo) {
    server_ = std::make_unique<HttpServer>(ops::Address{"127.0.0.1", 0}, std::move(handler), limits);
    return *server_;
  }
  std::uint16_t port() const { return server_->port(); }
  void wait_for_connections(std::size_t count) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(test::client_timeout_ms);
    while (server_->open_connections() != count) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << server_->open_connections() << " connections";
      std::this_thread::yield();
    }
  }
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersWithStatusHeadersAndBody) {
  serve();
  std::string response = RawClient::get(port(), "/a/b?x=1&y=a%20b+c");
  EXPECT_EQ(status_of(response), 200);
  EXPECT_EQ(body_of(response), "/a/b|x=1|y=a b c");
  EXPECT_NE(response.find("X-Test: yes\r\n"), std::string::npos);
  EXPECT_NE(response.find("X-Content-Type-Options: nosniff\r\n"), std::string::npos);
}

TEST_F(HttpServerTest, AnswersSeveralRequestsOfOneConnection) {
  serve();
  RawClient client(port());
  for (std::string path : {"/1", "/2", "/3"}) {
    client.send("GET " + path + " HTTP/1.1\r\nHost: t\r\n\r\n");
    EXPECT_EQ(body_of(client.receive()), path);
  }
  client.send("GET /4 HTTP/1.1\r\nHost: t\r\n\r\nGET /5 HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(body_of(client.receive()), "/4");
  EXPECT_EQ(body_of(client.receive()), "/5");
}

TEST_F(HttpServerTest, LeavesOutTheBodyOfHead) {
  serve();
  RawClient client(port());
  client.send("HEAD /four HTTP/1.1\r\nHost: t\r\n\r\nGET /next HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_NE(client.receive(true).find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_EQ(body_of(client.receive()), "/next");
}

TEST_F(HttpServerTest, ReadsABodyUpToItsLimit) {
  serve();
  RawClient client(port());
  client.send("POST /p HTTP/1.1\r\nHost: t\r\nContent-Length: 2048\r\n\r\n" + std::string(2048, 'b'));
  EXPECT_EQ(body_of(client.receive()), "/p|" + std::string(2048, 'b'));
}

TEST_F(HttpServerTest, TellsAClientThatAsksToGoOn) {
  serve();
  RawClient client(port());
  client.send("POST /p HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(status_of(client.receive()), 100);
  client.send("ab");
  EXPECT_EQ(body_of(client.receive()), "/p|ab");
}

TEST_F(HttpServerTest, RefusesAnOversizedBody) {
  serve();
  RawClient client(port());
  client.send("POST /p HTTP/1.1\r\nHost: t\r\nContent-Length: 2049\r\n\r\n" + std::string(2049, 'b'));
  EXPECT_EQ(status_of(client.receive()), 413);
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(HttpServerTest, RefusesAnOversizedChunkedBody) {
  serve();
  RawClient client(port());
  client.send("POST /p HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n" +
              std::string(4096, 'b') + "\r\n0\r\n\r\n");
  EXPECT_EQ(status_of(client.receive()), 413);
}

TEST_F(HttpServerTest, RefusesAnOversizedHeader) {
  serve();
  RawClient client(port());
  client.send("GET / HTTP/1.1\r\nX: " + std::string(1024, 'h') + "\r\n\r\n");
  EXPECT_EQ(status_of(client.receive()), 431);
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
  serve();
  for (std::string_view request :
       {"hello\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/2.7\r\n\r\n", "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET http://elsewhere/ HTTP/1.1\r\n\r\n", "GET /?a=%zz HTTP/1.1\r\n\r\n",
        "GET /?a=%4 HTTP/1.1\r\n\r\n"}) {
    RawClient client(port());
    client.send(request);
    EXPECT_EQ(status_of(client.receive()), 400) << request;
  }
}

TEST_F(HttpServerTest, SurvivesClientsThatVanish) {
  serve();
  for (std::string_view part :
       {"", "GET", "GET / HTTP/1.1\r\nHo", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"})
    RawClient(port()).send(part);
  EXPECT_EQ(status_of(RawClient::get(port(), "/")), 200);
  wait_for_connections(0);
}

TEST_F(HttpServerTest, ClosesAConnectionWhoseHeaderDribbles) {
  HttpLimits limits = test_limits();
  limits.header_timeout = 200ms;
  serve(limits);
  RawClient client(port());
  auto start = std::chrono::steady_clock::now();
  // Each byte comes in time; all of them together do not.
  while (!client.closes_within(20ms)) {
    client.send("G");
    ASSERT_LT(std::chrono::steady_clock::now() - start, 10s);
  }
  EXPECT_GE(std::chrono::steady_clock::now() - start, 200ms);
  wait_for_connections(0);
}

TEST_F(HttpServerTest, ClosesAConnectionWhoseBodyNeverComes) {
  HttpLimits limits = test_limits();
  limits.body_timeout = 100ms;
  serve(limits);
  RawClient client(port());
  client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(HttpServerTest, ClosesAnIdleConnection) {
  HttpLimits limits = test_limits();
  limits.idle_timeout = 100ms;
  serve(limits);
  RawClient client(port());
  client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(status_of(client.receive()), 200);
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(HttpServerTest, ClosesAConnectionThatDoesNotReadItsAnswer) {
  HttpLimits limits = test_limits();
  limits.write_timeout = 100ms;
  serve(limits, [](const HttpRequest&) { return HttpResponse{.body = std::string(64 << 20, 'x')}; });
  RawClient client(port());
  client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  wait_for_connections(1);
  wait_for_connections(0);
}

TEST_F(HttpServerTest, RefusesAConnectionBeyondItsBoundAndTakesTheNextAfterOneWent) {
  HttpLimits limits = test_limits();
  limits.connections = 2;
  serve(limits);
  auto first = std::make_unique<RawClient>(port());
  RawClient second(port());
  wait_for_connections(2);
  RawClient third(port());
  EXPECT_EQ(status_of(third.receive()), 503);
  first.reset();
  wait_for_connections(1);
  EXPECT_EQ(status_of(RawClient::get(port(), "/")), 200);
}

TEST_F(HttpServerTest, ClosesAConnectionAfterItsShareOfRequests) {
  HttpLimits limits = test_limits();
  limits.requests_per_connection = 2;
  serve(limits);
  RawClient client(port());
  client.send("GET /1 HTTP/1.1\r\nHost: t\r\n\r\nGET /2 HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(body_of(client.receive()), "/1");
  EXPECT_NE(client.receive().find("Connection: close"), std::string::npos);
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(HttpServerTest, AnswersAFailureWithoutItsText) {
  serve(test_limits(),
        [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("password=hunter2"); });
  std::string response = RawClient::get(port(), "/");
  EXPECT_EQ(status_of(response), 500);
  EXPECT_EQ(response.find("hunter2"), std::string::npos);
}

TEST_F(HttpServerTest, StopAnswersTheRequestBeingHandledAndClosesIdleConnections) {
  std::promise<void> entered, leave;
  HttpServer& server = serve(test_limits(), [&](const HttpRequest& request) {
    if (request.path == "/slow") {
      entered.set_value();
      leave.get_future().wait();
    }
    return HttpResponse{.body = "done"};
  });
  RawClient idle(port()), busy(port());
  busy.send("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n");
  entered.get_future().wait();
  auto stopped = std::async(std::launch::async, [&] { server.stop(); });
  EXPECT_TRUE(idle.is_closed_by_server());
  leave.set_value();
  std::string response = busy.receive();
  EXPECT_EQ(body_of(response), "done");
  EXPECT_NE(response.find("Connection: close"), std::string::npos);
  stopped.wait();
}

TEST_F(HttpServerTest, NamesTheAddressThatIsTaken) {
  serve();
  try {
    HttpServer twin(ops::Address{"127.0.0.1", port()}, echo);
    FAIL() << "two servers on one port";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("127.0.0.1:" + std::to_string(port())), std::string::npos);
  }
}

TEST_F(HttpServerTest, ServesManyClientsAtOnce) {
  serve();
  std::vector<std::future<int>> results;
  for (int i = 0; i < 16; ++i)
    results.push_back(std::async(std::launch::async, [this] {
      int good = 0;
      for (int j = 0; j < 20; ++j) good += status_of(RawClient::get(port(), "/x")) == 200;
      return good;
    }));
  for (auto& result : results) EXPECT_EQ(result.get(), 20);
}

}  // namespace
}  // namespace windlass::api
