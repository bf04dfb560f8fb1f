#include "api/http/json.h"

#include <fmt/format.h>

namespace windlass::api {
namespace {

template <typename Members>
std::string object_text(const Members& members) {
  std::string out = "{";
  for (const auto& [name, value] : members) {
    if (out.size() > 1) out += ',';
    ((out += Json(name).text()) += ':') += value.text();
  }
  return out + '}';
}

}  // namespace

// '<' and '>' are escaped too, so that the text is safe wherever it is put.
Json::Json(std::string_view value) : text_("\"") {
  for (char c : value) {
    if (c == '"' || c == '\\')
      (text_ += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>')
      text_ += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      text_ += c;
  }
  text_ += '"';
}

Json Json::object(std::initializer_list<Member> members) {
  Json out;
  out.text_ = object_text(members);
  return out;
}

Json Json::object(const std::vector<Member>& members) {
  Json out;
  out.text_ = object_text(members);
  return out;
}

Json Json::array(const std::vector<Json>& items) {
  Json out;
  out.text_ = "[";
  for (const Json& item : items) {
    if (out.text_.size() > 1) out.text_ += ',';
    out.text_ += item.text();
  }
  out.text_ += ']';
  return out;
}

}  // namespace windlass::api
