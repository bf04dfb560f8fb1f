// The explorer: pages made on the server, whole without any script or outside asset. A few lines of script
// renew a page that is still moving.
#pragma once

#include "api/http/routes.h"

namespace windlass::api {

// A path of the explorer; nothing when it is none.
std::optional<HttpResponse> answer_page(const Site& site, const HttpRequest& request);

std::string escape_html(std::string_view text);

}  // namespace windlass::api
