// The ledger's side of C2SP tlog-witness, before a witness that does what the specification says, and before
// some that do not.
#include "api/witnesses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <sstream>

#include "api/http/server.h"
#include "ledger/log/tiles.h"
#include "tests/unit/scratch_folder.h"

namespace windlass::api {
namespace {

using namespace std::chrono_literals;
using log::WitnessSigner;
using testing::AllOf;
using testing::HasSubstr;

constexpr auto patience = 20s;  // a test that waits as long has failed

log::NoteSigner log_signer(std::uint8_t seed = 1) {
  return {"example.org/ledger", Ed25519SecretKey::from_seed({seed})};
}

// A log in memory (but for its tiles) that is signed when a test says so.
class GrowingLog {
 public:
  explicit GrowingLog(const std::filesystem::path& directory) : tiles(directory) {}

  void grow(int leaves) {
    std::vector<std::string> bytes;
    std::vector<Hash> hashes;
    for (int i = 0; i < leaves; ++i) {
      bytes.push_back("leaf " + std::to_string(tiles.size() + bytes.size()));
      hashes.push_back(log::leaf_hash(bytes.back()));
    }
    tiles.append(bytes, hashes);
    std::lock_guard lock(mutex_);
    size_ = tiles.size();
    note_ = signer.sign(log::Checkpoint{"example.org/ledger", size_, log::root_at(tiles, size_)}.text());
    changed_.notify_all();
  }
  WitnessedLog view() {
    return {signer, tiles,
            [this](std::uint64_t size, auto deadline) -> std::optional<std::string> {
              std::unique_lock lock(mutex_);
              if (!changed_.wait_until(lock, deadline, [&] { return size_ >= size; })) return std::nullopt;
              return note_;
            },
            [this](std::uint64_t size, const std::string& line) {
              std::lock_guard lock(mutex_);
              if (size == size_) note_ += line;
            }};
  }
  std::string newest() {
    std::lock_guard lock(mutex_);
    return note_;
  }

  const log::NoteSigner signer = log_signer();
  log::TileStore tiles;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t size_ = 0;
  std::string note_;
};

HttpResponse plain(int status, std::string body) {
  return {.status = status, .body = std::move(body)};
}

// add-checkpoint as the specification has it, for one log.
class SpecifiedWitness {
 public:
  explicit SpecifiedWitness(std::uint8_t seed)
      : signer("witness.example/" + std::to_string(seed), Ed25519SecretKey::from_seed({seed})),
        server_({"127.0.0.1", 0}, [this](const HttpRequest& request) { return answer(request); }) {}

  Witness as_configured() {
    return Witness::parse("http://127.0.0.1:" + std::to_string(server_.port()) + "/w/ " +
                          signer.verifier().text())
        .value();
  }
  std::uint64_t size() {
    std::lock_guard lock(mutex_);
    return newest_.size;
  }
  void forget() {
    std::lock_guard lock(mutex_);
    newest_ = {};
  }
  const WitnessSigner signer;
  // What it answers instead; nullptr: what the specification says.
  void answer_instead(std::function<HttpResponse(const std::string& text)> instead) {
    std::lock_guard lock(mutex_);
    instead_ = std::move(instead);
  }

