// What the two HTTP listeners answer.
//   the public one   /                        explorer (HTML), with /key/<hex or TRON address>, /entry/<n>,
//                                             /channel/<n>, /anchors
//                    /api/v1/...              JSON; /api/v1/openapi.json describes it
//                    /checkpoint, /tile/...   the log, as C2SP tlog-tiles has it: of the newest checkpoint,
//                                             with the witnesses' cosignatures that it has so far
//                    /checkpoint/cosigned     the newest one that witnesses cosigned, a little older
//                    /healthz, /readyz        alive; able to serve
//   the private one  /metrics, /healthz
#pragma once

#include "api/http/reader.h"
#include "api/http/server.h"

namespace windlass::api {

// All that is referred to outlives the server.
struct Site {
  Reader& reader;
  const log::TileStore& tiles;
  std::function<std::string()> checkpoint;  // the newest signed note; empty before the first
  std::function<std::optional<std::string>()> why_not_ready;  // nothing: ready
  std::function<std::uint64_t()> signed_size;  // of the newest signed note: what is beyond is not shown
  std::function<std::string()> cosigned;       // the newest cosigned note; empty before the first
};

HttpHandler public_handler(Site site);
HttpHandler metrics_handler(std::function<std::string()> render);

}  // namespace windlass::api
