#include <gtest/gtest.h>

#include "client/json.h"
#include "tests/unit/client_ledger.h"

namespace windlass::client {
namespace {

TEST(Json, OfAMessageComesBackTheSame) {
  TinyLedger ledger;
  ledger.play();
  pb::Acknowledgement acknowledgement = ledger.acknowledge(3), back;
  auto parsed = from_json(to_json(acknowledgement), back);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(back.SerializeAsString(), acknowledgement.SerializeAsString());
}

TEST(Json, KeepsEveryDigitOf64Bits) {
  pb::Covered covered, back;
  covered.set_sequence(18'446'744'073'709'551'615ULL);
  covered.set_claimed(-9'223'372'036'854'775'807);
  EXPECT_EQ(to_json(covered), R"({"sequence": "18446744073709551615", "claimed": "-9223372036854775807"})");
  ASSERT_TRUE(from_json(to_json(covered), back));
  EXPECT_EQ(back.sequence(), covered.sequence());
}

TEST(Json, RefusesWhatIsNotTheMessage) {
  pb::Covered covered;
  for (const char* json :
       {"", "[]", "{", R"({"sequence": "x"})", R"({"sequence": "-1"})", R"({"other": "1"})",
        R"({"sequence": ["1"]})", R"({"sequence": "18446744073709551616"})"})
    EXPECT_FALSE(from_json(json, covered)) << json;
  pb::Signature signature;
  EXPECT_FALSE(from_json(R"({"key": "0"})", signature));
  EXPECT_FALSE(from_json(R"({"key": "zz"})", signature));
}

TEST(Json, EscapesText) {
  EXPECT_EQ(json_string("a\"b\\c\n\x01"), R"("a\"b\\c\n\u0001")");
}

}  // namespace
}  // namespace windlass::client
