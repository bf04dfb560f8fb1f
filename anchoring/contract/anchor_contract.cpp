#include "anchoring/contract/anchor_contract.h"

#include <cstdlib>

namespace windlass::tron::anchor_contract {
namespace {

using abi::selector;
using abi::word;

constexpr std::size_t size_padding = abi::word_bytes - sizeof(std::uint64_t);
constexpr std::string_view anchor_signature = "anchor(uint64,bytes32)";
constexpr std::string_view anchored_signature = "Anchored(uint64,bytes32)";

// Two words: the size, padded with zeros, and the root.
std::optional<Anchored> read_words(ByteView words) {
  if (words.size() != 2 * abi::word_bytes) return std::nullopt;
  if (words.substr(0, size_padding).find_first_not_of('\0') != ByteView::npos) return std::nullopt;
  ByteReader reader(words.substr(size_padding));
  Anchored anchored;
  anchored.size = reader.be<std::uint64_t>();
  anchored.root = *to_array<32>(words.substr(abi::word_bytes));
  return anchored;
}

}  // namespace

const std::string& creation_code() {
  static const std::string code = *from_hex(embedded::bytecode_hex);
  return code;
}

const std::string& runtime_code() {
  static const std::string code = *from_hex(embedded::runtime_hex);
  return code;
}

Hash code_hash() {
  return *to_array<32>(*from_hex(embedded::code_hash_hex));
}

std::int64_t energy(std::string_view way) {
  for (const auto& [name, cost] : embedded::energy)
    if (name == way) return cost;
  std::abort();  // a misspelt name
}

std::string anchor_call(std::uint64_t size, const Hash& root) {
  return selector(anchor_signature) + word(size) + std::string(view(root));
}

std::string transfer_call(const Address& to) {
  return selector("transferOwnership(address)") + word(to);
}

std::string accept_call() {
  return selector("acceptOwnership()");
}

std::optional<Anchored> read_anchor_call(ByteView data) {
  if (!data.starts_with(selector(anchor_signature))) return std::nullopt;
  return read_words(data.substr(abi::selector_bytes));
}

std::optional<Anchored> read_anchored(const ContractLog& log, const Address& contract) {
  if (log.address != contract || log.topics.size() != 1) return std::nullopt;
  if (log.topics.front() != abi::topic(anchored_signature)) return std::nullopt;
  return read_words(log.data);
}

std::string_view revert_reason(ByteView returned) {
  for (std::string_view error : {"NotOwner()", "NotPendingOwner()"})
    if (returned == selector(error)) return error;
  return {};
}

}  // namespace windlass::tron::anchor_contract
