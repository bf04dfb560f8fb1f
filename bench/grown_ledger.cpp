#include "bench/grown_ledger.h"

#include <secp256k1.h>

#include <chrono>
#include <cstring>
#include <random>

#include "bench/parallel.h"
#include "ledger/sequencer/log_keeper.h"
#include "ledger/sequencer/worker_thread.h"

namespace windlass::bench {
namespace {

constexpr std::size_t entries_of_a_commit = 10'000;
constexpr std::size_t rows_of_a_flush = 100'000;
constexpr core::TimeUs channels_live_us = 30 * core::day_us;
constexpr std::size_t compact_signature_bytes = 64;
constexpr std::uint64_t keys_of_a_row = 256;

secp256k1_pubkey parsed(const PublicKey& key) {
  secp256k1_pubkey out;
  core::require(secp256k1_ec_pubkey_parse(secp256k1_context_static, &out, key.data(), key.size()) == 1);
  return out;
}

class Grower {
 public:
  Grower(const std::string& url, const SecretKey& gateway, sequencer::LogKeeper& log)
      : url_(url), writer_(url), log_(log), gateway_(gateway.public_key()) {
    core::require(writer_.try_acquire());
  }

  void add(const codec::Decoded& decoded) {
    auto outcome = core::apply(state_, decoded.command, now_us_);
    core::require(outcome.accepted());
    batch_.entries.push_back(codec::make_entry(state_, decoded.command, std::move(outcome),
                                               decoded.envelope.encode(), now_us_, noise()));
    if (batch_.entries.size() == entries_of_a_commit) commit();
  }
  // As `who` would have sent it.
  void add(const core::Key& who, core::Body body) {
    core::Command command{who, ++nonce_, now_us_ + core::hour_us, std::move(body)};
    codec::Envelope envelope{codec::encode_command(command), {signer(who)}};
    add({.command = std::move(command), .envelope = std::move(envelope)});
  }
  void credit(const core::Key& owner) {
    core::Command command{
        gateway_, ++nonce_, now_us_ + core::hour_us,
        core::Credit{asset, static_cast<core::ChainAmount>(wealth), owner, 1, {nonce_, 0, 0}}};
    codec::Envelope envelope{codec::encode_credit(command, std::string(32, 't'), std::string(21, 's')),
                             {signer(gateway_)}};
    add({.command = std::move(command), .envelope = std::move(envelope)});
  }
  void open_channel(const core::Key& payer, const core::Key& recipient) {
    add(payer, core::OpenChannel{asset, recipient, deposit, now_us_ + channels_live_us, payer, {}});
  }

  // The rows as of the last entry, so that the server has nothing to replay.
  void finish(std::vector<core::Key> keys, const Growth& growth) {
    commit();
    committer_.wait_until_idle();
    std::sort(keys.begin(), keys.end());  // their index grows at its end
    write_rows(keys.size(),
               [&](auto& flush, std::size_t i) { flush.keys.push_back(*state_.key_entry(keys[i])); });
    write_rows(state_.globals.accounts,
               [&](auto& flush, std::size_t i) { flush.accounts.push_back(state_.account({i})); });
    write_rows(growth.channels, [&](auto& flush, std::size_t i) {
      flush.channels.push_back(*state_.channels.find(channel_id(growth, i)));
    });
  }

 private:
  codec::Signed signer(const core::Key& key) {
    auto half = noise();
    return {std::string(view(key)), std::string(view(half)).append(compact_signature_bytes - 32, '\x01')};
  }
  Hash noise() {  // nobody guesses at it, so that it need not be OpenSSL's: a tenth of this thread's time
    Hash bytes;
    for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::uint64_t)) {
      std::uint64_t word = noise_();
      std::memcpy(&bytes[i], &word, sizeof(word));
    }
    return bytes;
  }
  template <typename AddRow>
  void write_rows(std::size_t count, AddRow add_row) {
    in_parallel((count + rows_of_a_flush - 1) / rows_of_a_flush,
                [&](std::size_t part) {
                  journal::Flush flush{.globals = state_.globals};
                  std::size_t end = std::min(count, (part + 1) * rows_of_a_flush);
                  for (std::size_t i = part * rows_of_a_flush; i < end; ++i) add_row(flush, i);
                  journal::FlushSession(url_).write(writer_.epoch(), flush);
                },
                1);
  }
  void commit() {
    batch_.next = state_.globals.next;
    committer_.push(std::exchange(batch_, {}));
  }

