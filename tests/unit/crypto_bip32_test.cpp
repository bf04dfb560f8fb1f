// Extended keys, against the published test vectors of BIP-32 and against each other.
#include <gtest/gtest.h>

#include "crypto/bip32.h"
#include "tests/seeded.h"

namespace windlass {
namespace {

constexpr std::uint32_t hardened = first_hardened_child;

// Down from the seed's root: each step's number, and both texts of the key there.
struct Step {
  std::uint32_t number;
  const char *pub, *prv;
};
struct Vector {
  const char *seed, *pub, *prv;
  std::vector<Step> steps;
};

const Vector vectors[] = {{"000102030405060708090a0b0c0d0e0f",
                           "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8Yt"
                           "GqsefD265TMg7usUDFdp6W1"
                           "EGMcet8",
                           "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5"
                           "kejMRNNU3TGtRBeJgk33yuG"
                           "BxrMPHi",
                           {{hardened,
                             "xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHC"
                             "drfp1bgwQ9xv5ski8PX9rL2"
                             "dZXvgGDnw",
                             "xprv9uHRZZhk6KAJC1avXpDAp4MDc3sQKNxDiPvvkX8Br5ngLNv1TxvUxt4cV1rGL5hj6KCesnDYUhd"
                             "7oWgT11eZG7XnxHrnYeSvkz"
                             "Y7d2bhkJ7"},
                            {1,
                             "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash"
                             "7SyYq527Hqck2AxYysAA7xm"
                             "ALppuCkwQ",
                             "xprv9wTYmMFdV23N2TdNG573QoEsfRrWKQgWeibmLntzniatZvR9BmLnvSxqu53Kw1UmYPxLgboyZQa"
                             "XwTCg8MSY3H2EU4pWcQDnRn"
                             "rVA1xe8fs"},
                            {hardened + 2,
                             "xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG"
                             "5uJh7n7epu4trkrX7x7DogT"
                             "5Uv6fcLW5",
                             "xprv9z4pot5VBttmtdRTWfWQmoH1taj2axGVzFqSb8C9xaxKymcFzXBDptWmT7FwuEzG3ryjH4ktypQ"
                             "SAewRiNMjANTtpgP4mLTj34"
                             "bhnZX7UiM"},
                            {2,
                             "xpub6FHa3pjLCk84BayeJxFW2SP4XRrFd1JYnxeLeU8EqN3vDfZmbqBqaGJAyiLjTAwm6ZLRQUMv1ZA"
                             "CTj37sR62cfN7fe5JnJ7dh8"
                             "zL4fiyLHV",
                             "xprvA2JDeKCSNNZky6uBCviVfJSKyQ1mDYahRjijr5idH2WwLsEd4Hsb2Tyh8RfQMuPh7f7RtyzTtdr"
                             "bdqqsunu5Mm3wDvUAKRHSC3"
                             "4sJ7in334"},
                            {1000000000,
                             "xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkr"
                             "o49S8yGasTvXEYBVPamhGW6"
                             "cFJodrTHy",
                             "xprvA41z7zogVVwxVSgdKUHDy1SKmdb533PjDz7J6N6mV6uS3ze1ai8FHa8kmHScGpWmj4WggLyQjgP"
                             "ie1rFSruoUihUZREPSL39UN"
                             "dE3BBDu76"}}},
                          {"fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8"
                           "784817e7b7875726f6c6966"
                           "63605d5a5754514e4b484542",
                           "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc"
                           "4a6mr8BDzTJY47LJhkJ8UB7"
                           "WEGuduB",
                           "xprv9s21ZrQH143K31xYSDQpPDxsXRTUcvj2iNHm5NUtrGiGG5e2DtALGdso3pGz6ssrdK4PFmM8NSpSB"
                           "HNqPqm55Qn3LqFtT2emdEXV"
                           "YsCzC2U",
                           {{0,
                             "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoU"
                             "mmDznezpbZb7ap6r1D3tgFx"
                             "HmwMkQTPH",
                             "xprv9vHkqa6EV4sPZHYqZznhT2NPtPCjKuDKGY38FBWLvgaDx45zo9WQRUT3dKYnjwih2yJD9mkrocE"
                             "ZXo1ex8G81dwSM1fwqWpWke"
                             "S3v86pgKt"},
                            {hardened + 2147483647,
                             "xpub6ASAVgeehLbnwdqV6UKMHVzgqAG8Gr6riv3Fxxpj8ksbH9ebxaEyBLZ85ySDhKiLDBrQSARLq1u"
                             "NRts8RuJiHjaDMBU4Zn9h8L"
                             "ZNnBC5y4a",
                             "xprv9wSp6B7kry3Vj9m1zSnLvN3xH8RdsPP1Mh7fAaR7aRLcQMKTR2vidYEeEg2mUCTAwCd6vnxVrcj"
                             "fy2kRgVsFawNzmjuHc2YmYR"
                             "magcEPdU9"},
                            {1,
                             "xpub6DF8uhdarytz3FWdA8TvFSvvAh8dP3283MY7p2V4SeE2wyWmG5mg5EwVvmdMVCQcoNJxGoWaU9D"
                             "CWh89LojfZ537wTfunKau47"
                             "EL2dhHKon",
                             "xprv9zFnWC6h2cLgpmSA46vutJzBcfJ8yaJGg8cX1e5StJh45BBciYTRXSd25UEPVuesF9yog62tGAQ"
                             "tHjXajPPdbRCHuWS6T8XA2E"
                             "CKADdw4Ef"},
                            {hardened + 2147483646,
                             "xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY"
                             "4ALHY2grBGRjaDMzQLcgJvL"
                             "JuZZvRcEL",
                             "xprvA1RpRA33e1JQ7ifknakTFpgNXPmW2YvmhqLQYMmrj4xJXXWYpDPS3xz7iAxn8L39njGVyuoseXz"
                             "U6rcxFLJ8HFsTjSyQbLYnMp"
                             "CqE2VbFWc"},
                            {2,
                             "xpub6FnCn6nSzZAw5Tw7cgR9bi15UV96gLZhjDstkXXxvCLsUXBGXPdSnLFbdpq8p9HmGsApME5hQTZ"
                             "3emM2rnY5agb9rXpVGyy3bd"
                             "W6EEgAtqt",
                             "xprvA2nrNbFZABcdryreWet9Ea4LvTJcGsqrMzxHx98MMrotbir7yrKCEXw7nadnHM8Dq38EGfSh6dq"
                             "A9QWTyefMLEcBYJUuekgW4B"
                             "YPJcr9E7j"}}},
                          // Whose secret keys begin with zeros.
                          {"4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4acba45d239319ac14f8"
                           "63b8d5ab5a0d0c64d2e8a1e"
                           "7d1457df2e5a3c51c73235be",
                           "xpub661MyMwAqRbcEZVB4dScxMAdx6d4nFc9nvyvH3v4gJL378CSRZiYmhRoP7mBy6gSPSCYk6SzXPTf3"
                           "ND1cZAceL7SfJ1Z3GC8vBgp"
                           "2epUt13",
                           "xprv9s21ZrQH143K25QhxbucbDDuQ4naNntJRi4KUfWT7xo4EKsHt2QJDu7KXp1A3u7Bi1j8ph3EGsZ9X"
                           "vz9dGuVrtHHs7pXeTzjuxBr"
                           "CmmhgC6",
                           {{hardened,
                             "xpub68NZiKmJWnxxS6aaHmn81bvJeTESw724CRDs6HbuccFQN9Ku14VQrADWgqbhhTHBaohPX4CjNLf"
                             "9fq9MYo6oDaPPLPxSb7gwQN"
                             "3ih19Zm4Y",
                             "xprv9uPDJpEQgRQfDcW7BkF7eTya6RPxXeJCqCJGHuCJ4GiRVLzkTXBAJMu2qaMWPrS7AANYqdq6vcB"
                             "cBUdJCVVFceUvJFjaPdGZ2y"
                             "9WACViL4L"}}},
                          {"3ddd5602285899a946114506157c7997e5444528f3003f6134712147db19b678",
                           "xpub661MyMwAqRbcGczjuMoRm6dXaLDEhW1u34gKenbeYqAix21mdUKJyuyu5F1rzYGVxyL6tmgBUAEPr"
                           "Ez92mBXjByMRiJdba9wpnN3"
                           "7RLLAXa",
                           "xprv9s21ZrQH143K48vGoLGRPxgo2JNkJ3J3fqkirQC2zVdk5Dgd5w14S7fRDyHH4dWNHUgkvsvNDCkvA"
                           "wcSHNAQwhwgNMgZhLtQC63z"
                           "xwhQmRv",
                           {{hardened,
                             "xpub69AUMk3qDBi3uW1sXgjCmVjJ2G6WQoYSnNHyzkmdCHEhSZ4tBok37xfFEqHd2AddP56Tqp4o56A"
                             "ePAgCjYdvpW2PU2jbUPFKsa"
                             "v5ut6Ch1m",
                             "xprv9vB7xEWwNp9kh1wQRfCCQMnZUEG21LpbR9NPCNN1dwhiZkjjeGRnaALmPXCX7SgjFTiCTT6bXes"
                             "17boXtjq3xLpcDjzEuGLQBM"
                             "5ohqkao9G"},
                            {hardened + 1,
                             "xpub6BJA1jSqiukeaesWfxe6sNK9CCGaujFFSJLomWHprUL9DePQ4JDkM5d88n49sMGJxrhpjazuXYW"
                             "dMf17C9T5XnxkopaeS7jGk1"
                             "GyyVziaMt",
                             "xprv9xJocDuwtYCMNAo3Zw76WENQeAS6WGXQ55RCy7tDJ8oALr4FWkuVoHJeHVAcAqiZLE7Je3vZJHx"
                             "spZdFHfnBEjHqU5hG1Jaj32"
                             "dVoS6XLT1"}}}};

// Vector 5: each contradicts itself.
const char* const invalid_keys[] = {
    "xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6LBpB85b3D2yc8sfvZU521AAwdZafEz7mnzBBsz4wKY5"
    "f"
    "TtTQBm",
    "xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzFGTQQD3dC4H2D5GBj7vWvSQaaBv5cxi9gafk7NF3pnBj"
    "u"
    "6dwKvH",
    "xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6Txnt3siSujt9RCVYsx4qHZGc62TG4McvMGcAUjeuwZd"
    "d"
    "uYEvFn",
    "xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzFGpWnsj83BHtEy5Zt8CcDr1UiRXuWCmTQLxEK9vbz5gP"
    "s"
    "tX92JQ",
    "xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6N8ZMMXctdiCjxTNq964yKkwrkBJJwpzZS4HS2fxvyYU"
    "A"
    "4q2Xe4",
    "xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzFAzHGBP2UuGCqWLTAPLcMtD9y5gkZ6Eq3Rjuahrv17fE"
    "Q"
    "3Qen6J",
    "xprv9s2SPatNQ9Vc6GTbVMFPFo7jsaZySyzk7L8n2uqKXJen3KUmvQNTuLh3fhZMBoG3G4ZW1N2kZuHEPY53qmbZzCHshoQnNf4GvELZ"
    "f"
    "qTUrcv",
    "xpub661no6RGEX3uJkY4bNnPcw4URcQTrSibUZ4NqJEw5eBkv7ovTwgiT91XX27VbEXGENhYRCf7hyEbWrR3FewATdCEebj6znwMfQkh"
    "R"
    "YHRLpJ",
    "xprv9s21ZrQH4r4TsiLvyLXqM9P7k1K3EYhA1kkD6xuquB5i39AU8KF42acDyL3qsDbU9NmZn6MsGSUYZEsuoePmjzsB3eFKSUEh3Gu1"
    "N"
    "3cqVUN",
    "xpub661MyMwAuDcm6CRQ5N4qiHKrJ39Xe1R1NyfouMKTTWcguwVcfrZJaNvhpebzGerh7gucBvzEQWRugZDuDXjNDRmXzSZe4c7mnTK9"
    "7"
    "pTvGS8",
    "DMwo58pR1QLEFihHiXPVykYB6fJmsTeHvyTp7hRThAtCX8CvYzgPcn8XnmdfHGMQzT7ayAmfo4z3gY5KfbrZWZ6St24UVf2Qgo6oujFk"
    "t"
    "LHdHY4",
    "DMwo58pR1QLEFihHiXPVykYB6fJmsTeHvyTp7hRThAtCX8CvYzgPcn8XnmdfHPmHJiEDXkTiJTVV9rHEBUem2mwVbbNfvT2MTcAqj3ne"
    "s"
    "x8uBf9",
    "xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzF93Y5wvzdUayhgkkFoicQZcP3y52uPPxFnfoLZB21Teq"
    "t"
    "1VvEHx",
    "xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzFAzHGBP2UuGCqWLTAPLcMtD5SDKr24z3aiUvKr9bJpdr"
    "c"
    "Lg1y3G",
    "xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6Q5JXayek4PRsn35jii4veMimro1xefsM58PgBMrvdYr"
    "e"
    "8QyULY",
};

TEST(Bip32, DerivesWhatItsVectorsSay) {
  for (const auto& vector : vectors) {
    auto key = ExtendedSecretKey::from_seed(*from_hex(vector.seed));
    ASSERT_TRUE(key) << vector.seed;
    EXPECT_EQ(key->text(), vector.prv);
    EXPECT_EQ(key->public_key().text(), vector.pub);
    for (const auto& step : vector.steps) {
      auto by_public_key = key->public_key().child(step.number);
      key = key->child(step.number);
      ASSERT_TRUE(key) << step.prv;
      EXPECT_EQ(key->text(), step.prv);
      EXPECT_EQ(key->public_key().text(), step.pub);
      if (step.number >= hardened)
        EXPECT_FALSE(by_public_key) << "only the secret key has hardened children";
      else
        EXPECT_EQ(by_public_key, key->public_key());
    }
  }
}

TEST(Bip32, ReadsWhatItWrites) {
  for (const auto& vector : vectors)
    for (const auto& step : vector.steps) {
      auto pub = ExtendedPublicKey::parse(step.pub);
      auto prv = ExtendedSecretKey::parse(step.prv);
      ASSERT_TRUE(pub && prv) << step.pub;
      EXPECT_EQ(pub->text(), step.pub);
      EXPECT_EQ(prv->text(), step.prv);
      EXPECT_EQ(prv->public_key(), *pub);
    }
}

TEST(Bip32, RefusesKeysThatContradictThemselves) {
  for (const char* text : invalid_keys) {
    EXPECT_FALSE(ExtendedPublicKey::parse(text)) << text;
    EXPECT_FALSE(ExtendedSecretKey::parse(text)) << text;
  }
}

TEST(Bip32, SaysWhatAKeyIsInstead) {
  const auto& vector = vectors[0];
  EXPECT_EQ(ExtendedPublicKey::parse(vector.prv).error(),
            "it is another kind of key: one that begins with xpub is wanted");
  EXPECT_EQ(ExtendedSecretKey::parse(vector.pub).error(),
            "it is another kind of key: one that begins with xprv is wanted");
  std::string damaged = vector.pub;
  damaged.back() = '9';
  for (const std::string& text :
       {std::string(), std::string("xpub"), damaged, std::string("THo7sKWfxXDBRskDbSNduJKi2AteyXXZua")})
    EXPECT_EQ(ExtendedPublicKey::parse(text).error(),
              "it is no extended key: xpub and 107 more characters, base58")
        << text;
}

TEST(Bip32, BothWaysLeadToTheSameChild) {
  test::Seeded random;
  for (int i = 0; i < 200; ++i) {
    auto root = ExtendedSecretKey::from_seed(random.bytes(32));
    auto number = static_cast<std::uint32_t>(random.below(first_hardened_child));
    auto secret = root->child(number);
    ASSERT_TRUE(secret);
    EXPECT_EQ(root->public_key().child(number), secret->public_key()) << number;
  }
}

}  // namespace
}  // namespace windlass
