// The core stays pure: its sources include nothing but the standard library, abseil's containers,
// tl::expected, hashes and itself, and its library asks the linker for nothing of gRPC, protobuf, libpq,
// Boost or threads.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <regex>
#include <set>

namespace {

std::filesystem::path core_sources() {
  const char* root = std::getenv("WINDLASS_SOURCE_DIR");
  return std::filesystem::path(root ? root : WINDLASS_SOURCE_DIR) / "ledger" / "core";
}

// Headers with clocks, randomness, threads, files or the outside world are no part of what is allowed.
const std::set<std::string> allowed_standard_headers = {
    "algorithm", "array",    "bit",         "cassert",    "cctype",   "compare",     "cstddef",
    "cstdint",   "cstdlib",  "cstring",     "functional", "limits",   "map",         "memory",
    "numeric",   "optional", "span",        "sstream",    "string",   "tuple",       "utility",
    "variant",   "vector",   "type_traits", "set",        "iterator", "string_view", "initializer_list"};

bool allowed(const std::string& header) {
  auto begins = [&](std::string_view prefix) { return header.starts_with(prefix); };
  return allowed_standard_headers.contains(header) || begins("absl/container/") || begins("absl/hash/") ||
         begins("ledger/core/") || header == "crypto/bytes.h" || header == "crypto/hash.h" ||
         header == "crypto/secp256k1.h" || header == "tl/expected.hpp";
}

std::string output_of(const std::string& command) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  std::array<char, 4096> buffer;
  while (pipe && std::fgets(buffer.data(), buffer.size(), pipe.get())) text += buffer.data();
  return text;
}

// Every line of `text` that matches none of what is forbidden passes.
void expect_nothing_foreign(const std::string& text) {
  static const std::regex foreign(
      "grpc|protobuf|libpq|\\bPQ[a-z]|boost|pthread|std::thread|random_device|system_clock|clock_gettime",
      std::regex::icase);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_FALSE(std::regex_search(line, foreign)) << line;
}

TEST(CorePurity, IncludesNothingButContainersAndHashes) {
  static const std::regex include("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]");
  int headers = 0;
  for (const auto& file : std::filesystem::directory_iterator(core_sources())) {
    if (file.path().extension() != ".h" && file.path().extension() != ".cpp") continue;
    std::ifstream in(file.path());
    std::smatch match;
    for (std::string line; std::getline(in, line);) {
      if (!std::regex_search(line, match, include)) continue;
      ++headers;
      EXPECT_TRUE(allowed(match[1])) << file.path().filename() << " includes " << match[1];
    }
  }
  EXPECT_GT(headers, 20);
}

TEST(CorePurity, ItsLibraryAsksForNothingForeign) {
  std::string symbols = output_of("nm -uC " WINDLASS_CORE_LIBRARY);
  ASSERT_NE(symbols.find("absl"), std::string::npos) << "nm shows nothing";
  expect_nothing_foreign(symbols);
}

TEST(CorePurity, IsDeclaredToLinkNothingForeign) {
  expect_nothing_foreign(WINDLASS_CORE_LINKS);
  EXPECT_NE(std::string(WINDLASS_CORE_LINKS).find("windlass_crypto"), std::string::npos);
}

TEST(CorePurity, AProgramOfTheCoreAloneRunsAndNeedsNoForeignLibrary) {
  EXPECT_EQ(output_of(WINDLASS_CORE_ALONE), "sequence 0\n");
  std::string needed = output_of("readelf -d " WINDLASS_CORE_ALONE);
  ASSERT_NE(needed.find("libstdc++"), std::string::npos) << "readelf shows nothing";
  expect_nothing_foreign(needed);
}

}  // namespace
