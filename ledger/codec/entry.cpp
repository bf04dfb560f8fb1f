#include "ledger/codec/entry.h"

#include "crypto/tron_address.h"

namespace windlass::codec {
namespace {

constexpr std::uint8_t leaf_version = 1;
constexpr std::uint8_t account_leaf_version = 1;
enum PostingType : std::uint8_t { account_type = 1, channel_type = 2, closing_type = 3 };

struct PostingEncoder {
  std::string& out;
  void account(std::uint8_t type, const core::AccountPosting& p) const {
    append_be(out, type);
    append_be(out, p.account.value);
    append_be(out, p.after.asset.value);
    append_be(out, p.after.available);
    append_be(out, p.after.locked);
    append_be(out, p.after.held);
    append_be(out, p.previous.value);
  }
  void operator()(const core::AccountPosting& p) const { account(account_type, p); }
  void operator()(const core::ClosingPosting& p) const {
    account(closing_type, p.payer);
    append_be(out, p.channel.value);
    out += view(p.history);
  }
  void operator()(const core::ChannelPosting& p) const {
    append_be(out, std::uint8_t{channel_type});
    append_be(out, p.channel.value);
    append_be(out, p.deposit);
    append_be(out, p.claimed);
    append_be(out, p.previous.value);
  }
};

core::AccountPosting read_account(ByteReader& in) {
  core::AccountPosting p;
  p.account.value = in.be<std::uint64_t>();
  p.after.asset.value = in.be<std::uint32_t>();
  p.after.available = in.be<std::int64_t>();
  p.after.locked = in.be<std::int64_t>();
  p.after.held = in.be<std::int64_t>();
  p.previous.value = in.be<std::uint64_t>();
  return p;
}

std::optional<core::Posting> read_posting(ByteReader& in) {
  std::optional<core::Posting> posting;
  switch (in.be<std::uint8_t>()) {
    case account_type:
      posting = read_account(in);
      break;
    case closing_type: {
      core::ClosingPosting p{read_account(in), {}, {}};
      p.channel.value = in.be<std::uint64_t>();
      p.history = in.array<32>();
      posting = p;
      break;
    }
    case channel_type: {
      core::ChannelPosting p;
      p.channel.value = in.be<std::uint64_t>();
      p.deposit = in.be<std::int64_t>();
      p.claimed = in.be<std::int64_t>();
      p.previous.value = in.be<std::uint64_t>();
      posting = p;
      break;
    }
    default:
      return std::nullopt;
  }
  if (in.failed()) return std::nullopt;
  return posting;
}

// The channel's posting comes last, but a closing posting before it carries the history that it completes: so
// the channel's history is extended first.
void complete_history(core::State& state, core::Sequence sequence, std::vector<core::Posting>& postings,
                      const Secret& secret) {
  if (postings.empty()) return;
  const auto* last = std::get_if<core::ChannelPosting>(&postings.back());
  if (!last) return;
  Hash leaf =
      posting_leaf_hash(salt(secret, static_cast<std::uint32_t>(postings.size())), encode_posting(*last));
  core::Channel& channel = state.channels.change(last->channel);
  channel.history = extend_history(channel.history, sequence, leaf);
  for (auto& posting : postings)
    if (auto* closing = std::get_if<core::ClosingPosting>(&posting)) closing->history = channel.history;
}

}  // namespace

std::string Leaf::encode() const {
  std::string out;
  out.reserve(leaf_bytes);
  append_be(out, leaf_version);
  append_be(out, sequence.value);
  append_be(out, time_us);
  append_be(out, static_cast<std::uint16_t>(kind));
  out += view(envelope_hash);
  out += view(postings_root);
  return out;
}

std::optional<Leaf> Leaf::decode(ByteView bytes) {
  ByteReader in(bytes);
  if (in.be<std::uint8_t>() != leaf_version) return std::nullopt;
  Leaf leaf;
  leaf.sequence.value = in.be<std::uint64_t>();
  leaf.time_us = in.be<std::int64_t>();
  leaf.kind = static_cast<core::Kind>(in.be<std::uint16_t>());
  leaf.envelope_hash = in.array<32>();
  leaf.postings_root = in.array<32>();
  if (!in.done()) return std::nullopt;
  return leaf;
}

Salt salt(const Secret& secret, std::uint32_t index) {
  char raw[4] = {static_cast<char>(index >> 24), static_cast<char>(index >> 16),
                 static_cast<char>(index >> 8), static_cast<char>(index)};
  return sha256({view(secret), ByteView(raw, sizeof raw)});
}

std::string encode_posting(const core::Posting& posting) {
  std::string out;
  out.reserve(closing_posting_bytes);
  std::visit(PostingEncoder{out}, posting);
  return out;
}

std::optional<core::Posting> decode_posting(ByteView bytes) {
  ByteReader in(bytes);
  auto posting = read_posting(in);
  if (!in.done()) return std::nullopt;
  return posting;
}

std::string encode_postings(const std::vector<core::Posting>& postings) {
  std::string out;
  out.reserve(postings.size() * account_posting_bytes + closing_posting_bytes);
  for (const auto& posting : postings) std::visit(PostingEncoder{out}, posting);
  return out;
}

std::optional<std::vector<core::Posting>> decode_postings(ByteView bytes) {
  ByteReader in(bytes);
  std::vector<core::Posting> postings;
  while (!in.done()) {
    auto posting = read_posting(in);
    if (!posting) return std::nullopt;
    postings.push_back(*posting);
  }
  return postings;
}

core::Sequence previous_of(const core::Posting& posting) {
  struct Previous {
    core::Sequence operator()(const core::AccountPosting& p) const { return p.previous; }
    core::Sequence operator()(const core::ClosingPosting& p) const { return p.payer.previous; }
    core::Sequence operator()(const core::ChannelPosting& p) const { return p.previous; }
  };
  return std::visit(Previous{}, posting);
}

Hash posting_leaf_hash(const Salt& salt, ByteView posting) {
  return sha256({ByteView("\0", 1), view(salt), posting});
}

Hash extend_history(const Hash& old, core::Sequence sequence, const Hash& posting_leaf) {
  std::string number;
  append_be(number, sequence.value);
  return sha256({view(old), number, view(posting_leaf)});
}

std::int64_t link_of(core::AccountNumber account) {
  return -2 * static_cast<std::int64_t>(account.value) - 2;
}
std::int64_t link_of(core::ChannelId channel) {
  return -2 * static_cast<std::int64_t>(channel.value) - 3;
}

std::vector<std::int64_t> links_of(const std::vector<core::Posting>& postings) {
  std::vector<std::int64_t> links;
  links.reserve(postings.size() * 2);
  auto add = [&](std::int64_t who, core::Sequence previous) {
    // Two assets of one account share their link.
    if (links.size() >= 2 && links[links.size() - 2] == who) return;
    links.push_back(who);
    links.push_back(static_cast<std::int64_t>(previous.value));
  };
  for (const auto& posting : postings) {
    if (const auto* account = std::get_if<core::AccountPosting>(&posting))
      add(link_of(account->account), account->previous);
    if (const auto* closing = std::get_if<core::ClosingPosting>(&posting))
      add(link_of(closing->payer.account), closing->payer.previous);
    if (const auto* channel = std::get_if<core::ChannelPosting>(&posting))
      add(link_of(channel->channel), channel->previous);
  }
  return links;
}

std::vector<Hash> posting_leaf_hashes(const std::vector<core::Posting>& postings, const Secret& secret) {
  std::vector<Hash> leaves;
  leaves.reserve(2 * postings.size());  // for the tree above them
  std::string bytes;
  for (std::size_t i = 0; i < postings.size(); ++i) {
    bytes.clear();
    std::visit(PostingEncoder{bytes}, postings[i]);
    leaves.push_back(posting_leaf_hash(salt(secret, static_cast<std::uint32_t>(i + 1)), bytes));
  }
  return leaves;
}

Entry make_entry(core::State& state, const core::Command& command, core::Outcome outcome,
                 std::string envelope, core::TimeUs time_us, const Secret& secret) {
  core::require(outcome.accepted() && outcome.postings.size() <= max_postings);
  complete_history(state, outcome.sequence, outcome.postings, secret);
  return {outcome.sequence,    time_us, command.kind(),
          std::move(envelope), secret,  std::move(outcome.postings)};
}

void seal(Entry& entry) {
  entry.posting_tree = log::Tree(posting_leaf_hashes(entry.postings, entry.secret));
  entry.leaf = {entry.sequence, entry.time_us, entry.kind,
                sha256({view(salt(entry.secret, 0)), entry.envelope}), entry.posting_tree.root()};
  entry.leaf_hash = log::leaf_hash(entry.leaf.encode());
}

Entry seal_entry(core::State& state, const core::Command& command, core::Outcome outcome,
                 std::string envelope, core::TimeUs time_us, const Secret& secret) {
  Entry entry = make_entry(state, command, std::move(outcome), std::move(envelope), time_us, secret);
  seal(entry);
  return entry;
}

std::string AccountLeaf::encode() const {
  std::string out;
  out.reserve(account_leaf_bytes);
  append_be(out, account_leaf_version);
  out += view(key);
  out += view(address);
  out += view(balances_root);
  append_be(out, last.value);
  for (const Hash* hash : {&nonces_hash, &channels_root, &extra, &history}) out += view(*hash);
  return out;
}

std::optional<AccountLeaf> AccountLeaf::decode(ByteView bytes) {
  ByteReader in(bytes);
  if (in.be<std::uint8_t>() != account_leaf_version) return std::nullopt;
  AccountLeaf leaf;
  leaf.key = in.array<33>();
  leaf.address = in.array<21>();
  leaf.balances_root = in.array<32>();
  leaf.last.value = in.be<std::uint64_t>();
  for (Hash* hash : {&leaf.nonces_hash, &leaf.channels_root, &leaf.extra, &leaf.history})
    *hash = in.array<32>();
  if (!in.done()) return std::nullopt;
  return leaf;
}

AccountLeaf make_account_leaf(const core::Account& account, std::vector<const core::Channel*> open_channels,
                              const Hash& history) {
  return {.key = account.key,
          .address = tron_address(account.key),
          .balances_root = balances_root(account),
          .last = account.last,
          .nonces_hash = nonces_hash(account),
          .channels_root = channels_root(std::move(open_channels)),
          .extra = account.refuses_btfs ? sha256(ByteView("\x01", 1)) : Hash{},
          .history = history};
}

Hash balances_root(const core::Account& account) {
  std::vector<Hash> leaves;
  for (const auto& b : account.balances) {
    if (b.available == 0 && b.locked == 0 && b.held == 0) continue;
    std::string row;
    append_be(row, b.asset.value);
    append_be(row, b.available);
    append_be(row, b.locked);
    append_be(row, b.held);
    leaves.push_back(log::leaf_hash(row));
  }
  return log::root_of(leaves);
}

Hash nonces_hash(const core::Account& account) {
  std::string pairs;
  for (const auto& use : account.nonces) {
    append_be(pairs, use.nonce);
    append_be(pairs, use.sequence.value);
  }
  return sha256(pairs);
}

Hash channels_root(std::vector<const core::Channel*> open) {
  std::sort(open.begin(), open.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  std::vector<Hash> leaves;
  for (const auto* channel : open) {
    std::string row;
    append_be(row, channel->id.value);
    append_be(row, channel->deposit);
    append_be(row, channel->claimed);
    append_be(row, channel->last.value);
    row += view(channel->history);
    leaves.push_back(log::leaf_hash(row));
  }
  return log::root_of(leaves);
}

}  // namespace windlass::codec
