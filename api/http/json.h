// JSON as text that is put together from JSON: enough to answer, nothing to read with.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace windlass::api {

class Json {
 public:
  Json() : text_("null") {}
  Json(bool value) : text_(value ? "true" : "false") {}
  Json(std::string_view value);
  Json(const char* value) : Json(std::string_view(value)) {}
  Json(const std::string& value) : Json(std::string_view(value)) {}
  // 64 bits are a string: JavaScript's numbers hold 53.
  template <std::integral Integer>
  Json(Integer value)
      : text_(sizeof(Integer) < 8 ? std::to_string(value) : '"' + std::to_string(value) + '"') {}

  using Member = std::pair<std::string_view, Json>;
  static Json object(std::initializer_list<Member> members);
  static Json object(const std::vector<Member>& members);
  static Json array(const std::vector<Json>& items);
  template <typename Range, typename Convert>
  static Json array(const Range& range, Convert convert) {
    std::vector<Json> items;
    for (const auto& item : range) items.push_back(convert(item));
    return array(items);
  }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace windlass::api
