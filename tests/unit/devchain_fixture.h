// A devchain with a clock that a test turns, and accounts that it can pay from.
#pragma once

#include "anchoring/devchain/devchain.h"
#include "anchoring/tron/transaction.h"

namespace windlass::devchain {

class TestClock final : public Clock {
 public:
  explicit TestClock(std::int64_t start_ms) : now_ms_(start_ms) {}
  std::int64_t now_ms() const override { return now_ms_; }
  void set(std::int64_t now_ms) { now_ms_ = now_ms; }
  void advance(std::int64_t by_ms) { now_ms_ += by_ms; }

 private:
  std::int64_t now_ms_;
};

inline tron::Address address_of(const SecretKey& key) {
  return tron::address_of(key.public_key());
}

// Signed over the newest block, valid for five minutes.
inline tron::SignedTransaction pay(const DevChain& chain, const SecretKey& from, const tron::Address& to,
                                   std::int64_t amount, std::string token = {}, std::string memo = {}) {
  tron::TransactionFrame frame;
  frame.reference = chain.head().ref;
  frame.timestamp_ms = chain.head().ref.timestamp_ms;
  frame.expiration_ms = chain.head().ref.timestamp_ms + 300'000;
  frame.memo = std::move(memo);
  return tron::sign_transfer({address_of(from), to, amount, std::move(token)}, frame, from);
}

}  // namespace windlass::devchain
