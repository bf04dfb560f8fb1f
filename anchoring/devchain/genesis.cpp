#include "anchoring/devchain/genesis.h"

#include <fcntl.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "tron/genesis.pb.h"

namespace windlass::devchain {

namespace {

constexpr unsigned max_decimals = 77;  // ten to that fits a uint256
constexpr unsigned all_percent = 100;

// Nothing where the text is no decimal number, or one that is wider than 128 bits.
std::optional<tron::abi::Uint128> from_decimal(std::string_view digits) {
  constexpr auto max = ~tron::abi::Uint128{0};
  if (digits.empty()) return std::nullopt;
  tron::abi::Uint128 amount = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    auto digit = static_cast<tron::abi::Uint128>(c - '0');
    if (amount > (max - digit) / 10) return std::nullopt;
    amount = amount * 10 + digit;
  }
  return amount;
}

tl::expected<GenesisAccount, std::string> parse_contract(const GenesisFile::Contract& given) {
  auto address = tron::address_from_base58(given.address());
  if (!address) return tl::unexpected("genesis: contract \"" + given.address() + "\" has no TRON address");
  std::string place = "genesis: contract " + given.address() + ": ";
  if (given.decimals() > max_decimals || given.fee_percent() > all_percent)
    return tl::unexpected(place + "there are at most 77 decimals, and 100 percent");
  Token token{given.name(), given.symbol(), given.decimals(), {}, {}, given.fee_percent(), given.hides_fee()};
  for (const auto& [holder, text] : given.balances()) {
    auto holds = tron::address_from_base58(holder);
    auto amount = from_decimal(text);
    if (!holds || !amount || token.supply() + *amount < *amount) {
      place.append(holder).append(" has \"").append(text).append("\": ");
      return tl::unexpected(place + "a balance is an address and a decimal number; all are at most 128 bits");
    }
    token.balances[*holds] = *amount;
  }
  return GenesisAccount{*address, 0, {}, std::move(token)};
}

}  // namespace

tl::expected<std::vector<GenesisAccount>, std::string> parse_genesis(const std::string& json) {
  GenesisFile file;
  if (auto status = google::protobuf::util::JsonStringToMessage(json, &file); !status.ok())
    return tl::unexpected("the genesis file is not as it should be: " + status.ToString());
  std::vector<GenesisAccount> accounts;
  for (const auto& given : file.accounts()) {
    auto address = tron::address_from_base58(given.address());
    if (!address)
      return tl::unexpected("genesis: \"" + given.address() + "\" is no TRON address (base58, T...)");
    if (given.balance_sun() < 0)
      return tl::unexpected("genesis: " + given.address() + " has a negative balance");
    GenesisAccount account{*address, given.balance_sun(), {given.tokens().begin(), given.tokens().end()}};
    for (const auto& [token, amount] : account.tokens)
      if (amount < 0 || token.empty() || token.find_first_not_of("0123456789") != std::string::npos)
        return tl::unexpected("genesis: " + given.address() + ": token \"" + token +
                              "\": an id is digits, an amount is not negative");
    accounts.push_back(std::move(account));
  }
  for (const auto& given : file.contracts()) {
    auto contract = parse_contract(given);
    if (!contract) return tl::unexpected(contract.error());
    accounts.push_back(*std::move(contract));
  }
  return accounts;
}

tl::expected<SecretKey, std::string> load_or_make_key(const std::string& path) {
  if (std::ifstream in(path); in) {
    std::string text;
    in >> text;
    auto bytes = from_hex(text);
    auto key = bytes ? SecretKey::from_bytes(*bytes) : std::nullopt;
    if (!key) return tl::unexpected(path + " is no key: 64 hex digits expected");
    return *key;
  }
  SecretKey key = SecretKey::generate();
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  std::string text = to_hex(key.reveal()) + "\n";
  bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  int error = errno;
  if (fd >= 0) ::close(fd);
  if (!written) return tl::unexpected("cannot write " + path + ": " + std::generic_category().message(error));
  return key;
}

}  // namespace windlass::devchain
