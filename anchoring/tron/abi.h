// The ABI of contracts, as far as Windlass speaks it: selectors, and 32-byte words of addresses and amounts.
#pragma once

#include "anchoring/tron/address.h"

namespace windlass::tron::abi {

constexpr std::size_t selector_bytes = 4, word_bytes = 32;
constexpr std::size_t address_padding = 12;  // zeros before the 20 bytes of an address

__extension__ typedef unsigned __int128 Uint128;

// The first four bytes of a call, and of what a refused one returns.
std::string selector(std::string_view signature);
// The first topic of an event's logs.
std::string topic(std::string_view signature);

std::string word(Uint128 value);
std::string word(const Address& address);

// Nothing where the word is no address: 32 bytes, of which the first 12 are zero.
std::optional<Address> read_address(ByteView word);
// Nothing where the word is no uint256, or one that is wider than 128 bits.
std::optional<Uint128> read_amount(ByteView word);

}  // namespace windlass::tron::abi
