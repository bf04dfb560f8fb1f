// The anchor contract (WindlassAnchor.sol) as clients of the chain see it: its code, what is sent to it, and
// what it emits. WindlassAnchor.json, which the build embeds, is made from the source by
// tests/compat/test_contract.py.
#pragma once

#include "anchoring/tron/abi.h"
#include "anchoring/tron/chain.h"

namespace windlass::tron::anchor_contract {

// What a deployment carries: it leaves runtime_code() at the new address.
const std::string& creation_code();
const std::string& runtime_code();
// Keccak-256 of runtime_code(), which nodes name as code_hash.
Hash code_hash();

// The energy of one way through the contract, by its name in WindlassAnchor.json, which must be there.
std::int64_t energy(std::string_view way);

// anchor(size, root): 68 bytes of call data.
std::string anchor_call(std::uint64_t size, const Hash& root);
// transferOwnership(to) and acceptOwnership().
std::string transfer_call(const Address& to);
std::string accept_call();

struct Anchored {
  std::uint64_t size = 0;
  Hash root{};
  bool operator==(const Anchored&) const = default;
};
// What call data asks to be anchored; nothing when it is not exactly such a call.
std::optional<Anchored> read_anchor_call(ByteView data);
// The event Anchored(uint64 size, bytes32 root) of that contract; nothing when the log is another.
std::optional<Anchored> read_anchored(const ContractLog& log, const Address& contract);

// NotOwner(), NotPendingOwner() or an empty text of what a reverted call returned.
std::string_view revert_reason(ByteView returned);

// What the build embeds.
namespace embedded {
extern const std::string_view bytecode_hex, runtime_hex, code_hash_hex;
extern const std::vector<std::pair<std::string_view, std::int64_t>> energy;
}  // namespace embedded

}  // namespace windlass::tron::anchor_contract
