// A ledger of a few entries in memory, shown to clients as a server would show it.
#pragma once

#include <functional>

#include "anchoring/tron/transaction.h"
#include "client/verify.h"
#include "ledger/codec/balance_tree.h"
#include "ledger/codec/liabilities.h"
#include "ledger/codec/replay.h"

namespace windlass::client {

class TinyLedger {
 public:
  static constexpr core::TimeUs day_one = 1'700'000'000'000'000;

  TinyLedger()
      : signer_("test.example/tiny", Ed25519SecretKey::generate()),
        payer(SecretKey::generate()),
        recipient(SecretKey::generate()),
        anchor_key(SecretKey::generate()) {
    auto genesis = codec::make_genesis({Hash{1},
                                        signer_.verifier().name,
                                        {payer.public_key(),
                                         {{payer.public_key(), core::role_gateway}},
                                         {{core::AssetId{1}, "BTT", 1, "1002000", 6, 1, 0, 0}}},
                                        signer_.verifier().text(),
                                        std::string(view(anchor_address().bytes)),
                                        "",
                                        ""});
    add(genesis.command, genesis.envelope);
    tag_.emplace(signer_.verifier().name, entries_[0].leaf_hash);
  }

  // Applies what must be accepted; the entry's sequence.
  std::uint64_t apply(const SecretKey& key, const core::Body& body) {
    core::Command command{key.public_key(), ++nonce_, day_one + core::hour_us, body};
    auto envelope = codec::sign(codec::encode_command(command), *tag_, {&key});
    return add(codec::decode_stored(envelope.encode())->command, envelope);
  }
  // What historical clients signed.
  std::uint64_t apply(const codec::Decoded& wrapped) { return add(wrapped.command, wrapped.envelope); }
  std::uint64_t credit(const SecretKey& owner, core::Amount amount) {
    core::Credit credit{
        core::AssetId{1}, static_cast<core::ChainAmount>(amount), owner.public_key(), 1, {++nonce_, 0, 0}};
    core::Command command{payer.public_key(), ++nonce_, day_one + core::hour_us, credit};
    auto envelope = codec::sign(codec::encode_credit(command, std::string(32, 't'), ""), *tag_, {&payer});
    return add(codec::decode_stored(envelope.encode())->command, envelope);
  }
  // Credit, open, receipt, receipt, top-up, close: the channel's id.
  std::uint64_t play() {
    credit(payer, 1000);
    std::uint64_t channel = apply(
        payer,
        core::OpenChannel{core::AssetId{1}, recipient.public_key(), 100, day_one + core::day_us, {}, {}});
    apply_receipt(channel, 30);
    apply_receipt(channel, 60);
    apply(payer, core::TopUpChannel{core::ChannelId{channel}, 50, 0});
    apply(recipient, core::CloseChannel{core::ChannelId{channel}, {}});
    return channel;
  }
  std::uint64_t apply_receipt(std::uint64_t channel, core::Amount cumulative) {
    core::Command command{payer.public_key(), 0, 0, core::Receipt{core::ChannelId{channel}, cumulative}};
    return add(command, codec::sign(codec::encode_command(command), *tag_, {&payer}));
  }

  // A balance snapshot of all that is there, named by a seal.
  void seal() {
    snapshot_ = {{size() - 1}, tree_.root(state_)};
    account_leaves_.clear();
    for (std::uint64_t i = 0; i < state_.globals.accounts; ++i) account_leaves_.push_back(account_leaf({i}));
    auto newest_private = std::find_if(entries_.rbegin(), entries_.rend(),
                                       [](const auto& entry) { return !codec::is_public(entry.kind); });
    liabilities_secret_ = codec::liabilities_secret({size() - 1}, newest_private->secret);
    assets_ = codec::liabilities_of(state_, liabilities_secret_);
    collect_owed();
    auto made = codec::make_seal(state_.globals, Hash{7}, snapshot_,
                                 {snapshot_.sequence, codec::liabilities_root(assets_)});
    seal_ = add(made.command, made.envelope);
  }
  pb::Statement statement(std::uint64_t account) const {
    std::vector<Hash> hashes;
    for (const auto& leaf : account_leaves_) hashes.push_back(log::leaf_hash(leaf));
    pb::Statement out;
    out.set_snapshot_sequence(snapshot_.sequence.value);
    out.set_snapshot_root(std::string(view(snapshot_.root)));
    out.set_accounts(hashes.size());
    out.set_number(account);
    out.set_leaf(account_leaves_[account]);
    for (const auto& hash : log::Tree(hashes).inclusion(account)) out.add_path(std::string(view(hash)));
    *out.mutable_seal() = show(seal_);
    return out;
  }
  // Of asset 1, as the newest seal names it.
  pb::LiabilityProof liability(std::uint64_t account) const {
    pb::LiabilityProof out;
    out.set_sequence(snapshot_.sequence.value);
    for (const auto& asset : assets_) {
      auto& to = *out.add_assets();
      to.set_asset(asset.asset.value);
      to.set_total(asset.total);
      to.set_root(std::string(view(asset.root)));
    }
    out.set_number(account);
    *out.mutable_seal() = show(seal_);
    if (!owed_.contains(account)) return out;
    std::vector<codec::SumNode> leaves;
    for (auto [number, amount] : owed_)
      for (const auto& leaf :
           codec::liability_leaves(liabilities_secret_, {number}, core::AssetId{1}, amount))
        leaves.push_back(leaf);
    std::sort(leaves.begin(), leaves.end(), [](const auto& a, const auto& b) { return a.hash < b.hash; });
    out.set_secret(
        std::string(view(codec::account_liability_secret(liabilities_secret_, {account}, core::AssetId{1}))));
    for (const auto& leaf :
         codec::liability_leaves(liabilities_secret_, {account}, core::AssetId{1}, owed_.at(account))) {
      auto place = std::find(leaves.begin(), leaves.end(), leaf) - leaves.begin();
      auto& share = *out.add_shares();
      share.set_amount(leaf.sum);
      for (const auto& [sibling, left] : codec::path_of_sums(leaves, static_cast<std::size_t>(place))) {
        auto& step = *share.add_path();
        step.set_hash(std::string(view(sibling.hash)));
        step.set_sum(sibling.sum);
        step.set_left(left);
      }
    }
    return out;
  }
  const std::map<std::uint64_t, core::Amount>& owed() const { return owed_; }  // as of the newest seal
  std::uint64_t seal_sequence() const { return seal_; }

