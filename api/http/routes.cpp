#include "api/http/routes.h"

#include "api/http/explorer.h"
#include "api/http/json_api.h"

namespace windlass::api {
namespace {

// A tile's bytes follow from its path for ever, its width included. A full one is asked for as long as the
// log lives, a partial one only while a checkpoint that ends in it is new: caches need not keep it.
constexpr const char* full_tile =
    "public, max-age=31536000, immutable";  // a year, the most that caches honour
constexpr const char* partial_tile = "public, max-age=3600, immutable";

HttpResponse text(int status, std::string body) {
  return {.status = status, .body = std::move(body), .headers = {{"Cache-Control", "no-store"}}};
}
HttpResponse open_to_all(HttpResponse response, const char* cache) {
  response.headers = {{"Access-Control-Allow-Origin", "*"}, {"Cache-Control", cache}};
  return response;
}

// "Not yet" must not be remembered; a checkpoint may be, for a moment.
HttpResponse answer_checkpoint(std::string note, const char* missing) {
  if (note.empty()) return open_to_all(text(404, missing), "no-store");
  return open_to_all(text(200, std::move(note)), "public, max-age=1");
}

// Whether all of the tile is under the log's signature. An unsigned end of the log may yet be another one,
// after a failover to a standby that lags: caches must never see it.
bool is_signed(const Site& site, const log::TilePath& tile) {
  std::uint64_t nodes = site.signed_size() >> (log::tile_height * tile.level);
  return tile.index < nodes / log::tile_width ||
         (tile.index == nodes / log::tile_width &&
          static_cast<std::uint64_t>(tile.width) <= nodes % log::tile_width);
}

// "Not a tile" is for ever, "not yet" is not.
HttpResponse answer_tile(const Site& site, std::string_view path) {
  auto tile = log::TilePath::parse(path);
  if (!tile) return open_to_all(text(404, "not the path of a tile\n"), "public, max-age=3600");
  auto bytes = is_signed(site, *tile) ? site.tiles.read(*tile) : std::nullopt;
  if (!bytes) return open_to_all(text(404, "the log is not that long yet\n"), "no-store");
  return open_to_all({.content_type = "application/octet-stream", .body = std::move(*bytes)},
                     tile->is_full() ? full_tile : partial_tile);
}

HttpResponse answer_ready(const Site& site) {
  auto reason = site.why_not_ready();
  return reason ? text(503, *reason + "\n") : text(200, "ready\n");
}

// What a browser asks before it lets another site's script read from here.
HttpResponse answer_preflight() {
  return {.status = 204,
          .headers = {{"Access-Control-Allow-Origin", "*"},
                      {"Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"},
                      {"Access-Control-Max-Age", "86400"}}};
}

HttpResponse wrong_method() {
  HttpResponse response = text(405, "only GET and HEAD are answered here\n");
  response.headers.emplace_back("Allow", "GET, HEAD, OPTIONS");
  return response;
}

}  // namespace

HttpHandler public_handler(Site site) {
  return [site = std::move(site)](const HttpRequest& request) -> HttpResponse {
    if (request.method == HttpMethod::options) return answer_preflight();
    if (request.method != HttpMethod::get && request.method != HttpMethod::head) return wrong_method();
    if (request.path == "/healthz") return text(200, "alive\n");
    if (request.path == "/readyz") return answer_ready(site);
    if (request.path == "/checkpoint")
      return answer_checkpoint(site.checkpoint(), "there is no checkpoint yet\n");
    if (request.path == "/checkpoint/cosigned")
      return answer_checkpoint(site.cosigned(), "no witness has cosigned a checkpoint yet\n");
    if (request.path.starts_with("/tile/"))
      return answer_tile(site, std::string_view(request.path).substr(1));
    if (request.path.starts_with("/api/v1/")) return answer_json(site.reader, request);
    if (auto page = answer_page(site, request)) return *page;
    return text(404, "there is nothing here; / is the explorer\n");
  };
}

HttpHandler metrics_handler(std::function<std::string()> render) {
  return [render = std::move(render)](const HttpRequest& request) -> HttpResponse {
    if (request.method != HttpMethod::get && request.method != HttpMethod::head) return wrong_method();
    if (request.path == "/healthz") return text(200, "alive\n");
    if (request.path != "/metrics") return text(404, "there is nothing here; /metrics is\n");
    HttpResponse response = text(200, render());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  };
}

}  // namespace windlass::api
