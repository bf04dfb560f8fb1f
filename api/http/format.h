// The site's common words: how keys, numbers and amounts are read from a path and shown.
#pragma once

#include "api/http/reader.h"

namespace windlass::api {

// A sequence or channel id as a path has it: decimal, no leading zeros.
std::optional<std::uint64_t> parse_number(std::string_view text);
// The key that a path names: 66 or 130 hex digits, or a TRON address that the ledger has seen.
Answered<core::Key> named_key(Reader& reader, std::string_view text);
bool looks_like_key(std::string_view text);

std::string tron_text(ByteView address);  // base58; empty for an empty address
std::string tron_text(const core::Key& key);
std::string decimal_text(core::ChainAmount amount);
// `1234.5` for 1234500000 units of 6 decimals: exact, no trailing zeros.
std::string amount_text(core::Amount amount, std::uint32_t decimals);
std::string time_text(core::TimeUs time_us);  // `2026-01-31 12:00:00 UTC`
// Nothing where there is none.
std::optional<std::uint64_t> number_of(core::Sequence sequence);

int http_status(core::Error error);

}  // namespace windlass::api