 private:
  HttpResponse answer(const HttpRequest& request) {
    std::lock_guard lock(mutex_);
    EXPECT_EQ(request.method, HttpMethod::post);
    EXPECT_EQ(request.path, "/w/add-checkpoint");
    auto end_of_proof = request.body.find("\n\n");
    if (end_of_proof == std::string::npos) return plain(400, "no proof\n");
    std::string note = request.body.substr(end_of_proof + 2);
    std::istringstream lines(request.body.substr(0, end_of_proof));
    std::string word, line;
    std::uint64_t old_size = 0;
    lines >> word >> old_size;
    EXPECT_EQ(word, "old");
    log::Proof proof;
    while (lines >> line) proof.push_back(to_array<32>(from_base64(line).value()).value());
    auto text = log::open_note(note, log_signer().verifier());
    if (!text) return plain(403, text.error());
    if (instead_) return instead_(*text);
    return judge(old_size, proof, log::Checkpoint::parse(*text).value());
  }
  HttpResponse judge(std::uint64_t old_size, const log::Proof& proof, const log::Checkpoint& checkpoint) {
    if (old_size > checkpoint.size) return plain(400, "old size beyond the checkpoint\n");
    if (old_size != newest_.size)
      return {.status = 409, .content_type = "text/x.tlog.size", .body = std::to_string(newest_.size) + "\n"};
    bool holds = old_size == 0 ? proof.empty()
                               : log::verify_consistency(old_size, newest_.root, checkpoint.size,
                                                         checkpoint.root, proof);
    if (!holds) return plain(422, "not consistent\n");
    newest_ = checkpoint;
    return plain(200, signer.cosign(checkpoint.text(), 1'790'000'000));
  }

  std::mutex mutex_;
  std::function<HttpResponse(const std::string& text)> instead_;
  log::Checkpoint newest_;
  HttpServer server_;
};

class WitnessesTest : public testing::Test {
 protected:
  WitnessesTest() : log_(folder_.path() / "log") {}

  void watch(std::vector<Witness> witnesses) {
    WitnessOptions options;
    options.witnesses = std::move(witnesses);
    options.file = folder_.path() / "cosigned";
    options.interval = 10ms;
    options.deadline = deadline_;
    options.first_backoff = 10ms;
    options.max_backoff = 50ms;
    witnesses_.reset();
    witnesses_ = std::make_unique<Witnesses>(
        options, log_.view(), [this](const std::string& name, WitnessOutcome outcome, std::uint64_t) {
          std::lock_guard lock(mutex_);
          ++outcomes_[{name, outcome}];
          changed_.notify_all();
        });
  }
  void start() { witnesses_->start(log_.tiles.size()); }
  void wait_for(const SpecifiedWitness& witness, WitnessOutcome outcome, int times = 1) {
    std::unique_lock lock(mutex_);
    auto& count = outcomes_[{witness.signer.verifier().name, outcome}];
    count = 0;
    ASSERT_TRUE(changed_.wait_for(lock, patience, [&] { return count >= times; }));
  }
  // The newest cosigned note once it is of `size` and has all their cosignatures.
  std::string wait_for_note(std::uint64_t size, const std::vector<const SpecifiedWitness*>& by) {
    auto is_it = [&](const std::string& note) {
      auto text = log::open_note(note, log_.signer.verifier());
      if (!text || log::Checkpoint::parse(*text)->size != size) return false;
      return std::all_of(by.begin(), by.end(), [&](const auto* witness) {
        return log::open_cosignature(note, witness->signer.verifier()).has_value();
      });
    };
    for (auto end = std::chrono::steady_clock::now() + patience; std::chrono::steady_clock::now() < end;) {
      if (std::string note = witnesses_->cosigned(); is_it(note)) return note;
      std::this_thread::yield();
    }
    ADD_FAILURE() << "no note of " << size << ": " << witnesses_->cosigned();
    return "";
  }

  test::ScratchFolder folder_;
  GrowingLog log_;
  std::chrono::milliseconds deadline_{5'000};
  std::unique_ptr<Witnesses> witnesses_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<std::string, WitnessOutcome>, int> outcomes_;
};

TEST_F(WitnessesTest, NewestCheckpointsAreCosignedAsTheLogGrows) {
  SpecifiedWitness witness(7);
  log_.grow(3);
  watch({witness.as_configured()});
  EXPECT_EQ(witnesses_->cosigned(), "");
  start();
  wait_for_note(3, {&witness});
  for (int leaves : {1, 300, 70'000}) {
    log_.grow(leaves);
    wait_for_note(log_.tiles.size(), {&witness});
    EXPECT_EQ(witness.size(), log_.tiles.size());
  }
  EXPECT_TRUE(log::open_cosignature(log_.newest(), witness.signer.verifier()))
      << "the newest checkpoint carries what belongs to it";
}

TEST_F(WitnessesTest, CosignaturesOfSeveralMeetOnOneNote) {
  SpecifiedWitness one(7), two(8), three(9);
  log_.grow(3);
  watch({one.as_configured(), two.as_configured(), three.as_configured()});
  start();
  std::string note = wait_for_note(3, {&one, &two, &three});
  std::ifstream kept(folder_.path() / "cosigned");
  std::stringstream text;
  text << kept.rdbuf();
  EXPECT_EQ(text.str(), note);
}

TEST_F(WitnessesTest, ADeadOneHoldsNothingBack) {
  SpecifiedWitness alive(7);
  auto gone = std::make_unique<SpecifiedWitness>(8);
  log_.grow(3);
  watch({gone->as_configured(), alive.as_configured()});
  start();
  wait_for_note(3, {&alive, gone.get()});
  gone.reset();
  log_.grow(1);
  log_.grow(1);
  // The round of 4 or 5 has fewer cosignatures than that of 3: it stands once a newer one begins.
  wait_for(alive, WitnessOutcome::cosigned);
  log_.grow(1);
  wait_for(alive, WitnessOutcome::cosigned);
  log_.grow(1);
  wait_for_note(7, {&alive});
}

TEST_F(WitnessesTest, AWitnessThatIsAheadOfOurMemoryIsAskedWhatItHas) {
  SpecifiedWitness witness(7);
  log_.grow(5);
  watch({witness.as_configured()});
  start();
  wait_for_note(5, {&witness});
  log_.grow(100);
  watch({witness.as_configured()});  // as after a restart
  EXPECT_EQ(
      log::Checkpoint::parse(log::open_note(witnesses_->cosigned(), log_.signer.verifier()).value())->size,
      5U)
      << "the newest cosigned note outlives the server";
  start();
  wait_for_note(105, {&witness});
}

TEST_F(WitnessesTest, AWitnessThatForgotBeginsAgain) {
  SpecifiedWitness witness(7);
  log_.grow(5);
  watch({witness.as_configured()});
  start();
  wait_for_note(5, {&witness});
  witness.forget();
  log_.grow(5);
  wait_for_note(10, {&witness});
}

TEST_F(WitnessesTest, AShorterLedgerDoesNotStartAndBothSizesAreNamed) {
  SpecifiedWitness witness(7), other(8);
  log_.grow(8);
  watch({witness.as_configured()});
  start();
  wait_for_note(8, {&witness});
  witnesses_.reset();
  log_.tiles.truncate(5);
  std::filesystem::remove(folder_.path() / "cosigned");
  watch({other.as_configured(), witness.as_configured()});
  try {
    start();
    FAIL() << "it started";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("witness.example/7"), HasSubstr("a log of 8 entries"),
                                    HasSubstr("the journal holds 5")));
  }
}

TEST_F(WitnessesTest, AnEmptyLedgerDoesNotStartWhereAWitnessKnowsEntries) {
  SpecifiedWitness witness(7);
  log_.grow(2);
  watch({witness.as_configured()});
  start();
  wait_for_note(2, {&witness});
  witnesses_.reset();
  log_.tiles.truncate(0);
  watch({witness.as_configured()});
  EXPECT_THROW(start(), std::runtime_error);
}

TEST_F(WitnessesTest, OneThatCannotBeReachedDoesNotBlockTheStart) {
  log_.grow(3);
  Witness nobody = SpecifiedWitness(7).as_configured();  // gone when it is asked
  SpecifiedWitness alive(8);
  watch({nobody, alive.as_configured()});
  start();
  wait_for_note(3, {&alive});
}

TEST_F(WitnessesTest, OneThatNeverAnswersDoesNotBlockTheStartOrTheEnd) {
  std::promise<void> release;
  auto released = release.get_future().share();
  SpecifiedWitness stuck(7), alive(8);
  stuck.answer_instead([&](const std::string&) {
    released.wait();
    return plain(500, "");
  });
  log_.grow(3);
  deadline_ = 200ms;
  watch({stuck.as_configured(), alive.as_configured()});
  start();
  wait_for_note(3, {&alive});
  wait_for(stuck, WitnessOutcome::unreachable);
  witnesses_.reset();  // with a request under way
  release.set_value();
}

TEST_F(WitnessesTest, RefusalsAreReportedAndTriedAgain) {
  SpecifiedWitness witness(7);
  log_.grow(3);
  for (int status : {400, 403, 404, 409, 422, 429, 500, 200, 301}) {
    witness.answer_instead([&](const std::string&) { return plain(status, "no\n"); });
    watch({witness.as_configured()});
    start();
    wait_for(witness, WitnessOutcome::refused, 2);
    EXPECT_EQ(witnesses_->cosigned(), "") << status;
    witnesses_.reset();
  }
  witness.answer_instead(nullptr);
  watch({witness.as_configured()});
  start();
  wait_for_note(3, {&witness});
}

TEST_F(WitnessesTest, OnlyTheConfiguredKeysCosignatureOfThisTextCounts) {
  SpecifiedWitness witness(7);
  WitnessSigner stranger("witness.example/7", Ed25519SecretKey::from_seed({99}));
  log_.grow(3);
  std::string other = log::Checkpoint{"example.org/ledger", 3, {}}.text();
  std::function<std::string(const std::string&)> bodies[] = {
      [&](const std::string& text) { return stranger.cosign(text, 7); },
      [&](const std::string&) { return witness.signer.cosign(other, 7); },
      [&](const std::string& text) { return witness.signer.cosign(text, 0); },
      [&](const std::string& text) { return witness.signer.cosign(text, 7) + "and more\n"; },
      [&](const std::string&) { return std::string(); },
  };
  for (const auto& body : bodies) {
    witness.answer_instead([&](const std::string& text) { return plain(200, body(text)); });
    watch({witness.as_configured()});
    start();
    wait_for(witness, WitnessOutcome::refused);
    EXPECT_EQ(witnesses_->cosigned(), "");
    witnesses_.reset();
  }
  witness.answer_instead([&](const std::string& text) {
    return plain(200, stranger.cosign(text, 7) + witness.signer.cosign(text, 8));
  });
  watch({witness.as_configured()});
  start();
  std::string note = wait_for_note(3, {&witness});
  EXPECT_FALSE(log::open_cosignature(note, stranger.verifier())) << "what nobody asked for is not passed on";
}

TEST_F(WitnessesTest, AKeptNoteOfAnotherLogIsRefused) {
  std::ofstream(folder_.path() / "cosigned")
      << log_signer(2).sign(log::Checkpoint{"example.org/ledger", 3, {}}.text());
  EXPECT_THROW(watch({}), std::runtime_error);
}

TEST_F(WitnessesTest, WithoutWitnessesNothingHappens) {
  log_.grow(3);
  watch({});
  start();
  EXPECT_EQ(witnesses_->cosigned(), "");
}

TEST(WitnessSetting, IsAUrlAndAKey) {
  std::string key = log::WitnessKey::of("w", Ed25519SecretKey::from_seed({1}).public_key()).text();
  auto witness = Witness::parse("https://witness.example/a/b/ " + key).value();
  EXPECT_TRUE(witness.url.is_https);
  EXPECT_EQ(witness.url.host, "witness.example");
  EXPECT_EQ(witness.url.port, "443");
  EXPECT_EQ(witness.url.path, "/a/b");
  EXPECT_EQ(witness.key.text(), key);
  auto v6 = Witness::parse("http://[::1]:8080 " + key).value();
  EXPECT_FALSE(v6.url.is_https);
  EXPECT_EQ(v6.url.host, "::1");
  EXPECT_EQ(v6.url.port, "8080");
  EXPECT_EQ(v6.url.path, "");
  std::string log_key = log_signer().verifier().text();
  for (const std::string& bad :
       {std::string(), key, std::string("https://witness.example"), "https://witness.example " + log_key,
        "https://witness.example  " + key, "ftp://witness.example " + key, "witness.example " + key,
        "http:// " + key, "http://a:0 " + key, "http://a:65536 " + key, "http://a:b " + key,
        "http://user@a " + key, "http://a/?q " + key, "http://a/#f " + key, "http://[::1 " + key,
        "http://[::x] " + key, "http://[::1]8 " + key})
    EXPECT_FALSE(Witness::parse(bad)) << bad;
}

TEST(WitnessSetting, HasNoWitnessTwiceAndNotTooMany) {
  auto text = [](std::uint8_t seed, const std::string& name) {
    return "http://a " + log::WitnessKey::of(name, Ed25519SecretKey::from_seed({seed}).public_key()).text();
  };
  std::vector<std::string> texts;
  for (std::uint8_t i = 0; i < max_witnesses; ++i) texts.push_back(text(i, "w" + std::to_string(i)));
  EXPECT_EQ(parse_witnesses(texts).value().size(), max_witnesses);
  EXPECT_FALSE(parse_witnesses({text(1, "a"), text(1, "b")}));
  EXPECT_FALSE(parse_witnesses({text(1, "a"), text(2, "a")}));
  texts.push_back(text(99, "one more"));
  EXPECT_FALSE(parse_witnesses(texts));
}

}  // namespace
}  // namespace windlass::api
