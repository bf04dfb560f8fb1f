// Messages as JSON for programs and back: field names as in the proto, bytes as hex, 64-bit integers as
// strings, every scalar field present.
#pragma once

#include <google/protobuf/message.h>

#include "client/failure.h"

namespace windlass::client {

std::string to_json(const google::protobuf::Message& message);
// The failure says which field is wrong; unknown fields are refused.
Result<void> from_json(const std::string& json, google::protobuf::Message& message);

std::string json_string(std::string_view text);  // quoted and escaped

// An object, member by member, in the order added.
class JsonObject {
 public:
  JsonObject& add(std::string_view name, std::string_view text) { return raw(name, json_string(text)); }
  JsonObject& add(std::string_view name, const char* text) { return raw(name, json_string(text)); }
  JsonObject& add(std::string_view name, const std::string& text) { return raw(name, json_string(text)); }
  JsonObject& add(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  JsonObject& add(std::string_view name, double value);
  template <std::integral Integer>
  JsonObject& add(std::string_view name, Integer value) {
    std::string digits = std::to_string(value);
    return raw(name, sizeof(Integer) > 4 ? "\"" + digits + "\"" : digits);
  }
  JsonObject& raw(std::string_view name, std::string_view json);
  std::string text() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

std::string json_array(const std::vector<std::string>& items);

}  // namespace windlass::client
