#include <gtest/gtest.h>

#include "client/amounts.h"
#include "client/payment_list.h"
#include "crypto/secp256k1.h"
#include "tests/seeded.h"

namespace windlass::client {
namespace {

Assets two_assets() {
  Assets assets;
  auto add = [&](std::uint32_t number, const char* symbol, std::uint32_t decimals) {
    pb::Asset asset;
    asset.set_number(number);
    asset.set_symbol(symbol);
    asset.set_decimals(decimals);
    assets[number] = asset;
  };
  add(1, "BTT", 6);
  add(2, "WHOLE", 0);
  return assets;
}

std::int64_t units(std::string_view text, const AmountOptions& options = {}) {
  auto amount = parse_amount(text, options, two_assets());
  EXPECT_TRUE(amount) << text << ": " << amount.error().message;
  return amount ? amount->units : -1;
}
std::string error(std::string_view text, const AmountOptions& options = {}) {
  auto amount = parse_amount(text, options, two_assets());
  EXPECT_FALSE(amount) << text;
  if (amount) return "";
  EXPECT_EQ(amount.error().kind, Failure::Kind::usage);
  return amount.error().message;
}

TEST(Amount, IsReadExactly) {
  EXPECT_EQ(units("12.5 BTT"), 12'500'000);
  EXPECT_EQ(units("12.5"), 12'500'000);
  EXPECT_EQ(units("  12.500000  btt "), 12'500'000);
  EXPECT_EQ(units("12BTT"), 12'000'000);
  EXPECT_EQ(units("0.000001"), 1);
  EXPECT_EQ(units("9223372036854.775807"), 9'223'372'036'854'775'807);
  EXPECT_EQ(units("3 WHOLE"), 3);
  EXPECT_EQ(units("3", {.asset = "whole", .in_units = false}), 3);
  EXPECT_EQ(units("3 2"), 3);  // an asset's number names it too
}

TEST(Amount, InUnitsIsTheNumberItself) {
  EXPECT_EQ(units("12500000", {.asset = "BTT", .in_units = true}), 12'500'000);
  EXPECT_NE(error("12.5", {.asset = "BTT", .in_units = true}).find("whole number"), std::string::npos);
}

TEST(Amount, SaysWhatIsWrong) {
  EXPECT_NE(error("0.0000001").find("6 decimals"), std::string::npos);
  EXPECT_NE(error("1.5 WHOLE").find("0 decimals"), std::string::npos);
  EXPECT_NE(error("9223372036854.775808").find("more than a ledger can hold"), std::string::npos);
  EXPECT_NE(error("99999999999999999999999999").find("more than a ledger can hold"), std::string::npos);
  EXPECT_NE(error("0").find("more than nothing"), std::string::npos);
  EXPECT_EQ(units("0", {.may_be_zero = true}), 0);
  EXPECT_NE(error("0.000000 BTT").find("more than nothing"), std::string::npos);
  EXPECT_NE(error("5 DOGE").find("this ledger has BTT, WHOLE"), std::string::npos);
  for (const char* text :
       {"", "-1", "+1", "1.", ".5", "1.2.3", "1,5", "0x10", "1e3 ", "BTT", "1 BTT 2", "12 . 5"})
    error(text);
}

TEST(Amount, IsWrittenAsItIsRead) {
  EXPECT_EQ(format_units(12'500'000, 6), "12.5");
  EXPECT_EQ(format_units(1, 6), "0.000001");
  EXPECT_EQ(format_units(1'000'000, 6), "1");
  EXPECT_EQ(format_units(0, 6), "0");
  EXPECT_EQ(format_units(100, 0), "100");
  EXPECT_EQ(format_units(-1'500'000, 6), "-1.5");
  EXPECT_EQ(format_amount(12'500'000, 1, two_assets()), "12.5 BTT");
  EXPECT_EQ(format_amount(7, 9, two_assets()), "7 units of asset 9");
}

TEST(Amount, ComesBackFromItsTextWhateverItIs) {
  test::Seeded seeded;
  for (int i = 0; i < 10'000; ++i) {
    auto amount = static_cast<std::int64_t>(seeded.below(std::uint64_t{1} << 63) >> seeded.below(63));
    if (amount == 0) continue;
    EXPECT_EQ(units(format_amount(amount, 1, two_assets())), amount);
  }
}

Result<PaymentList> parse_list(const std::string& text) {
  return parse_payment_list(text, {}, two_assets(), [](const std::string& key) -> Result<core::Key> {
    auto bytes = from_hex(key);
    auto parsed = bytes ? compress_key(*bytes) : std::nullopt;
    if (!parsed) return usage_error("no key");
    return *parsed;
  });
}

TEST(PaymentListFile, IsReadWhole) {
  std::string key = to_hex(SecretKey::generate().public_key());
  auto list = parse_list("key,amount\n" + key + ",1.5\r\n\n" + key + ",2 BTT");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->asset.value, 1U);
  ASSERT_EQ(list->payments.size(), 2U);
  EXPECT_EQ(list->payments[0].amount, 1'500'000);
  EXPECT_EQ(list->payments[1].amount, 2'000'000);
}

TEST(PaymentListFile, NamesTheLineThatIsWrong) {
  std::string key = to_hex(SecretKey::generate().public_key());
  std::string good = "key,amount\n" + key + ",1\n";
  for (const std::string& bad :
       {std::string("nonsense"), key + ",1,2", key + ",x", std::string("00,1"), key + ",1 WHOLE"}) {
    auto list = parse_list(good + bad + "\n");
    ASSERT_FALSE(list) << bad;
    EXPECT_TRUE(list.error().message.starts_with("line 3: ")) << list.error().message;
  }
  EXPECT_FALSE(parse_list("key,amount\n"));
}

}  // namespace
}  // namespace windlass::client
