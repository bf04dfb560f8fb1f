#include <gtest/gtest.h>

#include "client/demo/trace.h"

namespace windlass::demo {
namespace {

const std::string header = "at_ms,downloader,uploader,piece,block,bytes\n";

std::string fault(const std::string& csv) {
  auto trace = parse_trace(csv);
  EXPECT_FALSE(trace) << csv;
  return trace ? "" : trace.error().message;
}

TEST(Trace, BuiltInIsTheWholeSwarm) {
  auto text = built_in_trace();
  ASSERT_TRUE(text);
  auto trace = parse_trace(*text);
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->blocks.size(), 100'240U);
  auto flow = flow_of(*trace, 1);
  ASSERT_TRUE(flow);
  EXPECT_EQ(flow->pairs.size(), 118U);
  EXPECT_EQ(flow->paid.size(), 16U);
  EXPECT_EQ(flow->total, 14 * std::int64_t{117'308'864});
  // Every downloader pays for the whole file, seeders for nothing.
  for (const auto& [peer, paid] : flow->paid) EXPECT_EQ(paid, peer < 2 ? 0 : 117'308'864) << peer;
}

TEST(Trace, TakesAnyPeersAndASmallerLastBlock) {
  auto trace = parse_trace(header + "0,7,4000000000,0,0,16384\r\n5,8,7,0,1,1");
  ASSERT_TRUE(trace) << trace.error().message;
  auto flow = flow_of(*trace, 3);
  ASSERT_TRUE(flow);
  EXPECT_EQ(flow->paid.at(7), 3 * 16'384);
  EXPECT_EQ(flow->earned.at(7), 3);
  EXPECT_EQ(flow->earned.at(8), 0);
  EXPECT_EQ(flow->paid.at(4'000'000'000), 0);
}

TEST(Trace, NamesTheLineThatIsWrong) {
  const std::string good = header + "10,2,1,0,0,16384\n";
  for (const char* bad : {"9,2,1,0,1,16384", "11,2,2,0,1,16384", "11,2,1,0,1,0", "11,2,1,0,1,-5",
                          "11,2,1,0,1", "11,2,1,0,1,16384,9", "11,2,1,0,1,16384 ", " 11,2,1,0,1,16384",
                          "x,2,1,0,1,16384", "11,2,1,,1,16384", "", "11,4294967296,1,0,1,16384",
                          "11,2,1,0,1,1073741825", "99999999999999999999,2,1,0,1,16384", "11;2;1;0;1;16384"})
    EXPECT_NE(fault(good + bad + "\n12,2,1,0,2,16384\n").find("line 3: "), std::string::npos) << bad;
  EXPECT_NE(fault("at,downloader\n").find("line 1: "), std::string::npos);
  EXPECT_NE(fault("").find("line 1: "), std::string::npos);
  EXPECT_NE(fault(header).find("no blocks"), std::string::npos);
}

TEST(Trace, IsRefusedWhereItsPriceOverflows) {
  auto trace = parse_trace(header + "0,2,1,0,0,1073741824\n1,2,1,0,1,1073741824\n");
  ASSERT_TRUE(trace);
  EXPECT_TRUE(flow_of(*trace, 4'294'967'295));
  EXPECT_FALSE(flow_of(*trace, 4'294'967'296));
}

// `gzip` of "one," and of "two", one after the other as `cat` does: such a file unpacks to both.
TEST(Trace, IsUnpackedToItsEnd) {
  std::string packed(
      "\037\213\010\000\000\000\000\000\002\003\313\317\113\325\001\000\142\055\032\052\004\000\000\000"
      "\037\213\010\000\000\000\000\000\002\003\053\051\317\007\000\146\212\312\021\003\000\000\000",
      47);
  EXPECT_EQ(gunzip(packed).value(), "one,two");
  EXPECT_FALSE(gunzip(packed + "garbage"));
  EXPECT_FALSE(gunzip(packed.substr(0, packed.size() - 5)));
}

TEST(Trace, DamagedPackingIsRefused) {
  EXPECT_FALSE(gunzip("\x1f\x8b garbage"));
  EXPECT_EQ(gunzip("plain").value(), "plain");
}

}  // namespace
}  // namespace windlass::demo
