#include "crypto/tron_address.h"

#include <algorithm>

namespace windlass {

TronAddress tron_address(const PublicKey& key) {
  Hash hash = keccak256(view(uncompress_key(key)).substr(1));
  TronAddress address;
  address[0] = 0x41;
  std::copy(hash.begin() + 12, hash.end(), address.begin() + 1);
  return address;
}

}  // namespace windlass
