// A ledger that is old already: entries written straight into the journal by the code that the writer uses,
// but for their signatures, which nobody verifies again but a full audit: they are random.
#pragma once

#include "ledger/codec/command.h"

namespace windlass::bench {

struct Growth {
  std::uint64_t entries = 0;   // at least some 20
  std::uint64_t accounts = 0;  // at least 2; they pay one another
  std::uint64_t watched = 0;   // entries that touch the account `watched_key`, spread evenly
  SecretKey watched_key = SecretKey::generate();
};

// `url` is the server role's, of an empty ledger.
void grow(const std::string& url, const codec::GenesisParameters& genesis, const SecretKey& gateway,
          const Growth& growth);

}  // namespace windlass::bench
