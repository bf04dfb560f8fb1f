// Loads tests/vectors/tron.
#pragma once

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "crypto/bytes.h"

namespace windlass::test {

inline nlohmann::json load_file(const std::string& file) {
  const char* source = std::getenv("WINDLASS_SOURCE_DIR");
  std::ifstream in(std::string(source ? source : ".") + "/tests/vectors/tron/" + file);
  if (!in) throw std::runtime_error("no tests/vectors/tron/" + file + ": set WINDLASS_SOURCE_DIR");
  return nlohmann::json::parse(in);
}

// The cases of a file, by value.
inline nlohmann::json load_vectors(const std::string& file) {
  auto json = load_file(file);
  return json.at(json.contains("vectors") ? "vectors" : "captures");
}

inline std::string unhex(const std::string& text) {
  auto bytes = from_hex(text);
  if (!bytes) throw std::runtime_error("not hex: " + text);
  return *bytes;
}

}  // namespace windlass::test
