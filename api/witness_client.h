// One request to a witness: an HTTP(S) POST with a deadline.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace windlass::api {

struct WitnessUrl {
  bool is_https = false;
  std::string host;  // without a v6 address's brackets
  std::string port;
  std::string path;  // the submission prefix, without a slash at its end
  // `http(s)://host[:port][/path]`; no user, query or fragment. The error says what would be right.
  static tl::expected<WitnessUrl, std::string> parse(std::string_view text);
};

struct WitnessAnswer {
  unsigned status = 0;
  std::string body;
};

class WitnessClient {
 public:
  // Certificates are verified with those in `ca_file` (PEM), or with the system's where it is empty. Throws
  // std::runtime_error where the file cannot be read.
  explicit WitnessClient(std::filesystem::path ca_file);

  // Whatever the witness answers by the deadline, or a sentence that says why there is no answer. Returns
  // soon after `stopping` is set. Any thread.
  tl::expected<WitnessAnswer, std::string> post(const WitnessUrl& url, std::string_view call,
                                                const std::string& body, std::chrono::milliseconds deadline,
                                                const std::atomic<bool>& stopping) const;

 private:
  const std::filesystem::path ca_file_;
};

}  // namespace windlass::api
