// Byte strings, their text forms and hashes, against published answers.
#include <gtest/gtest.h>

#include "crypto/base58.h"
#include "crypto/bytes.h"
#include "crypto/hash.h"
#include "tests/seeded.h"

namespace windlass {
namespace {

using namespace std::string_literals;

TEST(Hashes, Sha256GivesTheAnswersOfFips180) {
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(to_hex(sha256(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Hashes, Sha256OfPartsIsThatOfTheirConcatenation) {
  EXPECT_EQ(sha256({"a", "", "bc"}), sha256("abc"));
  EXPECT_EQ(sha256(std::initializer_list<ByteView>{}), sha256(""));
}

TEST(Hashes, KeccakIsTheOriginalNotSha3) {
  EXPECT_EQ(to_hex(keccak256("")), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  EXPECT_EQ(to_hex(keccak256("abc")), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
  EXPECT_EQ(to_hex(keccak256("hello")), "1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8");
}

TEST(Hashes, RandomBytesDiffer) {
  EXPECT_NE(random_array<32>(), random_array<32>());
}

TEST(Hex, WritesLowerCaseAndReadsEither) {
  EXPECT_EQ(to_hex("\x00\xaf\xff"s), "00afff");
  EXPECT_EQ(from_hex("00aFfF"), "\x00\xaf\xff"s);
  EXPECT_EQ(from_hex(""), "");
}

TEST(Hex, RefusesWhatIsNotPairsOfDigits) {
  for (const char* text : {"0", "000", "0x00", " 00", "00 ", "0g", "g0", "-1", "00\n"})
    EXPECT_FALSE(from_hex(text)) << text;
  EXPECT_FALSE(from_hex("0\0"s));
  EXPECT_FALSE(from_hex(std::string_view("0000").substr(0, 3)));
}

TEST(Base64, GivesTheAnswersOfRfc4648) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"},
                                                       {"\xfb\xff", "+/8="}};
  for (auto [bytes, text] : cases) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
}

TEST(Base64, RefusesEverySecondSpelling) {
  // No padding, too much of it, stray bits, white space, the URL alphabet, dots for padding, cut short.
  for (const char* text :
       {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", " Zg==", "Zg==\n", "Zm 9v", "-_8=", "Zg..", "Z", "="})
    EXPECT_FALSE(from_base64(text)) << text;
  EXPECT_FALSE(from_base64("Zm9v\0"s));
}

TEST(Base58Check, GivesTheAddressesOfBitcoinAndTron) {
  const std::pair<const char*, const char*> cases[] = {
      {"00751e76e8199196d454941c45d1b3a323f1433bd6", "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"},
      {"41a614f803b6fd780986a42c78ec9c7f77e6ded13c", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"},
      {"", "3QJmnh"},
  };
  for (auto [hex, text] : cases) {
    EXPECT_EQ(base58check_encode(*from_hex(hex)), text);
    EXPECT_EQ(base58check_decode(text), from_hex(hex));
  }
}

TEST(Base58Check, RefusesOtherCharactersWrongChecksumsAndLongTexts) {
  for (const char* text :
       {"", "1", "1111", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6",
        "0R7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t ",
        "OR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "1TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
        "IR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "lR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"})
    EXPECT_FALSE(base58check_decode(text)) << text;
  EXPECT_FALSE(base58check_decode(base58check_encode(std::string(100, 'x'))));
}

TEST(Base58Check, DecodesWhatItEncodes) {
  test::Seeded random;
  for (int i = 0; i < 500; ++i) {
    std::string payload = std::string(random.below(4), '\0') + random.bytes(random.below(60));
    EXPECT_EQ(base58check_decode(base58check_encode(payload)), payload);
  }
}

TEST(Bytes, AnArrayWantsExactlyItsLength) {
  EXPECT_EQ(to_array<3>("abc"), (ByteArray<3>{'a', 'b', 'c'}));
  EXPECT_FALSE(to_array<3>("ab"));
  EXPECT_FALSE(to_array<3>("abcd"));
}

TEST(Bytes, IntegersAreBigEndian) {
  std::string out;
  append_be(out, std::uint8_t{0x01});
  append_be(out, std::uint16_t{0x0203});
  append_be(out, std::uint32_t{0x04050607});
  append_be(out, std::uint64_t{0x08090a0b0c0d0e0f});
  append_be(out, std::int64_t{-2});
  append_be(out, std::int16_t{-32768});
  EXPECT_EQ(to_hex(out), "0102030405060708090a0b0c0d0e0ffffffffffffffffe8000");

  ByteReader reader(out);
  EXPECT_EQ(reader.be<std::uint8_t>(), 0x01);
  EXPECT_EQ(reader.be<std::uint16_t>(), 0x0203);
  EXPECT_EQ(reader.be<std::uint32_t>(), 0x04050607U);
  EXPECT_EQ(reader.be<std::uint64_t>(), 0x08090a0b0c0d0e0fU);
  EXPECT_EQ(reader.be<std::int64_t>(), -2);
  EXPECT_FALSE(reader.done());
  EXPECT_EQ(reader.be<std::int16_t>(), -32768);
  EXPECT_TRUE(reader.done());
}

TEST(Bytes, AReadPastTheEndFailsItAndAllThatFollow) {
  ByteReader reader("\x01\x02\x03");
  EXPECT_EQ(reader.take(1), "\x01");
  EXPECT_EQ(reader.be<std::uint32_t>(), 0U);
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_EQ(reader.be<std::uint8_t>(), 0);
  EXPECT_EQ(reader.array<2>(), ByteArray<2>{});
  EXPECT_FALSE(reader.done());
}

TEST(Bytes, AReaderTakesArraysInOrder) {
  ByteReader reader("abcd");
  EXPECT_EQ(reader.array<3>(), (ByteArray<3>{'a', 'b', 'c'}));
  EXPECT_EQ(reader.remaining(), 1U);
  EXPECT_EQ(reader.take(0), "");
  EXPECT_FALSE(reader.failed());
}

}  // namespace
}  // namespace windlass
