#include "client/demo/trace.h"

#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <charconv>
#include <limits>

// The built-in trace, as the assembler finds it.
asm(".section .rodata\n"
    ".global windlass_demo_trace_begin\n"
    ".global windlass_demo_trace_end\n"
    "windlass_demo_trace_begin:\n"
    ".incbin \"" WINDLASS_DEMO_TRACE
    "\"\n"
    "windlass_demo_trace_end:\n"
    ".previous\n");
extern "C" const char windlass_demo_trace_begin[], windlass_demo_trace_end[];

namespace windlass::demo {
namespace {

constexpr std::string_view header = "at_ms,downloader,uploader,piece,block,bytes";
constexpr std::size_t columns = 6;
constexpr std::size_t max_trace_bytes = std::size_t{4} << 30;  // unpacked: a bomb is not a trace

std::string_view next_line(std::string_view& rest) {
  auto end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

// Six non-negative decimal numbers, nothing around them.
std::optional<std::array<std::int64_t, columns>> numbers_of(std::string_view line) {
  std::array<std::int64_t, columns> numbers{};
  const char* at = line.data();
  const char* end = line.data() + line.size();
  for (std::size_t i = 0; i < columns; ++i) {
    if (at == end || *at == '-') return std::nullopt;
    auto [after, error] = std::from_chars(at, end, numbers[i]);
    bool separated = i + 1 == columns ? after == end : after != end && *after == ',';
    if (error != std::errc() || !separated) return std::nullopt;
    at = after + (i + 1 == columns ? 0 : 1);
  }
  return numbers;
}

std::optional<std::string> fault_of(const std::array<std::int64_t, columns>& row, std::int64_t before_ms) {
  const auto [at_ms, downloader, uploader, piece, block, bytes] = row;
  constexpr std::int64_t max_number = std::numeric_limits<std::uint32_t>::max();
  if (std::max({downloader, uploader, piece, block}) > max_number)
    return "a peer, piece or block is above 4294967295";
  if (downloader == uploader) return fmt::format("peer {} receives from itself", downloader);
  if (bytes < 1 || bytes > max_block_bytes)
    return fmt::format("{} bytes; a block has 1 to {}", bytes, max_block_bytes);
  if (at_ms < before_ms)
    return fmt::format("{} ms, but the line before has {}: rows stand in order of time", at_ms, before_ms);
  return std::nullopt;
}

bool add(std::int64_t& sum, std::int64_t units) {
  return !__builtin_add_overflow(sum, units, &sum);
}

}  // namespace

client::Result<Trace> parse_trace(std::string_view csv) {
  auto wrong = [](std::size_t line, const std::string& what) {
    return client::usage_error(fmt::format("the trace, line {}: {}", line, what));
  };
  Trace trace;
  std::string_view rest = csv;
  if (next_line(rest) != header) return wrong(1, fmt::format("the first line must be \"{}\"", header));
  std::int64_t before_ms = 0;
  for (std::size_t number = 2; !rest.empty(); ++number) {
    std::string_view line = next_line(rest);
    auto row = numbers_of(line);
    if (!row)
      return wrong(number, fmt::format("\"{}\" is not six whole numbers: {}", line.substr(0, 80), header));
    if (auto fault = fault_of(*row, before_ms)) return wrong(number, *fault);
    before_ms = (*row)[0];
    trace.blocks.push_back(
        {(*row)[0], static_cast<std::uint32_t>((*row)[1]), static_cast<std::uint32_t>((*row)[2]), (*row)[5]});
  }
  if (trace.blocks.empty()) return wrong(2, "there are no blocks");
  return trace;
}

client::Result<std::string> built_in_trace() {
  return gunzip(std::string(windlass_demo_trace_begin, windlass_demo_trace_end));
}

client::Result<std::string> gunzip(std::string bytes) {
  if (!bytes.starts_with("\x1f\x8b")) return bytes;
  z_stream stream{};
  constexpr int gzip_window = 15 + 16;
  if (inflateInit2(&stream, gzip_window) != Z_OK) return client::usage_error("zlib does not start");
  stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  std::array<char, 1 << 16> chunk;
  int status = Z_OK;
  while (status == Z_OK && out.size() < max_trace_bytes) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    status = inflate(&stream, Z_NO_FLUSH);
    out.append(chunk.data(), chunk.size() - stream.avail_out);
    // A file may have several members, one after the other.
    if (status == Z_STREAM_END && stream.avail_in > 0) status = inflateReset(&stream);
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END) return client::usage_error("the trace is damaged: it does not unpack");
  return out;
}

client::Result<Flow> flow_of(const Trace& trace, std::int64_t units_per_byte) {
  Flow flow;
  for (const auto& block : trace.blocks) {
    std::int64_t units = 0;
    bool fits = !__builtin_mul_overflow(block.bytes, units_per_byte, &units) &&
                add(flow.pairs[{block.downloader, block.uploader}], units) &&
                add(flow.paid[block.downloader], units) && add(flow.earned[block.uploader], units) &&
                add(flow.total, units);
    if (!fits) return client::usage_error("at this price the trace costs more than a ledger can hold");
    flow.paid.try_emplace(block.uploader, 0);
    flow.earned.try_emplace(block.downloader, 0);
  }
  return flow;
}

}  // namespace windlass::demo
