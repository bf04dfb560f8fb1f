// /api/v1: the Query and Log services as JSON. 64-bit numbers are strings, bytes are hex.
#pragma once

#include "api/http/reader.h"
#include "api/http/server.h"

namespace windlass::api {

// A path under /api/v1/.
HttpResponse answer_json(Reader& reader, const HttpRequest& request);

}  // namespace windlass::api
