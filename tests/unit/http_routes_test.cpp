// The public site over a small invented ledger: what it shows, how it escapes, what a cache may keep.
#include <btfs/ledger.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "api/http/explorer.h"
#include "api/http/format.h"
#include "api/http/routes.h"
#include "crypto/base58.h"
#include "crypto/tron_address.h"
#include "ledger/codec/btfs.h"

namespace windlass::api {
namespace {

using core::Error;
using testing::HasSubstr;
using testing::Not;

core::Key key_of(std::uint8_t seed) {
  return SecretKey::from_bytes(std::string(32, static_cast<char>(seed)))->public_key();
}
const core::Key alice = key_of(1), bob = key_of(2);
constexpr core::AssetId btt{1};
constexpr core::TimeUs noon_us = 1'769'860'800'000'000;  // 2026-01-31 12:00:00 UTC

std::string address_bytes(const core::Key& key) {
  TronAddress address = tron_address(key);
  return std::string(view(address));
}
ProvenPosting proven(const core::Posting& posting) {
  return {codec::encode_posting(posting), {}, 0, 1, {}};
}
EntryView entry_of(std::uint64_t sequence, core::Kind kind, std::vector<ProvenPosting> postings = {}) {
  EntryView view;
  view.leaf = {{sequence}, noon_us, kind, {}, {}};
  view.leaf_hash = log::leaf_hash(view.leaf.encode());
  view.postings = std::move(postings);
  return view;
}
core::AccountPosting holds(core::Amount available, core::Sequence previous) {
  return {{7}, {btt, available, 0, 0}, previous};
}

// Alice was credited 5 BTT in entry 1 and paid 1.5 of it in entry 3; channel 2 is hers to Bob. The log has
// 300 entries.
class InventedLedger : public Reader {
 public:
  Answered<LedgerView> ledger() override {
    LedgerView view;
    view.genesis.origin = origin;
    view.genesis.log_vkey = "log+01234567+AAAA";
    view.genesis.anchor_address = address_bytes(alice);
    view.signing_tag = "windlass/v1/x";
    view.size = 300;
    return view;
  }
  Answered<TotalsView> totals() override {
    if (failure != Error::none) return tl::unexpected(failure);
    TotalsView view;
    view.size = 300;
    view.globals.accounts = 12'345;
    view.globals.assets = {{btt, symbol, 1, "1002000", 6, 1, 1, 1}};
    view.btfs_asset = btt;
    view.globals.totals = {{btt, 9'007'199'254'740'993, 2'500'000, 0, 0, 0, 9'007'199'257'240'993, 0}};
    return view;
  }
  Answered<AccountView> account(const core::Key& key) override {
    if (key != alice) return tl::unexpected(Error::unknown_key);
    AccountView view;
    view.account.key = alice;
    view.account.number = {7};
    view.account.last = {3};
    view.account.balances = {{btt, 3'500'000, 2'500'000, 0}};
    return view;
  }
  Answered<core::Key> key_of_address(ByteView address) override {
    if (address == address_bytes(alice)) return alice;
    return tl::unexpected(Error::unknown_key);
  }
  Answered<HistoryView> history(const core::Key&, std::size_t page_size, const std::string& token) override {
    last_page_size = page_size;
    last_token = token;
    HistoryView view;
    view.entries = {entry_of(3, core::Kind::transfer, {proven(holds(3'500'000, {1}))}),
                    entry_of(1, core::Kind::credit, {proven(holds(5'000'000, core::no_sequence))})};
    view.next_page_token = "0";
    return view;
  }
  Answered<ChannelView> channel(core::ChannelId id) override {
    if (id.value != 2) return tl::unexpected(Error::unknown_channel);
    ChannelView view;
    view.channel.id = id;
    view.channel.asset = btt;
    view.channel.deposit = 2'500'000;
    view.channel.claimed = 1;
    view.channel.expires_us = noon_us;
    view.payer = alice;
    view.recipient = bob;
    return view;
  }
  Answered<HistoryView> history(core::ChannelId id, std::size_t, const std::string&) override {
    HistoryView view;
    view.entries = {entry_of(2, core::Kind::open_channel,
                             {proven(core::ChannelPosting{id, 2'500'000, 0, core::no_sequence})})};
    return view;
  }
  Answered<WithdrawalsView> withdrawals(const core::Key&, std::size_t, const std::string&) override {
    WithdrawalView paid{.state = WithdrawalState::paid, .transaction_id = "\xab", .block = 77};
    paid.channel.id = {9};
    paid.channel.asset = btt;
    paid.channel.deposit = 1'100'000;
    paid.channel.fee = 100'000;
    paid.channel.content = address_bytes(alice);
    return WithdrawalsView{{paid}, ""};
  }
  Answered<std::vector<TermsView>> withdrawal_terms() override {
    return std::vector<TermsView>{{btt, {.minimum = 1'000'000, .fee = 100'000}, 5'000'000}};
  }
  Answered<DepositAddressView> deposit_address(const core::Key&) override {
    return DepositAddressView{.address = address_bytes(bob), .account = 3, .deposit_key = "xpub6..."};
  }
  Answered<ChannelsView> channels(const core::Key&, bool, std::size_t, const std::string&) override {
    return ChannelsView{{*channel({2})}, ""};
  }
  Answered<EntryView> entry(core::Sequence sequence, const std::optional<core::Key>& key) override {
    if (sequence.value >= 300) return tl::unexpected(Error::unknown_entry);
    EntryView shown = entry_of(sequence.value, core::Kind::transfer);
    if (key) shown.postings = {proven(holds(3'500'000, {1}))};
    if (key && sequence.value == 2)
      shown.postings = {proven(core::ChannelPosting{{2}, 2'500'000, 1, core::no_sequence})};
    shown.envelope = envelope;
    return shown;
  }
  // Entries below 100 are solid, below 200 on their way.
  Answered<AnchorsView> anchors(const std::optional<core::Sequence>& covering, bool solidified_only,
                                std::size_t, const std::string&) override {
    journal::AnchorRow solid{1, 100,    std::string(32, 'r'), "note", "solidified", std::string(32, 't'), 77,
                             1, noon_us};
    journal::AnchorRow sent{2, 200, std::string(32, 's'), "note", anchor_state, "", 0, noon_us, 0};
    AnchorsView view;
    if (!covering || covering->value < 100) view.anchors.push_back(solid);
    if (!solidified_only && (!covering || covering->value < 200)) view.anchors.push_back(sent);
    return view;
  }
  Answered<InclusionView> inclusion(core::Sequence sequence, std::uint64_t size,
                                    std::chrono::steady_clock::time_point) override {
    if (sequence.value >= 300) return tl::unexpected(Error::not_signed_yet);
    return InclusionView{size ? size : 300, "leaf", {}, {Hash{}}, "note"};
  }
  Answered<ConsistencyView> consistency(std::uint64_t old_size, std::uint64_t size) override {
    if (old_size > 300) return tl::unexpected(Error::bad_tree_size);
    return ConsistencyView{size, {}, "note"};
  }

  std::string origin = "ledger.example", symbol = "BTT", anchor_state = "broadcast";
  std::optional<std::string> envelope;  // of every entry
  Error failure = Error::none;
  std::size_t last_page_size = 0;
  std::string last_token;
};

class RoutesTest : public testing::Test {
 protected:
  RoutesTest()
      : directory_(std::filesystem::temp_directory_path() / ("windlass-routes-" + to_hex(random_array<8>()))),
        tiles_(directory_) {
    std::vector<std::string> leaves;
    std::vector<Hash> hashes;
    for (int i = 0; i < 300; ++i) {
      leaves.push_back(std::to_string(i));
      hashes.push_back(log::leaf_hash(leaves.back()));
    }
    tiles_.append(leaves, hashes);
    log::NoteSigner signer("ledger.example", Ed25519SecretKey::generate());
    checkpoint_ = signer.sign(log::Checkpoint{"ledger.example", 250, log::root_at(tiles_, 250)}.text());
    handler_ = public_handler({ledger_, tiles_, [this] { return checkpoint_; }, [this] { return not_ready_; },
                               [this] { return signed_size_; }, [this] { return cosigned_; }});
  }
  ~RoutesTest() override { std::filesystem::remove_all(directory_); }

  HttpResponse get(const std::string& target, HttpMethod method = HttpMethod::get) {
    HttpRequest request{.method = method, .path = target.substr(0, target.find('?'))};
    if (auto at = target.find('?'); at != std::string::npos) {
      std::string pair = target.substr(at + 1);  // one pair is enough here
      request.query.emplace(pair.substr(0, pair.find('=')),
                            *percent_decode(pair.substr(pair.find('=') + 1), true));
    }
    return handler_(request);
  }
  nlohmann::json json(const std::string& target, int status = 200) {
    HttpResponse response = get(target);
    EXPECT_EQ(response.status, status) << target << response.body;
    EXPECT_EQ(response.content_type, "application/json");
    return nlohmann::json::parse(response.body);
  }
  static std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers)
      if (key == name) return value;
    return "";
  }

  std::filesystem::path directory_;
  log::TileStore tiles_;
  InventedLedger ledger_;
  std::string checkpoint_, cosigned_;
  std::uint64_t signed_size_ = 300;
  std::optional<std::string> not_ready_;
  HttpHandler handler_;
};

// ---- health ----

TEST_F(RoutesTest, IsAliveEvenWhenNotReady) {
  not_ready_ = "the database does not answer";
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(get("/readyz").body, "the database does not answer\n");
  not_ready_.reset();
  EXPECT_EQ(get("/readyz").status, 200);
}

TEST_F(RoutesTest, AnswersOnlyReadingMethods) {
  EXPECT_EQ(get("/", HttpMethod::post).status, 405);
  EXPECT_EQ(get("/", HttpMethod::other).status, 405);
  EXPECT_EQ(get("/healthz", HttpMethod::head).status, 200);
  EXPECT_EQ(header(get("/checkpoint", HttpMethod::options), "Access-Control-Allow-Origin"), "*");
}

// ---- the log ----

TEST_F(RoutesTest, ServesTheCheckpointAsText) {
  HttpResponse response = get("/checkpoint");
  EXPECT_EQ(response.body, checkpoint_);
  EXPECT_EQ(response.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "*");
}

TEST_F(RoutesTest, NoCacheKeepsThatThereIsNoCheckpointYet) {
  checkpoint_.clear();
  HttpResponse response = get("/checkpoint");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(header(response, "Cache-Control"), "no-store");
}

TEST_F(RoutesTest, ServesTheCosignedCheckpointOnceThereIsOne) {
  EXPECT_EQ(get("/checkpoint/cosigned").status, 404);
  EXPECT_EQ(header(get("/checkpoint/cosigned"), "Cache-Control"), "no-store");
  cosigned_ = "a note\n";
  HttpResponse response = get("/checkpoint/cosigned");
  EXPECT_EQ(response.body, cosigned_);
  EXPECT_EQ(response.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "*");
  EXPECT_THAT(header(response, "Cache-Control"), Not(HasSubstr("immutable")));
}

TEST_F(RoutesTest, ShowsNothingBeyondTheSignedCheckpoint) {
  signed_size_ = 266;
  for (std::string path : {"/tile/0/000", "/tile/0/001.p/10", "/tile/entries/001.p/10", "/tile/1/000.p/1"})
    EXPECT_EQ(get(path).status, 200) << path;
  for (std::string path :
       {"/tile/0/001.p/11", "/tile/entries/001.p/11", "/tile/1/000.p/2", "/tile/2/000.p/1"}) {
    EXPECT_EQ(get(path).status, 404) << path;
    EXPECT_EQ(header(get(path), "Cache-Control"), "no-store") << path;
  }
  signed_size_ = 255;
  EXPECT_EQ(get("/tile/0/000").status, 404);
  EXPECT_EQ(get("/tile/1/000.p/1").status, 404);
  signed_size_ = 256;
  EXPECT_EQ(get("/tile/0/000").status, 200);
  EXPECT_EQ(get("/tile/1/000.p/1").status, 200);
}

TEST_F(RoutesTest, CachesKeepPartialTilesAShorterTime) {
  std::string full = header(get("/tile/0/000"), "Cache-Control");
  std::string partial = header(get("/tile/0/001.p/10"), "Cache-Control");
  EXPECT_THAT(full, HasSubstr("max-age=31536000"));
  EXPECT_THAT(partial, HasSubstr("immutable"));
  EXPECT_THAT(partial, HasSubstr("max-age=3600"));
}

TEST_F(RoutesTest, ServesTilesForEver) {
  HttpResponse full = get("/tile/0/000");
  EXPECT_EQ(full.status, 200);
  EXPECT_EQ(full.content_type, "application/octet-stream");
  EXPECT_EQ(header(full, "Access-Control-Allow-Origin"), "*");
  EXPECT_THAT(header(full, "Cache-Control"), HasSubstr("immutable"));
  EXPECT_EQ(full.body.size(), 256u * 32u);
  EXPECT_EQ(full.body.substr(0, 32), view(log::leaf_hash("0")));
  HttpResponse partial = get("/tile/0/001.p/10");
  EXPECT_EQ(partial.body.size(), 10u * 32u);
  EXPECT_EQ(partial.body.substr(0, 32), view(log::leaf_hash("256")));
  EXPECT_THAT(get("/tile/entries/000.p/1").body, testing::Eq(std::string("\0\1"
                                                                         "0",
                                                                         3)));
}

TEST_F(RoutesTest, TilesThatMayComeAreNotRemembered) {
  for (std::string path : {"/tile/0/001", "/tile/0/001.p/45", "/tile/2/000.p/1", "/tile/entries/002"}) {
    HttpResponse response = get(path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(header(response, "Cache-Control"), "no-store") << path;
  }
}

TEST_F(RoutesTest, RefusesOtherSpellingsOfATile) {
  for (std::string path : {"/tile/0/0", "/tile/00/000", "/tile/0/000/", "/tile/0/x000/000",
                           "/tile/0/000.p/256", "/tile/0/000.p/0", "/tile/0/000.p/01", "/tile/8/000",
                           "/tile/-1/000", "/tile/0/../0/000", "/tile/0/%30%30%30", "/tile/", "/tile//000"}) {
    HttpResponse response = get(path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_THAT(response.body, HasSubstr("not the path of a tile")) << path;
  }
}

// ---- JSON ----

TEST_F(RoutesTest, NumbersBeyondJavaScriptsAreStrings) {
  auto totals = json("/api/v1/totals");
  EXPECT_EQ(totals["totals"][0]["available"], "9007199254740993");
  EXPECT_EQ(totals["totals"][0]["credited"], "9007199257240993");
  EXPECT_EQ(totals["totals"][0]["asset"], 1);
  EXPECT_EQ(totals["accounts"], "12345");
}

TEST_F(RoutesTest, FindsAnAccountByEverySpellingOfItsName) {
  auto uncompressed = uncompress_key(alice);
  for (std::string name : {to_hex(alice), to_hex(uncompressed), tron_text(alice)}) {
    auto account = json("/api/v1/accounts/" + name);
    EXPECT_EQ(account["key"], to_hex(alice));
    EXPECT_EQ(account["balances"][0]["available"], "3500000");
    EXPECT_EQ(account["rotated_at"], nullptr);
  }
}

TEST_F(RoutesTest, DecodesPostingsBesideTheirBytes) {
  auto history = json("/api/v1/accounts/" + to_hex(alice) + "/history?page_size=2");
  EXPECT_EQ(ledger_.last_page_size, 2u);
  auto posting = history["entries"][0]["postings"][0];
  EXPECT_EQ(posting["available"], "3500000");
  EXPECT_EQ(posting["previous"], "1");
  EXPECT_EQ(posting["posting"].get<std::string>().size(), 2 * codec::account_posting_bytes);
  EXPECT_EQ(history["entries"][1]["postings"][0]["previous"], nullptr);
  EXPECT_EQ(history["entries"][1]["kind"], "credit");
}

TEST_F(RoutesTest, RefusalsSayWhyAsJson) {
  auto refused = [&](const std::string& target, int status) {
    return json(target, status)["error"]["reason"].get<std::string>();
  };
  EXPECT_EQ(refused("/api/v1/accounts/" + to_hex(bob), 404), "UNKNOWN_KEY");
  EXPECT_EQ(refused("/api/v1/accounts/xyz", 400), "BAD_KEY");
  EXPECT_EQ(refused("/api/v1/accounts/02" + std::string(64, 'f'), 400), "BAD_KEY");
  EXPECT_EQ(refused("/api/v1/entries/300", 404), "UNKNOWN_ENTRY");
  EXPECT_EQ(refused("/api/v1/entries/007", 404), "UNKNOWN_ENTRY");
  EXPECT_EQ(refused("/api/v1/channels/3", 404), "UNKNOWN_CHANNEL");
  EXPECT_EQ(refused("/api/v1/inclusion/300", 503), "NOT_SIGNED_YET");
  EXPECT_EQ(refused("/api/v1/consistency?old_size=301", 400), "BAD_TREE_SIZE");
  EXPECT_EQ(refused("/api/v1/consistency?old_size=-1", 400), "BAD_TREE_SIZE");
  EXPECT_EQ(refused("/api/v1/anchors?page_size=many", 400), "BAD_PAGE_SIZE");
  EXPECT_EQ(refused("/api/v1/nothing", 404), "UNKNOWN_PATH");
  EXPECT_EQ(refused("/api/v1/accounts//history", 404), "UNKNOWN_PATH");
  EXPECT_EQ(json("/api/v1/inclusion/300", 503)["error"]["retry"], true);
}

TEST_F(RoutesTest, OpenApiNamesEveryPathAndEachAnswers) {
  auto description = json("/api/v1/openapi.json");
  EXPECT_EQ(description["openapi"], "3.0.3");
  ASSERT_EQ(description["paths"].size(), 15u);
  for (const auto& [path, operations] : description["paths"].items()) {
    std::string target = path;
    for (const auto& [name, value] : {std::pair{"{key}", to_hex(alice)}, {"{id}", "2"}, {"{sequence}", "5"}})
      if (auto at = target.find(name); at != std::string::npos)
        target.replace(at, std::string(name).size(), value);
    json(target);
    EXPECT_TRUE(operations["get"].contains("summary"));
  }
}

// ---- pages ----

TEST_F(RoutesTest, HomeShowsSizeCheckpointTotalsAndAnchors) {
  std::string page = get("/").body;
  EXPECT_THAT(page, HasSubstr("<b>300</b>"));
  EXPECT_THAT(page, HasSubstr("<b>250</b>"));
  EXPECT_THAT(page, HasSubstr("<b>100</b>"));
  EXPECT_THAT(page, HasSubstr("<data value=\"9007199254.740993\">9,007,199,254.740993</data> BTT"));
  EXPECT_THAT(page, HasSubstr("12,345"));
  EXPECT_THAT(page, HasSubstr("solidified"));
}

TEST_F(RoutesTest, PagesBringEverythingThemselvesAndAllowNothingElse) {
  HttpResponse page = get("/");
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(header(page, "Content-Security-Policy"), HasSubstr("default-src 'none'"));
  EXPECT_THAT(page.body, Not(HasSubstr("src=")));
  EXPECT_THAT(page.body, Not(HasSubstr("http://")));
  EXPECT_THAT(page.body, Not(HasSubstr("https://")));
}

TEST_F(RoutesTest, KeyPageShowsBalancesChannelsAndWhatMoved) {
  for (std::string name : {to_hex(alice), tron_text(alice)}) {
    std::string page = get("/key/" + name).body;
    EXPECT_THAT(page, HasSubstr("<data value=\"3.5\">3.5</data> BTT"));
    EXPECT_THAT(page, HasSubstr("<data value=\"-1.5\">-1.5</data> BTT"));
    EXPECT_THAT(page, HasSubstr("<data value=\"5\">+5</data> BTT"));
    EXPECT_THAT(page, HasSubstr("href=\"/channel/2\""));
    EXPECT_THAT(page, HasSubstr(tron_text(alice)));
    EXPECT_THAT(page, HasSubstr("?page=0\">Older"));
  }
  get("/key/" + to_hex(alice) + "?page=17");
  EXPECT_EQ(ledger_.last_token, "17");
}

TEST_F(RoutesTest, EntryPageSaysHowFarItsProofIs) {
  EXPECT_THAT(get("/entry/5").body, HasSubstr("anchored</span>: solid on TRON in block 77"));
  EXPECT_THAT(get("/entry/150").body, HasSubstr("being anchored</span>: broadcast"));
  EXPECT_THAT(get("/entry/220").body, HasSubstr("under a checkpoint, not yet anchored"));
  EXPECT_THAT(get("/entry/260").body, HasSubstr("not yet under a checkpoint"));
}

TEST_F(RoutesTest, OnlyPagesThatWillChangeRenewThemselves) {
  EXPECT_THAT(get("/entry/5").body, Not(HasSubstr("<main data-moving>")));
  EXPECT_THAT(get("/entry/150").body, HasSubstr("<main data-moving>"));
}

TEST_F(RoutesTest, PostingsAreShownToWhoNamesTheKey) {
  EXPECT_THAT(get("/entry/5").body, Not(HasSubstr("account 7")));
  EXPECT_THAT(get("/entry/5?key=" + to_hex(alice)).body, HasSubstr("account 7"));
}

TEST_F(RoutesTest, PostingsOfChannelsShowAmounts) {
  std::string page = get("/entry/2?key=" + to_hex(alice)).body;
  EXPECT_THAT(page, HasSubstr("deposit <data value=\"2.5\">2.5</data> BTT"));
  EXPECT_THAT(page, HasSubstr("claimed <data value=\"0.000001\">0.000001</data> BTT"));
}

TEST_F(RoutesTest, WhatHistoricalClientsSignedShowsAmounts) {
  namespace btfs = codec::btfs;
  auto what = [&](const codec::Made& made) {
    const auto& decoded = made.value();
    ledger_.envelope = decoded.envelope.encode();
    return get("/entry/5").body;
  };
  auto state = [](core::Amount from, core::Amount to) {
    return btfs::encode(btfs::ChannelState{2, 1, {alice, from}, {bob, to}});
  };
  codec::Signed by_alice{std::string(view(alice)), "s"}, by_bob{std::string(view(bob)), "s"};

  ::ledger::TransferRequest transfer;
  transfer.mutable_payer()->set_key(btfs::address_of(alice));
  transfer.mutable_recipient()->set_key(btfs::address_of(bob));
  transfer.set_amount(1'250'000);
  EXPECT_THAT(what(codec::make_btfs_transfer(transfer.SerializeAsString(), by_alice)),
              HasSubstr("<data value=\"1.25\">1.25</data> BTT to <a href=\"/key/" + to_hex(bob)));
  ::ledger::ChannelCommit open;
  open.mutable_payer()->set_key(btfs::address_of(alice));
  open.mutable_recipient()->set_key(btfs::address_of(bob));
  open.set_amount(2'500'000);
  open.set_payer_id(7);
  EXPECT_THAT(what(codec::make_btfs_open_channel(open.SerializeAsString(), by_alice)),
              HasSubstr("<data value=\"2.5\">2.5</data> BTT for <a href=\"/key/" + to_hex(bob)));
  std::string close = what(codec::make_btfs_close_channel(state(2'000'000, 500'000), by_bob, by_alice));
  EXPECT_THAT(close, HasSubstr("<data value=\"0.5\">0.5</data> BTT to <a href=\"/key/" + to_hex(bob)));
  EXPECT_THAT(close, HasSubstr("<data value=\"2\">2</data> BTT back"));
  // What arrives, as of any withdrawal: the fee is not of it.
  codec::BtfsWithdrawal withdrawal{
      state(0, 2'500'000), state(2'500'000, 0), by_alice, by_alice, by_bob, by_bob, 100'000};
  EXPECT_THAT(what(codec::make_btfs_withdraw(withdrawal)),
              HasSubstr("<data value=\"2.4\">2.4</data> BTT to " + tron_text(alice)));
}

TEST_F(RoutesTest, ChannelAndAnchorPagesAnswer) {
  EXPECT_THAT(get("/channel/2").body, HasSubstr("<data value=\"2.5\">2.5</data> BTT"));
  EXPECT_THAT(get("/channel/2").body, HasSubstr("/key/" + to_hex(bob)));
  EXPECT_THAT(get("/anchors").body, HasSubstr("solidified"));
}

TEST_F(RoutesTest, UnknownThingsAreNotFoundAndSaySo) {
  for (const std::string& path :
       {std::string("/entry/300"), std::string("/entry/x"), std::string("/entry/05"),
        std::string("/channel/9"), "/key/" + to_hex(bob)}) {
    HttpResponse response = get(path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(header(response, "Cache-Control"), "no-store");
  }
  EXPECT_EQ(get("/key/zz").status, 400);
  EXPECT_EQ(get("/nothing").status, 404);
}

TEST_F(RoutesTest, LookupLeadsToThePageOfWhatWasAsked) {
  auto leads_to = [&](const std::string& asked) { return header(get("/lookup?q=" + asked), "Location"); };
  EXPECT_EQ(leads_to("17"), "/entry/17");
  EXPECT_EQ(leads_to("+" + to_hex(alice) + "+"), "/key/" + to_hex(alice));
  EXPECT_EQ(leads_to(tron_text(alice)), "/key/" + tron_text(alice));
  EXPECT_EQ(leads_to("%0d%0aX-Evil:1"), "");
  EXPECT_EQ(leads_to(std::string(32, 'a') + "%0d%0a" + std::string(32, 'b')), "");
  EXPECT_EQ(leads_to(""), "");
}

TEST_F(RoutesTest, EscapesWhateverComesFromOutside) {
  const std::string evil = "<evil a='x' b=\"y\">&z;";
  ledger_.origin = ledger_.symbol = ledger_.anchor_state = evil;
  for (std::string path :
       {std::string("/"), std::string("/anchors"), "/key/" + to_hex(alice), std::string("/entry/150"),
        "/lookup?q=" + evil, "/key/" + evil, "/entry/" + evil}) {
    std::string page = get(path).body;
    for (const char* raw : {"<evil", "'x'", "\"y\"", "y\">", "&z;"})
      EXPECT_THAT(page, Not(HasSubstr(raw))) << path;
  }
  EXPECT_EQ(json("/api/v1/ledger")["origin"], evil);
  EXPECT_THAT(get("/api/v1/ledger").body, Not(HasSubstr("<evil")));
}

TEST_F(RoutesTest, ADatabaseThatIsAwayIsAReasonToRetry) {
  ledger_.failure = Error::unavailable;
  EXPECT_EQ(get("/").status, 503);
  EXPECT_EQ(json("/api/v1/totals", 503)["error"]["retry"], true);
}

TEST(Formats, AmountsAreExact) {
  EXPECT_EQ(amount_text(0, 6), "0");
  EXPECT_EQ(amount_text(1, 6), "0.000001");
  EXPECT_EQ(amount_text(500'000, 6), "0.5");
  EXPECT_EQ(amount_text(12'500'000, 6), "12.5");
  EXPECT_EQ(amount_text(-12'500'000, 6), "-12.5");
  EXPECT_EQ(amount_text(7, 0), "7");
  EXPECT_EQ(amount_text(std::numeric_limits<core::Amount>::max(), 18), "9.223372036854775807");
  EXPECT_EQ(amount_text(std::numeric_limits<core::Amount>::min(), 0), "-9223372036854775808");
  EXPECT_EQ(time_text(noon_us), "2026-01-31 12:00:00 UTC");
}

TEST(MetricsRoute, ShowsMetricsAndNothingElse) {
  auto handler = metrics_handler([] { return std::string("windlass_up 1\n"); });
  EXPECT_EQ(handler({.path = "/metrics"}).body, "windlass_up 1\n");
  EXPECT_THAT(handler({.path = "/metrics"}).content_type, HasSubstr("version=0.0.4"));
  EXPECT_EQ(handler({.path = "/healthz"}).status, 200);
  EXPECT_EQ(handler({.path = "/"}).status, 404);
}

}  // namespace
}  // namespace windlass::api
