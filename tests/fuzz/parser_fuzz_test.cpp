// Random and mutated bytes for every parser of texts that strangers send. None may crash, and what one
// accepts is the only spelling of what it read: writing it again gives the same bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "crypto/base58.h"
#include "ledger/log/note.h"
#include "ledger/log/tiles.h"
#include "tests/fuzz/mutate.h"

namespace windlass::log {
namespace {

using test::fuzz_runs;
using test::mutate;
using test::Seeded;

// Pieces that parsers look for.
const std::string_view pieces[] = {"\n",     "\n\n",
                                   "+",      " ",
                                   "=",      "==",
                                   "0",      "00",
                                   "/",      "x",
                                   ".p/",    "\xe2\x80\x94 ",
                                   "-",      "A",
                                   "\xff",   "\r",
                                   "\t",     "\xc2\xa0",
                                   "index ", "extra ",
                                   "old ",   "18446744073709551616"};

// `parse` answers what it read, written again; nothing when it refused. Every seed must be accepted, so that
// the fuzzing starts inside the parser.
using Rewrite = std::function<std::optional<std::string>(const std::string&)>;
void fuzz(const std::vector<std::string>& seeds, const Rewrite& rewrite) {
  Seeded random;
  for (const auto& seed : seeds) ASSERT_EQ(rewrite(seed), seed);
  std::uint64_t accepted = 0;
  for (std::uint64_t run = 0; run < fuzz_runs(); ++run) {
    std::string input = random.one_in(10) ? random.bytes(random.below(200))
                                          : mutate(seeds[random.below(seeds.size())], pieces, random);
    auto again = rewrite(input);
    if (!again) continue;
    ++accepted;
    ASSERT_EQ(*again, input) << to_hex(input);
  }
  std::cout << accepted << " of " << fuzz_runs() << " inputs accepted\n";
}

template <typename T>
std::optional<std::string> text_of(const std::optional<T>& parsed) {
  return parsed ? std::optional(parsed->text()) : std::nullopt;
}

NoteSigner signer() {
  return {"example.org/ledger", Ed25519SecretKey::from_seed({1, 2, 3})};
}
Hash some_hash() {
  return leaf_hash("x");
}

TEST(ParserFuzz, VerifierKey) {
  fuzz({signer().verifier().text(), VerifierKey::of("a", {}).text()},
       [](const std::string& text) { return text_of(VerifierKey::parse(text)); });
}

TEST(ParserFuzz, NoteSigner) {
  fuzz({signer().secret_text()}, [](const std::string& text) -> std::optional<std::string> {
    auto secret = NoteSigner::parse(text);
    return secret ? std::optional(secret->secret_text()) : std::nullopt;
  });
}

TEST(ParserFuzz, NoteNamesStandAsTheyAreInKeys) {
  fuzz({"example.org/ledger", "\xc3\xa9t\xc3\xa9", "\xf0\x9f\x9a\xa2"},
       [](const std::string& name) -> std::optional<std::string> {
         if (!is_note_name(name)) return std::nullopt;
         return VerifierKey::parse(VerifierKey::of(name, {}).text()).value().name;
       });
}

// A note that opens says what its signer signed: nothing but the signatures of others may differ.
TEST(ParserFuzz, Note) {
  const std::string text = Checkpoint{"example.org/ledger", 7, some_hash()}.text();
  const NoteSigner log = signer();
  const NoteSigner auditor("auditor", Ed25519SecretKey::from_seed({4}));
  fuzz({log.sign(text), auditor.cosign(log.sign(text)), log.cosign(auditor.sign(text))},
       [&](const std::string& note) -> std::optional<std::string> {
         auto opened = open_note(note, log.verifier());
         if (!opened) return std::nullopt;
         EXPECT_EQ(*opened, text);
         return note;
       });
}

TEST(ParserFuzz, Checkpoint) {
  fuzz({Checkpoint{"example.org/ledger", 0, empty_root()}.text(),
        Checkpoint{"o", ~std::uint64_t{0}, some_hash()}.text()},
       [](const std::string& text) { return text_of(Checkpoint::parse(text)); });
}

TEST(ParserFuzz, Promise) {
  fuzz({Promise{"example.org/ledger", 4711, 1024, some_hash(), 1'790'000'000'000'000}.text(),
        Promise{"o", 0, 1, some_hash(), 0}.text()},
       [](const std::string& text) { return text_of(Promise::parse(text)); });
}

TEST(ParserFuzz, WitnessKey) {
  fuzz({WitnessKey::of("witness.example", {}).text(), WitnessKey::of("a", {}).text()},
       [](const std::string& text) { return text_of(WitnessKey::parse(text)); });
}

TEST(ParserFuzz, WitnessSize) {
  fuzz({"0\n", "18446744073709551615\n"}, [](const std::string& text) -> std::optional<std::string> {
    auto size = parse_witness_size(text);
    if (!size) return std::nullopt;
    return std::to_string(*size) + "\n";
  });
}

TEST(ParserFuzz, TlogProof) {
  std::string note = signer().sign(Checkpoint{"example.org/ledger", 7, some_hash()}.text());
  fuzz({TlogProof{"", 0, {}, note}.text(),
        TlogProof{"extra", 5, {some_hash(), some_hash(), empty_root()}, note}.text()},
       [](const std::string& text) { return text_of(TlogProof::parse(text)); });
}

TEST(ParserFuzz, TilePath) {
  fuzz({"tile/0/000", "tile/1/x001/x234/067.p/8", "tile/entries/x001/000", "tile/entries/005.p/255"},
       [](const std::string& text) { return text_of(TilePath::parse(text)); });
}

TEST(ParserFuzz, EntryBundle) {
  using namespace std::string_literals;
  fuzz({""s, "\0\0"s, "\0\3abc\0\0\0\1x"s}, [](const std::string& bundle) -> std::optional<std::string> {
    auto leaves = parse_bundle(bundle);
    if (!leaves) return std::nullopt;
    std::string again;
    for (ByteView leaf : *leaves) {
      append_be(again, static_cast<std::uint16_t>(leaf.size()));
      again += leaf;
    }
    return again;
  });
}

TEST(ParserFuzz, Base58Check) {
  fuzz({base58check_encode("\x41 a payload of 20 byte"), base58check_encode("")},
       [](const std::string& text) -> std::optional<std::string> {
         auto payload = base58check_decode(text);
         return payload ? std::optional(base58check_encode(*payload)) : std::nullopt;
       });
}

TEST(ParserFuzz, Base64) {
  fuzz({to_base64("abc"), to_base64("abcd"), to_base64("abcde")},
       [](const std::string& text) -> std::optional<std::string> {
         auto bytes = from_base64(text);
         return bytes ? std::optional(to_base64(*bytes)) : std::nullopt;
       });
}

// Hex alone has two spellings of a byte.
TEST(ParserFuzz, Hex) {
  fuzz({"00ff", "deadbeef0123456789"}, [](const std::string& text) -> std::optional<std::string> {
    auto bytes = from_hex(text);
    if (!bytes) return std::nullopt;
    std::string lower = text;
    for (char& c : lower) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    EXPECT_EQ(to_hex(*bytes), lower);
    return text;
  });
}

}  // namespace
}  // namespace windlass::log
