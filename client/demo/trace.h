// A recorded swarm: which block went from whom to whom, and when. The form is in README.md beside this file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "client/failure.h"

namespace windlass::demo {

struct Block {
  std::int64_t at_ms = 0;
  std::uint32_t downloader = 0, uploader = 0;
  std::int64_t bytes = 0;
};
struct Trace {
  std::vector<Block> blocks;  // in order of arrival
};

// Larger than any network moves a block.
constexpr std::int64_t max_block_bytes = std::int64_t{1} << 30;

// Reads all of it, or names the first line that is wrong.
client::Result<Trace> parse_trace(std::string_view csv);

// The trace that the program carries.
client::Result<std::string> built_in_trace();
// Unpacks gzip; what is not gzip comes back as it is.
client::Result<std::string> gunzip(std::string bytes);

// What follows from a trace at a price, in ledger units.
struct Flow {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::int64_t>
      pairs;                                           // (downloader, uploader): paid in all
  std::map<std::uint32_t, std::int64_t> paid, earned;  // by peer; every peer stands in both
  std::int64_t total = 0;
};
// Refused where a sum is more than a ledger can hold.
client::Result<Flow> flow_of(const Trace& trace, std::int64_t units_per_byte);

}  // namespace windlass::demo