  const codec::Entry& entry(std::uint64_t sequence) const { return entries_[sequence]; }
  std::uint64_t size() const { return entries_.size(); }
  const log::VerifierKey& vkey() const { return signer_.verifier(); }
  tron::Address anchor_address() const { return tron::address_of(anchor_key.public_key()); }

  pb::Entry show(std::uint64_t sequence) const {
    const auto& entry = entries_[sequence];
    pb::Entry out;
    out.set_sequence(sequence);
    out.set_time_us(entry.time_us);
    out.set_kind(static_cast<std::uint32_t>(entry.kind));
    out.set_leaf(entry.leaf.encode());
    out.set_leaf_hash(std::string(view(entry.leaf_hash)));
    for (const auto& posting : postings(entry)) *out.add_postings() = posting;
    out.set_envelope(entry.envelope);
    out.set_envelope_salt(std::string(view(codec::salt(entry.secret, 0))));
    return out;
  }
  // The entries that touch an account or channel, newest first.
  std::vector<pb::Entry> chain(const std::function<bool(const core::Posting&)>& touches) const {
    std::vector<pb::Entry> out;
    for (std::uint64_t i = size(); i-- > 0;)
      if (std::any_of(entries_[i].postings.begin(), entries_[i].postings.end(), touches))
        out.push_back(show(i));
    return out;
  }

  pb::Acknowledgement acknowledge(std::uint64_t sequence) const {
    const auto& entry = entries_[sequence];
    pb::Acknowledgement out;
    out.set_sequence(sequence);
    out.set_time_us(entry.time_us);
    out.set_leaf(entry.leaf.encode());
    out.set_leaf_hash(std::string(view(entry.leaf_hash)));
    for (const auto& posting : postings(entry)) *out.add_postings() = posting;
    // A batch of three from the entry before.
    std::vector<Hash> batch = {entries_[sequence - 1].leaf_hash, entry.leaf_hash,
                               entries_[sequence + 1].leaf_hash};
    log::Promise promise{vkey().name, sequence - 1, 3, log::root_of(batch), entry.time_us};
    out.mutable_promise()->set_note(signer_.sign(promise.text()));
    out.mutable_promise()->set_index(1);
    for (const auto& hash : log::Tree(batch).inclusion(1))
      out.mutable_promise()->add_path(std::string(view(hash)));
    return out;
  }

  log::Checkpoint checkpoint(std::uint64_t size) const {
    return {vkey().name, size, log::root_of(std::span(leaf_hashes_).first(size))};
  }
  std::string checkpoint_note(std::uint64_t size) const { return signer_.sign(checkpoint(size).text()); }
  pb::InclusionProof include(std::uint64_t sequence) const {
    pb::InclusionProof out;
    out.set_sequence(sequence);
    out.set_size(size());
    out.set_leaf(entries_[sequence].leaf.encode());
    out.set_leaf_hash(std::string(view(entries_[sequence].leaf_hash)));
    for (const auto& hash : log::Tree(leaf_hashes_).inclusion(sequence))
      out.add_path(std::string(view(hash)));
    out.set_checkpoint(checkpoint_note(size()));
    return out;
  }

 private:
  log::NoteSigner signer_;

 public:
  const SecretKey payer, recipient, anchor_key;

