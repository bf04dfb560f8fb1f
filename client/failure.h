// What can go wrong for a client, in words for a person and kinds for a program.
#pragma once

#include <map>
#include <string>
#include <tl/expected.hpp>

namespace windlass::client {

struct Failure {
  enum class Kind {
    refused,      // the ledger looked at it and said no
    false_proof,  // something that was to be proven does not hold
    usage,        // it was not asked for properly; nothing was sent
    later,        // unreachable, too slow or overloaded: the same may work later
  };
  Kind kind = Kind::refused;
  std::string message;                          // what was wrong, what would be right
  std::string reason;                           // the ledger's stable code where it gave one
  std::map<std::string, std::string> metadata;  // figures that belong to the reason
};

template <typename T>
using Result = tl::expected<T, Failure>;

inline tl::unexpected<Failure> fail(Failure::Kind kind, std::string message) {
  return tl::unexpected(Failure{kind, std::move(message), {}, {}});
}
inline tl::unexpected<Failure> usage_error(std::string message) {
  return fail(Failure::Kind::usage, std::move(message));
}
inline tl::unexpected<Failure> false_proof(std::string message) {
  return fail(Failure::Kind::false_proof, std::move(message));
}

}  // namespace windlass::client
