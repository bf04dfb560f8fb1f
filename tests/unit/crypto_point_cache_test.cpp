// Points of keys, kept: with them signatures hold exactly where they hold without, whatever the cache
// contains.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "crypto/point_cache.h"
#include "tests/seeded.h"

namespace windlass {
namespace {

constexpr std::size_t bytes_a_point = 32, room_for_four = 4 * bytes_a_point;

// A point of the key that is on the curve.
bool has(const PointCache& points, const PublicKey& key) {
  return points.find(view(key), [](ByteView point) { return compress_key(point).has_value(); });
}

// The key with the other y.
PublicKey other_parity(PublicKey key) {
  key[0] ^= 1;
  return key;
}
UncompressedKey other_parity(const UncompressedKey& point) {
  auto compressed = other_parity(*compress_key(view(point)));
  return uncompress_key(compressed);
}

struct Signer {
  SecretKey secret = SecretKey::generate();
  PublicKey key = secret.public_key();
  Hash digest = random_array<32>();
  CompactSignature signature = secret.sign(digest);

  SignatureCheck check(PointCache& points) const {
    return verify_signature(view(key), view(signature), digest, &points);
  }
};

TEST(PointCache, HasWhatWasKept) {
  PointCache points(1 << 20);
  std::vector<PublicKey> keys;
  for (int i = 0; i < 100; ++i) keys.push_back(SecretKey::generate().public_key());
  for (const auto& key : keys) {
    EXPECT_FALSE(has(points, key));
    points.keep(uncompress_key(key));
  }
  for (const auto& key : keys) {
    EXPECT_TRUE(has(points, key));
    EXPECT_FALSE(has(points, other_parity(key)));
  }
}

// However small it is, it holds something, and what comes last.
TEST(PointCache, IsBounded) {
  for (std::size_t bytes : {std::size_t{0}, std::size_t{1}, room_for_four, 3 * room_for_four - 1}) {
    PointCache points(bytes);
    std::vector<PublicKey> keys;
    for (int i = 0; i < 100; ++i) {
      keys.push_back(SecretKey::generate().public_key());
      points.keep(uncompress_key(keys.back()));
      EXPECT_TRUE(has(points, keys.back()));
    }
    auto found = std::count_if(keys.begin(), keys.end(), [&](auto& key) { return has(points, key); });
    EXPECT_LE(static_cast<std::size_t>(found), std::max(bytes, room_for_four) / bytes_a_point);
  }
}

TEST(PointCache, IsAskedByVerificationAndFilledByIt) {
  PointCache points(room_for_four);
  Signer signer;
  Signer forger{.key = SecretKey::generate().public_key()};
  EXPECT_EQ(forger.check(points), SignatureCheck::wrong);
  EXPECT_FALSE(has(points, forger.key)) << "a signature that does not hold must not push others out";
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(signer.check(points), SignatureCheck::valid);
    EXPECT_TRUE(has(points, signer.key));
  }
  signer.digest[0] ^= 1;
  EXPECT_EQ(signer.check(points), SignatureCheck::wrong);
}

// What two threads at once may leave: an x with a y that is not its own, or with its other one.
TEST(PointCache, BelievesNothingThatIsNotOnTheCurve) {
  PointCache points(room_for_four);
  Signer signer, another;
  UncompressedKey mixed = uncompress_key(signer.key), of_another = uncompress_key(another.key);
  std::copy(of_another.begin() + 33, of_another.end() - 1, mixed.begin() + 33);  // the parity stays
  points.keep(mixed);
  ASSERT_FALSE(has(points, signer.key));
  EXPECT_EQ(signer.check(points), SignatureCheck::valid);
  EXPECT_TRUE(has(points, signer.key));

  points.keep(other_parity(uncompress_key(signer.key)));
  EXPECT_EQ(signer.check(points), SignatureCheck::valid);
  signer.key = other_parity(signer.key);
  EXPECT_EQ(signer.check(points), SignatureCheck::wrong);
}

// What is empty is no key, nor is what only looks like one that is there.
TEST(PointCache, MakesNoKeyOfWhatIsNone) {
  PointCache points(room_for_four);
  Signer signer;
  ASSERT_EQ(signer.check(points), SignatureCheck::valid);
  for (std::uint8_t first : {0, 1, 4, 5, 6, 7, 255}) {
    auto key = signer.key;
    key[0] = first;
    EXPECT_EQ(verify_signature(view(key), view(signer.signature), signer.digest, &points),
              SignatureCheck::bad_key);
  }
  for (std::uint8_t first : {2, 3}) {
    PublicKey zero{first};
    EXPECT_EQ(verify_signature(view(zero), view(signer.signature), signer.digest, &points),
              SignatureCheck::bad_key);
  }
}

// Threads that verify and keep for a set that has room for a quarter of their keys.
TEST(PointCache, IsSharedByThreads) {
  PointCache points(room_for_four);
  std::vector<Signer> signers(16);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 2000; ++i) {
        const auto& signer = signers[(i * (2 * t + 1)) % signers.size()];
        if (i % 16 == 0 && signer.check(points) != SignatureCheck::valid) ++wrong;
        points.keep(uncompress_key(signer.key));
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace windlass
