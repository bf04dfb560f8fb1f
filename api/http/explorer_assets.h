// The explorer's style and script, and the policy that allows a browser these and nothing else.
#pragma once

#include <string>
#include <string_view>

namespace windlass::api {

extern const std::string_view explorer_style;
extern const std::string_view explorer_script;
const std::string& explorer_policy();  // Content-Security-Policy

}  // namespace windlass::api
