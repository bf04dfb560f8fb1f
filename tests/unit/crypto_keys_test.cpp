// Signatures, against published answers and against what an attacker would try.
#include <gtest/gtest.h>

#include "crypto/ed25519.h"
#include "crypto/secp256k1.h"
#include "tests/seeded.h"

namespace windlass {
namespace {

constexpr const char* order_hex = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

std::string bytes(const char* hex) {
  return *from_hex(hex);
}
SecretKey secret(const char* hex) {
  return *SecretKey::from_bytes(bytes(hex));
}
const char* one_hex = "0000000000000000000000000000000000000000000000000000000000000001";

// r || order - s
std::string other_s(ByteView signature) {
  std::string order = bytes(order_hex), out(signature);
  int borrow = 0;
  for (std::size_t i = 32; i-- > 0;) {
    int digit = static_cast<std::uint8_t>(order[i]) - static_cast<std::uint8_t>(signature[32 + i]) - borrow;
    borrow = digit < 0 ? 1 : 0;
    out[32 + i] = static_cast<char>(digit & 0xff);
  }
  return out;
}

struct EcdsaCase {
  const char* key;
  const char* message;
  const char* signature;
};
// RFC 6979 with SHA-256 on secp256k1, as the test suites of Bitcoin's wallets carry them.
const EcdsaCase rfc6979_cases[] = {
    {one_hex, "Satoshi Nakamoto",
     "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
     "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"},
    {one_hex, "All those moments will be lost in time, like tears in rain. Time to die...",
     "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b"
     "547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21"},
    {"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140", "Satoshi Nakamoto",
     "fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d0"
     "6b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5"},
    {"f8b8af8ce3c7cca5e300d33939540c10d45ce001b8f252bfbc57ba0342904181", "Alan Turing",
     "7063ae83e7f62bbb171798131b4a0564b956930092b33b07b395615d9ec7e15c"
     "58dfcc1e00a35e1572f366ffe34ba0fc47db1e7189759b9fb233c5b05ab388ea"},
};

TEST(Secp256k1, SignsAsRfc6979Says) {
  for (const auto& c : rfc6979_cases) {
    SecretKey key = secret(c.key);
    Hash digest = sha256(c.message);
    EXPECT_EQ(to_hex(key.sign(digest)), c.signature);
    EXPECT_EQ(verify_signature(view(key.public_key()), bytes(c.signature), digest), SignatureCheck::valid);
    EXPECT_EQ(verify_signature(view(key.public_key()), other_s(bytes(c.signature)), digest),
              SignatureCheck::high_s);
    EXPECT_EQ(verify_signature(view(key.public_key()), bytes(c.signature), sha256("another")),
              SignatureCheck::wrong);
  }
}

// The low and the high S of a signature in DER, one byte longer when a number's first bit is set.
TEST(Secp256k1, ReadsDerOfAnySAndWritesTheLowOne) {
  Hash digest = sha256("x");
  auto signature = secret(one_hex).sign(digest);
  std::string der = signature_to_der(signature);
  EXPECT_EQ(signature_from_der(der), signature);
  std::string high = other_s(view(signature));
  std::string r = der.substr(2, 2 + static_cast<std::size_t>(der[3]));
  std::string high_der = r + '\x02' + '\x21' + '\0' + high.substr(32);
  high_der = std::string("\x30") + static_cast<char>(high_der.size()) + high_der;
  EXPECT_EQ(signature_from_der(high_der), signature);
}

TEST(Secp256k1, RefusesWhatIsNotStrictlyDer) {
  std::string der = signature_to_der(secret(one_hex).sign(sha256("x")));
  EXPECT_FALSE(signature_from_der({}));
  EXPECT_FALSE(signature_from_der(der + '\0'));
  for (std::size_t length = 0; length < der.size(); ++length)
    EXPECT_FALSE(signature_from_der(der.substr(0, length)));
  const std::string order = bytes(order_hex), one = std::string("\x02\x01\x01"), zero("\x02\x01\0", 3);
  const std::string too_large = std::string("\x02\x21\0", 3) + order, negative = "\x02\x01\xff";
  auto sequence = [](const std::string& r, const std::string& s) {
    return std::string("\x30") + static_cast<char>(r.size() + s.size()) + r + s;
  };
  EXPECT_TRUE(signature_from_der(sequence(one, one)));
  for (const auto& bad : {zero, too_large, negative}) {
    EXPECT_FALSE(signature_from_der(sequence(bad, one)));
    EXPECT_FALSE(signature_from_der(sequence(one, bad)));
  }
}

TEST(Secp256k1, KnowsTheGenerator) {
  auto key = secret(one_hex).public_key();
  EXPECT_EQ(to_hex(key), "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
  EXPECT_EQ(to_hex(uncompress_key(key)),
            "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
            "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8");
}

TEST(Secp256k1, RefusesSecretKeysOutOfRange) {
  EXPECT_FALSE(SecretKey::from_bytes(std::string(32, '\0')));
  EXPECT_FALSE(SecretKey::from_bytes(bytes(order_hex)));
  EXPECT_FALSE(SecretKey::from_bytes(std::string(32, '\xff')));
  EXPECT_FALSE(SecretKey::from_bytes(std::string(31, '\1')));
  EXPECT_FALSE(SecretKey::from_bytes(std::string(33, '\1')));
  EXPECT_TRUE(SecretKey::from_bytes(std::string(32, '\1')));
}

TEST(Secp256k1, AMovedFromSecretKeyIsWiped) {
  SecretKey key = secret(one_hex);
  SecretKey taken = std::move(key);
  EXPECT_EQ(to_hex(taken.reveal()), one_hex);
  EXPECT_EQ(key.reveal(), ByteArray<32>{});  // NOLINT(bugprone-use-after-move): that is the point
}

// No point has X = 5 (132 is no square modulo the field's prime), nor X at or above the prime.
const char* const bad_keys[] = {
    "020000000000000000000000000000000000000000000000000000000000000005",
    "02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
    "000000000000000000000000000000000000000000000000000000000000000000",
    "0579be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f817",
    "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f8179800",
    "",
};

TEST(Secp256k1, RefusesKeysThatAreNoCompressedPoint) {
  auto signature = secret(one_hex).sign(sha256("x"));
  for (const char* hex : bad_keys) {
    EXPECT_FALSE(is_public_key(bytes(hex))) << hex;
    EXPECT_FALSE(compress_key(bytes(hex))) << hex;
    EXPECT_EQ(verify_signature(bytes(hex), view(signature), sha256("x")), SignatureCheck::bad_key) << hex;
  }
}

TEST(Secp256k1, CompressesUncompressedKeysButNoHybrids) {
  auto key = secret(one_hex).public_key();
  auto whole = uncompress_key(key);
  EXPECT_EQ(compress_key(view(whole)), key);
  EXPECT_EQ(compress_key(view(key)), key);
  for (std::uint8_t hybrid : {6, 7}) {
    whole[0] = hybrid;
    EXPECT_FALSE(compress_key(view(whole)));
  }
  whole[0] = 4;
  whole[64] ^= 1;
  EXPECT_FALSE(compress_key(view(whole)));
}

TEST(Secp256k1, RefusesMalformedSignatures) {
  SecretKey key = secret(one_hex);
  Hash digest = sha256("x");
  std::string good(view(key.sign(digest)));
  auto check = [&](ByteView signature) {
    return verify_signature(view(key.public_key()), signature, digest);
  };
  EXPECT_EQ(check(good), SignatureCheck::valid);
  EXPECT_EQ(check(""), SignatureCheck::malformed);
  EXPECT_EQ(check(good.substr(1)), SignatureCheck::malformed);
  EXPECT_EQ(check(good + '\0'), SignatureCheck::malformed);
  EXPECT_EQ(check(bytes(order_hex) + good.substr(32)), SignatureCheck::malformed);
  EXPECT_EQ(check(good.substr(0, 32) + bytes(order_hex)), SignatureCheck::malformed);
  EXPECT_EQ(check(std::string(64, '\0')), SignatureCheck::wrong);
  EXPECT_EQ(check(good.substr(0, 32) + std::string(32, '\0')), SignatureCheck::wrong);
}

TEST(Secp256k1, AnyFlippedBitSpoilsASignature) {
  test::Seeded random;
  SecretKey key = *SecretKey::from_bytes(random.bytes(32));
  Hash digest = sha256(random.bytes(10));
  std::string good(view(key.sign(digest)));
  for (std::size_t bit = 0; bit < 512; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(verify_signature(view(key.public_key()), bad, digest), SignatureCheck::valid) << bit;
  }
}

TEST(Secp256k1, RecoversTheKeyThatSigned) {
  test::Seeded random;
  for (int i = 0; i < 50; ++i) {
    SecretKey key = SecretKey::generate();
    Hash digest = sha256(random.bytes(20));
    auto signature = key.sign_recoverable(digest);
    EXPECT_EQ(view(signature).substr(0, 64), view(key.sign(digest)));
    EXPECT_EQ(recover_key(view(signature), digest), key.public_key());

    auto ethereum = signature;
    ethereum[64] = static_cast<std::uint8_t>(ethereum[64] + 27);
    EXPECT_EQ(recover_key(view(ethereum), digest), key.public_key());

    // The same signature with the other S belongs to the other parity.
    std::string high = other_s(view(signature).substr(0, 64));
    high.push_back(static_cast<char>(signature[64] ^ 1));
    EXPECT_EQ(recover_key(high, digest), key.public_key());

    EXPECT_NE(recover_key(view(signature), sha256("another")), key.public_key());
  }
}

TEST(Secp256k1, RecoversNothingFromNonsense) {
  Hash digest = sha256("x");
  auto signature = secret(one_hex).sign_recoverable(digest);
  EXPECT_FALSE(recover_key(view(signature).substr(0, 64), digest));
  for (int v : {4, 26, 31, 255}) {
    signature[64] = static_cast<std::uint8_t>(v);
    EXPECT_FALSE(recover_key(view(signature), digest)) << v;
  }
  EXPECT_FALSE(recover_key(std::string(65, '\0'), digest));
}

struct Ed25519Case {
  const char* seed;
  const char* key;
  const char* message;
  const char* signature;
};
// RFC 8032, 7.1: tests 1, 2, 3 and SHA(abc).
const Ed25519Case rfc8032_cases[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
     "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
};

TEST(Ed25519, SignsAsRfc8032Says) {
  for (const auto& c : rfc8032_cases) {
    auto key = Ed25519SecretKey::from_seed(*to_array<32>(bytes(c.seed)));
    EXPECT_EQ(to_hex(key.public_key()), c.key);
    EXPECT_EQ(to_hex(key.sign(bytes(c.message))), c.signature);
    EXPECT_TRUE(verify_ed25519(key.public_key(), bytes(c.message), bytes(c.signature)));
    EXPECT_FALSE(verify_ed25519(key.public_key(), bytes(c.message) + "x", bytes(c.signature)));
  }
}

TEST(Ed25519, RefusesForeignKeysFlippedBitsAndOtherLengths) {
  auto key = Ed25519SecretKey::generate();
  std::string good(view(key.sign("message")));
  EXPECT_TRUE(verify_ed25519(key.public_key(), "message", good));
  EXPECT_FALSE(verify_ed25519(Ed25519SecretKey::generate().public_key(), "message", good));
  EXPECT_FALSE(verify_ed25519(key.public_key(), "message", good.substr(1)));
  EXPECT_FALSE(verify_ed25519(key.public_key(), "message", good + '\0'));
  for (std::size_t bit = 0; bit < 512; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(verify_ed25519(key.public_key(), "message", bad)) << bit;
  }
}

TEST(Ed25519, RefusesTheSecondSpellingOfASignature) {
  // S + L verifies under a lax check: RFC 8032 wants S < L.
  const std::string order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  auto key = Ed25519SecretKey::generate();
  std::string signature(view(key.sign("message")));
  int carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    int digit = static_cast<std::uint8_t>(signature[32 + i]) + static_cast<std::uint8_t>(order[i]) + carry;
    signature[32 + i] = static_cast<char>(digit & 0xff);
    carry = digit >> 8;
  }
  EXPECT_FALSE(verify_ed25519(key.public_key(), "message", signature));
}

}  // namespace
}  // namespace windlass
