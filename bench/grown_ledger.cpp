#include "bench/grown_ledger.h"

#include <chrono>

#include "ledger/journal/journal.h"

namespace windlass::bench {
namespace {

constexpr std::size_t entries_of_a_commit = 10'000;
constexpr core::AssetId asset{1};
constexpr core::Amount wealth = 1'000'000'000;  // of each account
constexpr std::size_t compact_signature_bytes = 64;

class Grower {
 public:
  Grower(const std::string& url, const SecretKey& gateway) : writer_(url), flusher_(url), gateway_(gateway) {
    core::require(writer_.try_acquire());
  }

  void add(const codec::Decoded& decoded) {
    auto outcome = core::apply(state_, decoded.command, now_us_);
    core::require(outcome.accepted());
    batch_.push_back(codec::seal_entry(state_, decoded.command, std::move(outcome), decoded.envelope.encode(),
                                       now_us_, random_array<32>()));
    if (batch_.size() == entries_of_a_commit) commit();
  }
  // As `who` would have sent it.
  void add(const core::Key& who, core::Body body) {
    core::Command command{who, ++nonce_, now_us_ + core::hour_us, std::move(body)};
    codec::Envelope envelope{codec::encode_command(command), {signer(who)}};
    add({.command = std::move(command), .envelope = std::move(envelope)});
  }
  void credit(const core::Key& owner, core::Amount amount) {
    core::Command command{
        gateway_.public_key(), ++nonce_, now_us_ + core::hour_us,
        core::Credit{asset, static_cast<core::ChainAmount>(amount), owner, 1, {nonce_, 0, 0}}};
    codec::Envelope envelope{codec::encode_credit(command, std::string(32, 't'), std::string(21, 's')),
                             {signer(gateway_.public_key())}};
    add({.command = std::move(command), .envelope = std::move(envelope)});
  }

  // The rows as of the last entry, so that the server has nothing to replay.
  void finish(const std::vector<core::Key>& keys) {
    commit();
    journal::Flush flush{.globals = state_.globals};
    for (const auto& key : keys) flush.keys.push_back(*state_.key_entry(key));
    for (std::uint64_t i = 0; i < state_.globals.accounts; ++i) flush.accounts.push_back(state_.account({i}));
    flusher_.write(writer_.epoch(), flush);
  }

 private:
  static codec::Signed signer(const core::Key& key) {
    auto half = random_array<32>();
    return {std::string(view(key)), std::string(view(half)).append(compact_signature_bytes - 32, '\x01')};
  }
  void commit() {
    if (!batch_.empty()) writer_.commit(batch_);
    batch_.clear();
  }

  journal::WriterSession writer_;
  journal::FlushSession flusher_;
  const SecretKey& gateway_;
  core::State state_{true};
  std::vector<codec::Entry> batch_;
  std::uint64_t nonce_ = 0;
  core::TimeUs now_us_ = std::chrono::duration_cast<std::chrono::microseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
};

}  // namespace

void grow(const std::string& url, const codec::GenesisParameters& genesis, const SecretKey& gateway,
          const Growth& growth) {
  Grower grower(url, gateway);
  grower.add(codec::make_genesis(genesis));
  std::vector<core::Key> keys{growth.watched_key.public_key()};
  while (keys.size() < growth.accounts) keys.push_back(SecretKey::generate().public_key());
  for (const auto& key : keys) grower.credit(key, wealth);

  std::uint64_t transfers = growth.entries - keys.size() - 1;
  std::uint64_t every = growth.watched > 0 ? transfers / growth.watched : transfers + 1;
  for (std::uint64_t i = 0; i < transfers; ++i) {
    bool is_watched = every > 0 && i % every == every - 1;
    const auto& payer = is_watched ? keys[0] : keys[1 + i % (keys.size() - 1)];
    const auto& payee = keys[1 + (i * 7 + 1) % (keys.size() - 1)];
    if (payer == payee) continue;
    grower.add(payer, core::Transfer{asset, payee, 1});
  }
  keys.push_back(genesis.genesis.operator_key);
  keys.push_back(gateway.public_key());
  grower.finish(keys);
}

}  // namespace windlass::bench
