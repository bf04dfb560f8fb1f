#include "ledger/core/error.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace windlass::core {
namespace {

std::string upper(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name;
}

}  // namespace

const ErrorInfo& info(Error error) {
  constexpr auto count = static_cast<std::size_t>(Error::count);
  static const std::array<std::string, count> reasons = {"NONE",
#define WINDLASS_ERROR_REASON(name, retry, status, text) upper(#name),
                                                         WINDLASS_ERRORS(WINDLASS_ERROR_REASON)
#undef WINDLASS_ERROR_REASON
  };
  static const auto table = [] {
    std::array<ErrorInfo, count> made = {ErrorInfo{"", "", false, 0},
#define WINDLASS_ERROR_INFO(name, retry, status, text) ErrorInfo{"", text, retry, status},
                                         WINDLASS_ERRORS(WINDLASS_ERROR_INFO)
#undef WINDLASS_ERROR_INFO
    };
    for (std::size_t i = 0; i < count; ++i) made[i].reason = reasons[i];
    return made;
  }();
  return table[static_cast<std::size_t>(error)];
}

std::optional<Error> error_of(std::string_view reason) {
  for (std::size_t i = 1; i < static_cast<std::size_t>(Error::count); ++i)
    if (auto error = static_cast<Error>(i); info(error).reason == reason) return error;
  return std::nullopt;
}

}  // namespace windlass::core
