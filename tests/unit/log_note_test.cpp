// Signed notes, the texts in them and witnesses' cosignatures, against what golang.org/x/mod/sumdb/note and
// transparency-dev/formats made.
#include "ledger/log/note.h"
#include "tests/unit/log_vectors.h"

namespace windlass::log {
namespace {

using namespace std::string_literals;
using test::hash_of;
using test::proof_of;
using test::tlog_vectors;
using test::VectorTree;

const std::string dash = "\xe2\x80\x94 ";

NoteSigner signer(std::string_view name = "example.org/ledger") {
  ByteArray<32> seed{};
  seed[0] = static_cast<std::uint8_t>(name.size());
  return {std::string(name), Ed25519SecretKey::from_seed(seed)};
}

// A note of a signer that signs anything: only the note's form can be wrong.
std::string careless_note(const std::string& text) {
  auto key = Ed25519SecretKey::from_seed({7});
  std::string signature;
  append_be(signature, VerifierKey::of("careless", key.public_key()).key_id);
  signature += view(key.sign(text));
  return text + "\n" + dash + "careless " + to_base64(signature) + "\n";
}
VerifierKey careless_key() {
  return VerifierKey::of("careless", Ed25519SecretKey::from_seed({7}).public_key());
}

TEST(NoteKey, ReadsAndWritesTheReferencesKeys) {
  for (const auto& v : tlog_vectors("notes.json", "key")) {
    std::string vkey = v["vkey"];
    auto key = VerifierKey::parse(vkey);
    if (v["type"] != 1) {
      EXPECT_FALSE(key) << "a witness's key verifies no plain note: " << v;
      continue;
    }
    EXPECT_FALSE(WitnessKey::parse(vkey)) << "a log's key verifies no cosignature: " << v;
    ASSERT_TRUE(key) << v;
    EXPECT_EQ(key->name, v["name"]);
    EXPECT_EQ(view(key->key), test::bytes_of(v["public_key_hex"]));
    EXPECT_EQ(key->key_id, std::stoul(v["key_id_hex"].get<std::string>(), nullptr, 16));
    EXPECT_EQ(key->text(), vkey);
    auto secret = NoteSigner::parse(v["skey"].get<std::string>());
    ASSERT_TRUE(secret) << v;
    EXPECT_EQ(secret->verifier().text(), vkey);
    EXPECT_EQ(secret->secret_text(), v["skey"]);
  }
}

TEST(NoteKey, RefusesAnythingButTheOneSpelling) {
  std::string vkey = tlog_vectors("notes.json", "key")[0]["vkey"];
  ASSERT_TRUE(VerifierKey::parse(vkey));
  auto replaced = [&](std::string_view from, std::string_view to) {
    std::string out = vkey;
    return out.replace(out.find(from), from.size(), to);
  };
  for (const std::string& bad :
       {""s, "+"s, "++"s, vkey + "=", vkey + "\n", " " + vkey, vkey.substr(1),
        vkey.substr(0, vkey.size() - 1), replaced("c099b563", "c099b564"), replaced("c099b563", "C099B563"),
        replaced("c099b563", "0c099b563"), replaced("c099b563", ""), replaced("+AVr", "+BVr"),
        replaced("+AVr", "+AVs"), replaced("example", "exa mple"), replaced("example.org/ledger", "")})
    EXPECT_FALSE(VerifierKey::parse(bad)) << bad;
  EXPECT_FALSE(NoteSigner::parse(vkey));
  EXPECT_FALSE(NoteSigner::parse("PRIVATE+KEY+" + vkey)) << "a public key is no seed";
}

TEST(NoteKey, ANameHasNoSpaceOfAnyKindAndNoPlus) {
  for (const char* name : {"a", "example.org/ledger", "\xc3\xa9t\xc3\xa9", "-", "\xf0\x9f\x9a\xa2"})
    EXPECT_TRUE(is_note_name(name)) << name;
  for (const char* name :
       {"", " ", "a b", "a+b", "a\tb", "a\nb", "a\xc2\xa0", "a\xe2\x80\x83", "\xe3\x80\x80", "\xff", "\xc3",
        "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80", "a\x01"})
    EXPECT_FALSE(is_note_name(name)) << name;
}

TEST(Note, JudgesCheckpointsAsTheReferenceDoes) {
  for (const auto& v : tlog_vectors("notes.json", "checkpoint")) {
    auto key = VerifierKey::parse(v["vkey"].get<std::string>());
    auto text = open_note(v["checkpoint"].get<std::string>(), key.value());
    ASSERT_EQ(text.has_value(), v["valid"].get<bool>()) << v;
    if (!text) {
      EXPECT_FALSE(text.error().empty());
      continue;
    }
    EXPECT_EQ(*text, v["signed_text"]);
    auto checkpoint = Checkpoint::parse(*text);
    ASSERT_TRUE(checkpoint) << v;
    EXPECT_EQ(checkpoint->origin, v["origin"]);
    EXPECT_EQ(checkpoint->size, v["size"]);
    EXPECT_EQ(checkpoint->root, hash_of(v["root_hex"]));
    EXPECT_EQ(checkpoint->text(), *text);
  }
}

TEST(Note, SignsCheckpointsByteForByteAsTheReferenceDoes) {
  auto keys = tlog_vectors("notes.json", "key");
  auto secret = NoteSigner::parse(keys[0]["skey"].get<std::string>()).value();
  for (const auto& v : tlog_vectors("notes.json", "checkpoint"))
    if (v["valid"]) {
      EXPECT_EQ(secret.sign(v["signed_text"].get<std::string>()), v["checkpoint"]);
    }
}

TEST(Note, OpensACosignedCheckpointWithTheLogsKey) {
  for (const auto& v : tlog_vectors("notes.json", "cosigned-checkpoint")) {
    auto key = VerifierKey::parse(v["log_vkey"].get<std::string>()).value();
    EXPECT_TRUE(open_note(v["checkpoint"].get<std::string>(), key)) << v;
  }
}

TEST(Cosignature, ReadsAndWritesTheReferencesKeys) {
  int witnesses = 0;
  for (const auto& v : tlog_vectors("notes.json", "key")) {
    if (v["type"] != 4) continue;
    ++witnesses;
    std::string vkey = v["vkey"];
    auto key = WitnessKey::parse(vkey);
    ASSERT_TRUE(key) << v;
    EXPECT_EQ(key->text(), vkey);
    EXPECT_EQ(key->name, v["name"]);
    EXPECT_EQ(key->key_id, std::stoul(v["key_id_hex"].get<std::string>(), nullptr, 16));
    EXPECT_EQ(view(key->key), test::bytes_of(v["public_key_hex"]));
    EXPECT_FALSE(WitnessKey::parse(vkey + "=")) << vkey;
    EXPECT_FALSE(WitnessKey::parse(vkey.substr(1))) << vkey;
  }
  EXPECT_EQ(witnesses, 2);
}

// The vectors' witness of this verifier key.
WitnessSigner vector_witness(const std::string& vkey) {
  for (const auto& v : tlog_vectors("notes.json", "key"))
    if (v["vkey"] == vkey)
      return {v["name"].get<std::string>(), Ed25519SecretKey::from_seed(hash_of(v["seed_hex"]))};
  throw std::runtime_error("no seed for " + vkey);
}

TEST(Cosignature, SignsByteForByteAsTheReferenceDoes) {
  for (const auto& v : tlog_vectors("notes.json", "cosignature/v1")) {
    auto witness = vector_witness(v["vkey"]);
    std::string message = v["signed_message"];
    std::string text = message.substr(message.find("\n", message.find("\ntime ") + 1) + 1);
    EXPECT_EQ(witness.verifier().text(), v["vkey"]);
    EXPECT_EQ(witness.cosign(text, v["time"].get<std::uint64_t>()), v["note_line"]);
  }
}

TEST(Cosignature, OpensTheReferencesCosignedCheckpoints) {
  for (const auto& v : tlog_vectors("notes.json", "cosigned-checkpoint")) {
    std::string note = v["checkpoint"];
    for (std::size_t i = 0; i < v["witness_vkeys"].size(); ++i) {
      auto key = WitnessKey::parse(v["witness_vkeys"][i].get<std::string>()).value();
      auto cosignature = open_cosignature(note, key);
      ASSERT_TRUE(cosignature) << cosignature.error();
      EXPECT_EQ(cosignature->time_s, v["times"][i].get<std::uint64_t>());
      EXPECT_NE(note.find("\n" + cosignature->line), std::string::npos);
    }
  }
}

TEST(Cosignature, IsOfOneTextOneTimeAndOneWitness) {
  auto log = signer();
  WitnessSigner witness("witness", Ed25519SecretKey::from_seed({1}));
  WitnessSigner other("witness", Ed25519SecretKey::from_seed({2}));
  std::string note = log.sign("text\n"), line = witness.cosign("text\n", 7);
  ASSERT_EQ(open_cosignature(note + line, witness.verifier()).value().time_s, 7U);
  EXPECT_EQ(open_note(note + line, log.verifier()), "text\n");
  EXPECT_FALSE(open_cosignature(note, witness.verifier()));
  EXPECT_FALSE(open_cosignature(note + line, other.verifier()));
  EXPECT_FALSE(open_cosignature(log.sign("other\n") + line, witness.verifier()));
  EXPECT_FALSE(open_cosignature(note + witness.cosign("text\n", 0), witness.verifier())) << "no time";
  EXPECT_FALSE(open_cosignature(note + witness.cosign("text\n", 1ULL << 63), witness.verifier()));
  auto bytes = from_base64(line.substr(dash.size() + 8, line.size() - dash.size() - 9)).value();
  for (std::size_t bit = 32; bit < bytes.size() * 8; ++bit) {
    std::string bad = bytes;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(open_cosignature(note + dash + "witness " + to_base64(bad) + "\n", witness.verifier()))
        << bit;
  }
  for (std::size_t size : {std::size_t{12}, bytes.size() - 1})
    EXPECT_FALSE(open_cosignature(note + dash + "witness " + to_base64(bytes.substr(0, size)) + "\n",
                                  witness.verifier()))
        << size;
}

TEST(Note, TakesTheSignaturesOfSeveral) {
  auto log = signer("log"), auditor = signer("auditor"), stranger = signer("another");
  std::string note = auditor.cosign(log.sign("text\n"));
  EXPECT_EQ(open_note(note, log.verifier()), "text\n");
  EXPECT_EQ(open_note(note, auditor.verifier()), "text\n");
  EXPECT_FALSE(open_note(note, stranger.verifier()));
}

TEST(Note, ATextMayHaveBlankLines) {
  auto log = signer();
  EXPECT_EQ(open_note(log.sign("a\n\nb\n\n"), log.verifier()), "a\n\nb\n\n");
  EXPECT_EQ(open_note(log.sign("\n"), log.verifier()), "\n");
}

TEST(Note, ABadSignatureOfTheKeyIsNotOutweighedByAGoodOne) {
  auto log = signer();
  std::string good = log.sign("a\n"), other = log.sign("b\n");
  std::string bad_line = other.substr(other.find(dash)), good_line = good.substr(good.find(dash));
  EXPECT_FALSE(open_note("a\n\n" + bad_line + good_line, log.verifier()));
  EXPECT_TRUE(open_note("a\n\n" + good_line + good_line, log.verifier()));
}

TEST(Note, RefusesMalformedNotes) {
  auto log = signer();
  std::string note = log.sign("text\n"), line = note.substr(note.find(dash));
  for (const std::string& bad : {""s,
                                 "\n"s,
                                 "\n\n"s,
                                 "text\n"s,
                                 "text\n\n"s,
                                 line,
                                 "text\n" + line,
                                 note + "\n",
                                 note + "x\n",
                                 note + dash + "\n",
                                 note + dash + "name\n",
                                 note + dash + "name AAAA\n",
                                 note + dash + "name  AAAAAAA=\n",
                                 note + dash + " AAAAAAA=\n",
                                 note + dash + "na+me AAAAAAA=\n",
                                 note + dash + "name AAAAAAA= \n",
                                 note + "\x01",
                                 "te\x01xt\n\n" + line,
                                 "te\xffxt\n\n" + line,
                                 "te\rxt\n\n" + line})
    EXPECT_FALSE(open_note(bad, log.verifier())) << bad;
  EXPECT_TRUE(open_note(note + dash + "name AAAAAAA=\n", log.verifier())) << "a signature of another";
}

TEST(Note, RefusesTextsThatAreNotPlainUtf8HoweverWellSigned) {
  EXPECT_TRUE(open_note(careless_note("\xc3\xa9\xe2\x80\x94\xf0\x9f\x9a\xa2\x7f\n"), careless_key()));
  for (const std::string& bad : {"\x01\n"s, "\t\n"s, "\r\n"s, "\0\n"s, "\xff\n"s, "\x80\n"s, "\xc3\n"s,
                                 "\xc0\x80\n"s, "\xe0\x80\x80\n"s, "\xed\xa0\x80\n"s, "\xf4\x90\x80\x80\n"s,
                                 "\xf5\x80\x80\x80\n"s, "\xf0\x80\x80\x80\n"s})
    EXPECT_FALSE(open_note(careless_note(bad), careless_key())) << to_hex(bad);
}

TEST(Note, RefusesMoreSignaturesAndBytesThanTheReference) {
  auto log = signer();
  std::string note = log.sign("text\n");
  for (int i = 1; i < 100; ++i) note += dash + "name AAAAAAA=\n";
  EXPECT_TRUE(open_note(note, log.verifier()));
  EXPECT_FALSE(open_note(note + dash + "name AAAAAAA=\n", log.verifier()));
  EXPECT_TRUE(open_note(careless_note(std::string(999'000, 'x') + "\n"), careless_key()));
  EXPECT_FALSE(open_note(careless_note(std::string(1'000'000, 'x') + "\n"), careless_key()));
}

TEST(Note, AnyFlippedBitSpoilsIt) {
  auto log = signer();
  std::string note = log.sign(Checkpoint{"example.org/ledger", 7, leaf_hash("x")}.text());
  for (std::size_t bit = 0; bit < note.size() * 8; ++bit) {
    std::string bad = note;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(open_note(bad, log.verifier())) << bad;
  }
}

TEST(Checkpoint, RefusesEverySecondSpelling) {
  const std::string root = to_base64(view(leaf_hash("x"))) + "\n";
  ASSERT_TRUE(Checkpoint::parse("o\n18446744073709551615\n" + root));
  for (const std::string& bad : {""s,
                                 "o\n"s,
                                 "o\n1\n"s,
                                 "\n1\n" + root,
                                 "o\n1\n" + root + "extension\n",
                                 "o\n1\n" + root + "\n",
                                 "o\n01\n" + root,
                                 "o\n+1\n" + root,
                                 "o\n-1\n" + root,
                                 "o\n 1\n" + root,
                                 "o\n1 \n" + root,
                                 "o\n\n" + root,
                                 "o\n1x\n" + root,
                                 "o\n18446744073709551616\n" + root,
                                 "o\n0x1\n" + root,
                                 "o\n1\n" + root.substr(1),
                                 "o\n1\nAAAA\n"s,
                                 "o\n1\n" + root.substr(0, root.size() - 1),
                                 "windlass/promise/v1\n1\n" + root,
                                 "o\r\n1\n" + root,
                                 "o\n1\nx" + root})
    EXPECT_FALSE(Checkpoint::parse(bad)) << bad;
}

TEST(Promise, ReadsWhatItWrites) {
  Promise promise{"example.org/ledger", 4711, 1024, leaf_hash("x"), 1'790'000'000'000'000};
  EXPECT_EQ(promise.text(), "windlass/promise/v1\nexample.org/ledger\n4711\n1024\n" +
                                to_base64(view(leaf_hash("x"))) + "\n1790000000000000\n");
  auto read = Promise::parse(promise.text());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->text(), promise.text());
  EXPECT_EQ(read->first_sequence, 4711U);
  EXPECT_EQ(read->count, 1024U);
  EXPECT_EQ(read->time_us, promise.time_us);
}

TEST(Promise, RefusesWhatNobodyWouldPromise) {
  const std::string root = to_base64(view(leaf_hash("x"))) + "\n", head = "windlass/promise/v1\n";
  ASSERT_TRUE(Promise::parse(head + "o\n0\n1\n" + root + "0\n"));
  for (const std::string& bad :
       {""s, head, head + "o\n0\n0\n" + root + "0\n", head + "o\n18446744073709551615\n1\n" + root + "0\n",
        head + "o\n0\n1\n" + root + "-1\n", head + "o\n0\n1\n" + root + "9223372036854775808\n",
        head + "o\n0\n1\n" + root, head + "o\n0\n1\n" + root + "0\n\n", head + "o\n0\n1\n" + root + "0",
        head + "o\n00\n1\n" + root + "0\n", "windlass/promise/v2\no\n0\n1\n" + root + "0\n",
        head + "\n0\n1\n" + root + "0\n", head + "windlass/x\n0\n1\n" + root + "0\n"})
    EXPECT_FALSE(Promise::parse(bad)) << bad;
}

TEST(TlogProof, ReadsAndWritesTheReferencesProofs) {
  for (const auto& v : tlog_vectors("notes.json", "tlog-proof")) {
    std::string text = v["proof"];
    auto proof = TlogProof::parse(text);
    ASSERT_TRUE(proof) << v;
    EXPECT_EQ(proof->text(), text);
    EXPECT_EQ(proof->index, v["index"]);
    EXPECT_EQ(proof->hashes, proof_of(v["hashes_hex"]));
    EXPECT_EQ(proof->extra, v.contains("extra_hex") ? test::bytes_of(v["extra_hex"]) : "");
    auto opened = open_note(proof->checkpoint, VerifierKey::parse(v["vkey"].get<std::string>()).value());
    auto checkpoint = Checkpoint::parse(opened.value()).value();
    EXPECT_EQ(checkpoint.size, v["size"]);
    EXPECT_TRUE(verify_inclusion(leaf_hash(v["entry"].get<std::string>()), proof->index, checkpoint.size,
                                 proof->hashes, checkpoint.root));
  }
}

TEST(TlogProof, RefusesOtherHeadersAndStrayLines) {
  const std::string head = "c2sp.org/tlog-proof@v1\n", hash = to_base64(view(leaf_hash("x"))) + "\n",
                    tail = "\ncheckpoint";
  ASSERT_TRUE(TlogProof::parse(head + "extra eA==\nindex 1\n" + hash + tail));
  std::string hashes;
  for (int i = 0; i < 64; ++i) hashes += hash;
  EXPECT_TRUE(TlogProof::parse(head + "index 1\n" + hashes + tail));
  for (const std::string& bad :
       {""s, "\n\nx"s, head + tail, head + "index 1\n", head + "index 1\n\n",
        "c2sp.org/tlog-proof@v2\nindex 1\n" + tail, head + "index 01\n" + tail, head + "index\n" + tail,
        head + "index 1\n" + hash.substr(4) + tail, head + hash + "index 1\n" + tail,
        head + "index 1\nextra eA==\n" + tail, head + "extra \nindex 1\n" + tail,
        head + "extra eA\nindex 1\n" + tail, head + "extra eA==\n" + tail,
        head + "extra eA==\nextra eA==\nindex 1\n" + tail, head + "index 1\n" + hashes + hash + tail})
    EXPECT_FALSE(TlogProof::parse(bad)) << bad;
}

// What a log sends to a witness: `old N`, hashes, a blank line, the checkpoint.
TEST(AddCheckpoint, TheLogMakesTheHashesThatAWitnessExpects) {
  const auto& tree = VectorTree::instance();
  auto key = VerifierKey::parse(tlog_vectors("notes.json", "key")[0]["vkey"].get<std::string>()).value();
  for (const auto& v : tlog_vectors("notes.json", "add-checkpoint")) {
    auto old_size = v["old_size"].get<std::uint64_t>(), new_size = v["new_size"].get<std::uint64_t>();
    std::string body = v["request_body"], note = body.substr(body.find("\n\n") + 2);
    EXPECT_EQ(add_checkpoint_body(old_size, consistency_proof(tree.store, old_size, new_size), note), body);
    EXPECT_EQ(Checkpoint::parse(open_note(note, key).value())->root, root_at(tree.store, new_size));
  }
}

TEST(AddCheckpoint, AWitnesssSizeIsOneDecimalLine) {
  EXPECT_EQ(parse_witness_size("20852014\n"), 20852014U);
  EXPECT_EQ(parse_witness_size("0\n"), 0U);
  for (const char* bad :
       {"", "\n", "7", "07\n", "-7\n", "7\n\n", " 7\n", "18446744073709551616\n", "seven\n"})
    EXPECT_FALSE(parse_witness_size(bad)) << bad;
}

}  // namespace
}  // namespace windlass::log
