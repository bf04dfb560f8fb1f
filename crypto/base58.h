// Base58 with a four-byte double-SHA-256 checksum, as Bitcoin and TRON write addresses.
#pragma once

#include "crypto/bytes.h"

namespace windlass {

std::string base58check_encode(ByteView payload);
// Nothing when a character is none of the alphabet's, or the checksum is wrong. Texts over 128 characters are refused.
std::optional<std::string> base58check_decode(std::string_view text);

}  // namespace windlass
