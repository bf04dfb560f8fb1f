// What a devchain is set up with on disk: its genesis file and its witness's key.
#pragma once

#include "anchoring/devchain/devchain.h"

namespace windlass::devchain {

// JSON as in proto/tron/genesis.proto; the error names what is wrong.
tl::expected<std::vector<GenesisAccount>, std::string> parse_genesis(const std::string& json);

// The key in the file (64 hex digits); made, and readable by its owner alone, when there is no file.
tl::expected<SecretKey, std::string> load_or_make_key(const std::string& path);

}  // namespace windlass::devchain