 private:
  std::uint64_t add(const core::Command& command, const codec::Envelope& envelope) {
    core::TimeUs now = day_one + static_cast<core::TimeUs>(size());
    auto outcome = core::apply(state_, command, now);
    core::require(outcome.accepted());
    entries_.push_back(
        codec::seal_entry(state_, command, std::move(outcome), envelope.encode(), now, random_array<32>()));
    leaf_hashes_.push_back(entries_.back().leaf_hash);
    tree_.follow(state_, entries_.back());
    return entries_.size() - 1;
  }
  std::string account_leaf(core::AccountNumber number) const {
    std::vector<const core::Channel*> open;
    for (std::uint64_t id = 0; id < size(); ++id)
      if (const auto* channel = state_.channels.find({id});
          channel && channel->open && channel->payer == number)
        open.push_back(channel);
    return codec::make_account_leaf(state_.account(number), open, tree_.history(number)).encode();
  }
  void collect_owed() {
    owed_.clear();
    for (std::uint64_t number = 0; number < state_.globals.accounts; ++number) {
      core::Amount claimed = 0;
      for (std::uint64_t id = 0; id < size(); ++id)
        if (const auto* channel = state_.channels.find({id});
            channel && channel->open && channel->payer.value == number)
          claimed += channel->claimed;
      auto amount = codec::owed(state_.account({number}).balance(core::AssetId{1}), claimed);
      if (amount > 0) owed_[number] = amount;
    }
  }
  static std::vector<pb::Posting> postings(const codec::Entry& entry) {
    auto leaves = codec::posting_leaf_hashes(entry.postings, entry.secret);
    std::vector<pb::Posting> out(leaves.size());
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      out[i].set_posting(codec::encode_posting(entry.postings[i]));
      out[i].set_salt(std::string(view(codec::salt(entry.secret, static_cast<std::uint32_t>(i + 1)))));
      out[i].set_index(static_cast<std::uint32_t>(i));
      out[i].set_count(static_cast<std::uint32_t>(leaves.size()));
      for (const auto& hash : log::Tree(leaves).inclusion(i)) out[i].add_path(std::string(view(hash)));
    }
    return out;
  }

  core::State state_{true};
  std::optional<codec::SigningTag> tag_;
  std::uint64_t nonce_ = 0;
  std::vector<codec::Entry> entries_;
  std::vector<Hash> leaf_hashes_;
  codec::BalanceTree tree_;
  codec::SealedSnapshot snapshot_;
  std::vector<std::string> account_leaves_;  // as of it
  std::uint64_t seal_ = 0;
  codec::Secret liabilities_secret_{};
  std::vector<codec::AssetLiabilities> assets_;
  std::map<std::uint64_t, core::Amount> owed_;  // by account, in asset 1
};

// Copies of `message`, each with one scalar somewhere in it changed; `visit` gets the field's name too.
template <typename Message>
void for_each_tampered(const Message& message,
                       const std::function<void(const std::string&, const Message&)>& visit) {
  using google::protobuf::FieldDescriptor;
  // Walks `at` (inside of `copy`), changes one field, shows the whole, and puts it back.
  std::function<void(google::protobuf::Message&, Message&, const std::string&)> walk =
      [&](google::protobuf::Message& at, Message& copy, const std::string& path) {
        const auto& reflection = *at.GetReflection();
        std::vector<const FieldDescriptor*> fields;
        reflection.ListFields(at, &fields);
        for (const auto* field : fields) {
          std::string name = path + field->name();
          int count = field->is_repeated() ? reflection.FieldSize(at, field) : 1;
          for (int i = 0; i < count; ++i) {
            if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
              walk(field->is_repeated() ? *reflection.MutableRepeatedMessage(&at, field, i)
                                        : *reflection.MutableMessage(&at, field),
                   copy, name + ".");
              continue;
            }
            std::unique_ptr<google::protobuf::Message> saved(at.New());
            saved->CopyFrom(at);
            switch (field->cpp_type()) {
              case FieldDescriptor::CPPTYPE_UINT64:
                reflection.SetUInt64(&at, field, reflection.GetUInt64(at, field) + 1);
                break;
              case FieldDescriptor::CPPTYPE_INT64:
                reflection.SetInt64(&at, field, reflection.GetInt64(at, field) + 1);
                break;
              case FieldDescriptor::CPPTYPE_UINT32:
                reflection.SetUInt32(&at, field, reflection.GetUInt32(at, field) + 1);
                break;
              case FieldDescriptor::CPPTYPE_BOOL:
                reflection.SetBool(&at, field, !reflection.GetBool(at, field));
                break;
              case FieldDescriptor::CPPTYPE_STRING: {
                std::string bytes = field->is_repeated() ? reflection.GetRepeatedString(at, field, i)
                                                         : reflection.GetString(at, field);
                bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
                if (field->is_repeated())
                  reflection.SetRepeatedString(&at, field, i, bytes);
                else
                  reflection.SetString(&at, field, bytes);
                break;
              }
              default:
                continue;
            }
            visit(name, copy);
            at.CopyFrom(*saved);
          }
        }
      };
  Message copy = message;
  walk(copy, copy, "");
}

}  // namespace windlass::client