  const std::string url_;
  journal::WriterSession writer_;
  sequencer::LogKeeper& log_;
  const core::Key gateway_;
  core::State state_{true};
  sequencer::CommittedBatch batch_;
  std::uint64_t nonce_ = 0;
  std::mt19937_64 noise_{std::random_device{}()};
  core::TimeUs now_us_ = std::chrono::duration_cast<std::chrono::microseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
  // One batch is logged and another committed while the next is made.
  sequencer::WorkerThread<sequencer::CommittedBatch> logger_{"logger", 1,
                                                             [this](auto batch) { log_.append(batch); }};
  sequencer::WorkerThread<sequencer::CommittedBatch> committer_{"committer", 1, [this](auto batch) {
                                                                  if (batch.entries.empty()) return;
                                                                  for (auto& entry : batch.entries)
                                                                    codec::seal(entry);
                                                                  writer_.commit(batch.entries);
                                                                  logger_.push(std::move(batch));
                                                                }};
};

}  // namespace

SecretKey secret_key(std::uint64_t account) {
  std::string bytes(view(sha256("windlass/bench/account")).substr(0, sizeof(Hash) - sizeof(account)));
  append_be(bytes, account);
  return *SecretKey::from_bytes(bytes);
}

std::vector<core::Key> public_keys(std::uint64_t accounts) {
  std::vector<core::Key> keys(accounts);
  std::string one(sizeof(Hash) - 1, '\0');
  const secp256k1_pubkey generator = parsed(SecretKey::from_bytes(one + '\1')->public_key());
  in_parallel((accounts + keys_of_a_row - 1) / keys_of_a_row, [&](std::size_t row) {
    std::uint64_t first = row * keys_of_a_row, end = std::min(accounts, first + keys_of_a_row);
    keys[first] = secret_key(first).public_key();
    secp256k1_pubkey last = parsed(keys[first]), next;
    for (std::uint64_t i = first + 1; i < end; ++i, last = next) {
      const secp256k1_pubkey* terms[] = {&last, &generator};
      core::require(secp256k1_ec_pubkey_combine(secp256k1_context_static, &next, terms, 2) == 1);
      std::size_t length = keys[i].size();
      secp256k1_ec_pubkey_serialize(secp256k1_context_static, keys[i].data(), &length, &next,
                                    SECP256K1_EC_COMPRESSED);
    }
  });
  return keys;
}

void grow(const std::string& url, const std::filesystem::path& log_directory, const log::NoteSigner& signer,
          const core::Genesis& genesis, const SecretKey& gateway, const Growth& growth) {
  auto keys = public_keys(growth.accounts);
  journal::Sessions sessions(url);
  sequencer::LogKeeper log(log_directory, signer, sessions);
  log.catch_up({0});
  Grower grower(url, gateway, log);
  grower.add(codec::make_genesis(
      {random_array<32>(), signer.verifier().name, genesis, signer.verifier().text(), "", "", ""}));
  for (const auto& key : keys) grower.credit(key);
  for (std::uint64_t i = 0; i < growth.channels; ++i)
    grower.open_channel(keys[payer_of(growth, i)], keys[recipient_of(growth, i)]);

  std::uint64_t every = growth.watched > 0 ? growth.transfers / growth.watched : growth.transfers + 1;
  for (std::uint64_t i = 0; i < growth.transfers; ++i) {
    bool is_watched = i % every == every - 1;
    std::uint64_t payer = 1 + i % (keys.size() - 1), payee = 1 + (i * 7 + 3) % (keys.size() - 1);
    if (payer == payee) payee = 1 + payer % (keys.size() - 1);
    grower.add(keys[is_watched ? 0 : payer], core::Transfer{asset, keys[is_watched ? payer : payee], 1});
  }
  keys.push_back(genesis.operator_key);
  for (const auto& holder : genesis.roles) keys.push_back(holder.key);
  grower.finish(std::move(keys), growth);
}

}  // namespace windlass::bench
