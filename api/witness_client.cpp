#include "api/witness_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include <fstream>
#include <stdexcept>

namespace windlass::api {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t max_answer_bytes = 64 * 1024;  // some hundred signature lines
constexpr int stop_check_ms = 50;

using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using Multi = std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)>;
using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

std::size_t take(char* data, std::size_t, std::size_t bytes, void* into) {
  auto& body = *static_cast<std::string*>(into);
  if (body.size() + bytes > max_answer_bytes) return 0;  // ends the transfer
  body.append(data, bytes);
  return bytes;
}

// Until it is done, the deadline has passed or a stop is wanted.
CURLcode run(CURL* easy, Clock::time_point deadline, const std::atomic<bool>& stopping) {
  Multi multi(curl_multi_init(), curl_multi_cleanup);
  curl_multi_add_handle(multi.get(), easy);
  CURLcode result = CURLE_OPERATION_TIMEDOUT;
  while (!stopping && Clock::now() < deadline) {
    int running = 0;
    curl_multi_perform(multi.get(), &running);
    int queued = 0;
    if (const CURLMsg* message = curl_multi_info_read(multi.get(), &queued); message && running == 0) {
      result = message->data.result;
      break;
    }
    curl_multi_poll(multi.get(), nullptr, 0, stop_check_ms, nullptr);
  }
  curl_multi_remove_handle(multi.get(), easy);
  return result;
}

std::string sentence(CURLcode code, const char* detail) {
  const char* what = code == CURLE_COULDNT_RESOLVE_HOST ? "cannot find the host"
                     : code == CURLE_COULDNT_CONNECT    ? "cannot connect"
                     : code == CURLE_WRITE_ERROR        ? "the answer is too long"
                                                        : "no answer";
  return std::string(what) + ": " + (*detail != '\0' ? detail : curl_easy_strerror(code));
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
    in6_addr address;
    if (::inet_pton(AF_INET6, url.host.c_str(), &address) != 1 ||
        (port != std::string_view::npos && authority[port] != ':'))
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

WitnessClient::WitnessClient(std::filesystem::path ca_file) : ca_file_(std::move(ca_file)) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) throw std::runtime_error(curl_easy_strerror(ready));
  if (!ca_file_.empty() && !std::ifstream(ca_file_))
    throw std::runtime_error("cannot read the certificates in " + ca_file_.string());
}

tl::expected<WitnessAnswer, std::string> WitnessClient::post(const WitnessUrl& url, std::string_view call,
                                                             const std::string& body,
                                                             std::chrono::milliseconds deadline,
                                                             const std::atomic<bool>& stopping) const {
  Easy easy(curl_easy_init(), curl_easy_cleanup);
  Headers headers(curl_slist_append(nullptr, "Content-Type: text/plain; charset=utf-8"), curl_slist_free_all);
  bool is_v6 = url.host.find(':') != std::string::npos;
  std::string host = is_v6 ? "[" + url.host + "]" : url.host;
  std::string text =
      (url.is_https ? "https://" : "http://") + host + ":" + url.port + url.path + "/" + std::string(call);
  WitnessAnswer answer;
  char detail[CURL_ERROR_SIZE] = {};
  auto set = [&](CURLoption option, auto value) { curl_easy_setopt(easy.get(), option, value); };
  set(CURLOPT_URL, text.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PROXY, "");  // a witness is reached as it is named
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, "windlass");
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  set(CURLOPT_POSTFIELDS, body.c_str());
  set(CURLOPT_WRITEFUNCTION, take);
  set(CURLOPT_WRITEDATA, &answer.body);
  set(CURLOPT_ERRORBUFFER, detail);
  if (!ca_file_.empty()) set(CURLOPT_CAINFO, ca_file_.c_str());
  if (auto code = run(easy.get(), Clock::now() + deadline, stopping); code != CURLE_OK)
    return tl::unexpected(sentence(code, detail));
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<unsigned>(status);
  return answer;
}

}  // namespace windlass::api
