#include "api/http/explorer_assets.h"

#include "crypto/hash.h"

namespace windlass::api {

const std::string_view explorer_style = R"css(
:root { --ink: #17202a; --soft: #5d6d7e; --line: #dfe6ec; --page: #f6f8fa; --card: #ffffff; --accent: #0b6e6e;
  --good: #1e7d46; --wait: #a15c00; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #93a1b0; --line: #2b3642; --page: #0f151b;
  --card: #161e26; --accent: #4fc3bd; --good: #5fcf8d; --wait: #e3a650; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.25rem; }
header { display: flex; flex-wrap: wrap; gap: .75rem 1.5rem; align-items: center; padding-top: 1.25rem; }
header .name { font-size: 1.25rem; font-weight: 700; letter-spacing: .01em; }
header form { flex: 1 1 22rem; display: flex; }
input { flex: 1; min-width: 0; padding: .5rem .75rem; font: inherit; color: inherit; background: var(--card);
  border: 1px solid var(--line); border-right: 0; border-radius: .5rem 0 0 .5rem; }
button { padding: .5rem 1rem; font: inherit; color: var(--card); background: var(--accent); border: 0;
  border-radius: 0 .5rem .5rem 0; cursor: pointer; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
h1 { font-size: 1.5rem; margin: 1.75rem 0 .75rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: .75rem; margin-top: 1.5rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: .9rem 1.1rem; }
.card b { display: block; font-size: 1.6rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.card span, .soft { color: var(--soft); font-size: .875rem; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .9rem; text-align: left; white-space: nowrap; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; color: var(--soft); font-weight: 600; font-size: .8125rem; }
tbody th { color: var(--soft); font-weight: 500; width: 1%; }
.facts tr:first-child > * { border-top: 0; } .facts td { white-space: normal; overflow-wrap: anywhere; }
td:last-child { white-space: normal; min-width: 10rem; }
.number { text-align: right; }
code, pre { font: .875em/1.5 ui-monospace, monospace; } pre { margin: 0; padding: .9rem 1.1rem; overflow-x: auto; }
.good { color: var(--good); } .wait { color: var(--wait); }
nav.pages { margin: .75rem 0; display: flex; gap: 1rem; }
footer { color: var(--soft); font-size: .875rem; padding-top: 2.5rem; padding-bottom: 2rem; }
)css";

// Puts the newest of the same page in place of <main> every few seconds while the page says that it moves and
// is seen.
const std::string_view explorer_script = R"js(
"use strict";
async function renew() {
  const main = document.querySelector("main");
  if (document.hidden || !main.hasAttribute("data-moving")) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    main.replaceWith(page.querySelector("main"));
  } catch (error) { /* the next round tries again */ }
}
setInterval(renew, 4000);
)js";

const std::string& explorer_policy() {
  static const std::string policy = [] {
    auto allow = [](std::string_view content) { return "'sha256-" + to_base64(view(sha256(content))) + "'"; };
    return "default-src 'none'; style-src " + allow(explorer_style) + "; script-src " +
           allow(explorer_script) +
           "; connect-src 'self'; form-action 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'";
  }();
  return policy;
}

}  // namespace windlass::api
