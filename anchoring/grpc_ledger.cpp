#include "anchoring/grpc_ledger.h"

#include <btfs/ledger.grpc.pb.h>
#include <fmt/format.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/grpcpp.h>
#include <windlass/v1/admin.grpc.pb.h>
#include <windlass/v1/log.grpc.pb.h>
#include <windlass/v1/query.grpc.pb.h>

#include <fstream>
#include <iterator>

#include "ledger/codec/btfs.h"

namespace windlass::anchoring {
namespace {

namespace pb = windlass::v1;
using tl::unexpected;

constexpr std::uint32_t queue_page = 1'000;
constexpr std::uint32_t exchange_channels_page = 100, credits_page = 1'000;
constexpr core::TimeUs list_request_life_us = 60 * core::second_us;

std::shared_ptr<grpc::ChannelCredentials> credentials(const GrpcLedgerOptions& options) {
  if (options.ca_file.empty()) return grpc::InsecureChannelCredentials();
  std::ifstream file(options.ca_file);
  std::string roots{std::istreambuf_iterator<char>(file), {}};
  if (roots.empty()) throw std::runtime_error(options.ca_file + ": cannot read certificates (PEM) from it");
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = std::move(roots);
  return grpc::SslCredentials(ssl);
}

// The ledger's own code for a refusal; empty when the status carries none.
std::string reason_of(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return {};
  for (const auto& detail : details.details()) {
    google::rpc::ErrorInfo info;
    if (detail.Is<google::rpc::ErrorInfo>() && detail.UnpackTo(&info) && info.domain() == "windlass")
      return info.reason();
  }
  return {};
}

// Only what the ledger itself gives a final reason for was refused; anything else says nothing of what
// happened.
bool may_retry(const std::string& reason) {
  auto error = core::error_of(reason);
  return !error || core::info(*error).transient;
}

std::optional<core::Kind> kind_of(std::uint32_t number) {
  if (number > static_cast<std::uint32_t>(core::last_kind)) return std::nullopt;
  return static_cast<core::Kind>(number);
}

core::Asset asset_of(const pb::Asset& in) {
  return {core::AssetId{in.number()},
          in.symbol(),
          in.chain(),
          in.token(),
          in.decimals(),
          in.chain_units(),
          in.minimum_first_credit(),
          in.minimum_channel(),
          in.maximum_daily_credit()};
}

std::optional<core::AssetTotals> totals_of(const pb::AssetTotals& in) {
  core::AssetTotals totals{core::AssetId{in.asset()}, in.available(), in.locked(), in.held(),
                           in.unassigned()};
  auto dust = codec::chain_amount(in.dust()), credited = codec::chain_amount(in.credited()),
       paid = codec::chain_amount(in.paid()), chain_fees = codec::chain_amount(in.chain_fees());
  if (!dust || !credited || !paid || !chain_fees) return std::nullopt;
  totals.dust = *dust;
  totals.credited = *credited;
  totals.paid = *paid;
  totals.chain_fees = *chain_fees;
  return totals;
}

}  // namespace

class GrpcLedger::Impl {
 public:
  explicit Impl(GrpcLedgerOptions options)
      : options_(std::move(options)),
        channel_(grpc::CreateCustomChannel(options_.address, credentials(options_), arguments())),
        query_(pb::Query::NewStub(channel_)),
        log_(pb::Log::NewStub(channel_)),
        admin_(pb::Admin::NewStub(channel_)),
        channels_(ledger::Channels::NewStub(channel_)) {}

  // `method` is a pointer to the stub's blocking call.
  template <typename Response, typename Stub, typename Method, typename Request>
  LedgerResult<Response> call(const char* name, const std::unique_ptr<Stub>& stub, Method method,
                              const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + options_.deadline);
    Response response;
    grpc::Status status = ((*stub).*method)(&context, request, &response);
    if (status.ok()) return response;
    std::string reason = reason_of(status);
    bool retry = may_retry(reason);
    return unexpected(
        LedgerError{retry, std::move(reason),
                    fmt::format("ledger {} {}: {}", options_.address, name, status.error_message())});
  }

  unexpected<LedgerError> bad_answer(const char* name, std::string_view what) const {
    return unexpected(LedgerError{true, "", fmt::format("ledger {} {}: {}", options_.address, name, what)});
  }

  LedgerResult<LedgerInfo> info() {
    auto answer =
        call<pb::LedgerInfo>("GetLedger", query_, &pb::Query::Stub::GetLedger, pb::GetLedgerRequest());
    if (!answer) return unexpected(answer.error());
    auto key = log::VerifierKey::parse(answer->log_vkey());
    if (!key || answer->signing_tag().empty() || answer->origin().empty())
      return bad_answer("GetLedger", "origin, signing tag or log key is missing or malformed");
    if (tag_.empty()) {
      tag_ = answer->signing_tag();
      log_key_ = answer->log_vkey();
    }
    if (tag_ != answer->signing_tag() || log_key_ != answer->log_vkey())
      return bad_answer("GetLedger", "this is another ledger than before; restart to work for it");
    return LedgerInfo{codec::SigningTag(tag_),
                      answer->origin(),
                      *key,
                      tron::address_from_bytes(answer->custody_address()),
                      answer->size(),
                      tron::address_from_bytes(answer->anchor_contract())};
  }

  LedgerResult<core::Sequence> execute(const codec::Envelope& envelope) {
    pb::SubmitRequest request;
    request.mutable_command()->set_command(envelope.command);
    for (const auto& signer : envelope.signers) {
      auto& signature = *request.mutable_command()->add_signatures();
      signature.set_key(signer.key);
      signature.set_signature(signer.signature);
    }
    auto answer = call<pb::SubmitResponse>("Execute", admin_, &pb::Admin::Stub::Execute, request);
    if (!answer) return unexpected(answer.error());
    if (!answer->has_accepted()) return bad_answer("Execute", "neither accepted nor refused");
    return core::Sequence{answer->accepted().sequence()};
  }

  LedgerResult<EntryInfo> entry(core::Sequence sequence) {
    pb::GetEntryRequest request;
    request.set_sequence(sequence.value);
    auto answer = call<pb::Entry>("GetEntry", query_, &pb::Query::Stub::GetEntry, request);
    if (!answer) return unexpected(answer.error());
    auto kind = kind_of(answer->kind());
    if (!kind || answer->sequence() != sequence.value)
      return bad_answer("GetEntry", "another entry, or an unknown kind");
    return EntryInfo{*kind, answer->time_us()};
  }

  LedgerResult<std::vector<core::Asset>> assets() {
    auto answer = call<pb::ListAssetsResponse>("ListAssets", query_, &pb::Query::Stub::ListAssets,
                                               pb::ListAssetsRequest());
    if (!answer) return unexpected(answer.error());
    std::vector<core::Asset> assets;
    for (const auto& asset : answer->assets()) assets.push_back(asset_of(asset));
    return assets;
  }

  LedgerResult<std::vector<core::AssetTotals>> totals() {
    auto answer =
        call<pb::GetTotalsResponse>("GetTotals", query_, &pb::Query::Stub::GetTotals, pb::GetTotalsRequest());
    if (!answer) return unexpected(answer.error());
    std::vector<core::AssetTotals> all;
    for (const auto& totals : answer->totals()) {
      auto read = totals_of(totals);
      if (!read) return bad_answer("GetTotals", "an amount is wider than 16 bytes");
      all.push_back(*read);
    }
    return all;
  }

  LedgerResult<std::string> checkpoint(std::uint64_t minimum_size) {
    pb::GetCheckpointRequest request;
    request.set_minimum_size(minimum_size);
    return call<pb::Checkpoint>("GetCheckpoint", log_, &pb::Log::Stub::GetCheckpoint, request)
        .map([](const pb::Checkpoint& checkpoint) { return checkpoint.note(); });
  }

  LedgerResult<log::Proof> consistency_proof(std::uint64_t old_size, std::uint64_t size) {
    pb::GetConsistencyProofRequest request;
    request.set_old_size(old_size);
    request.set_size(size);
    auto answer =
        call<pb::ConsistencyProof>("GetConsistencyProof", log_, &pb::Log::Stub::GetConsistencyProof, request);
    if (!answer) return unexpected(answer.error());
    log::Proof proof;
    for (const auto& node : answer->path()) {
      auto hash = to_array<32>(node);
      if (!hash) return bad_answer("GetConsistencyProof", "a hash is not 32 bytes");
      proof.push_back(*hash);
    }
    return proof;
  }

  LedgerResult<pb::SignedRequest> list_request(const SecretKey& gateway, std::string_view method,
                                               std::uint64_t after, std::uint32_t page_size) {
    auto ledger = info();
    if (!ledger) return unexpected(ledger.error());
    pb::ListRequest asked;
    asked.set_after(after);
    asked.set_page_size(page_size);
    asked.set_expires_us(SystemClock().now_ms() * 1000 + list_request_life_us);
    asked.set_method(std::string(method));
    pb::SignedRequest request;
    request.set_request(asked.SerializeAsString());
    request.mutable_signature()->set_key(std::string(view(gateway.public_key())));
    request.mutable_signature()->set_signature(
        std::string(view(gateway.sign(ledger->tag.digest(request.request())))));
    return request;
  }

  LedgerResult<std::vector<OpenWithdrawal>> open_withdrawals(const SecretKey& gateway,
                                                             core::ChannelId after) {
    auto request = list_request(gateway, "ListOpenWithdrawals", after.value, queue_page);
    if (!request) return unexpected(request.error());
    auto answer = call<pb::ListOpenWithdrawalsResponse>("ListOpenWithdrawals", admin_,
                                                        &pb::Admin::Stub::ListOpenWithdrawals, *request);
    if (!answer) return unexpected(answer.error());
    std::vector<OpenWithdrawal> queue;
    for (const auto& open : answer->withdrawals()) {
      auto destination = tron::address_from_bytes(open.destination());
      if (!destination || open.amount() <= 0)
        return bad_answer("ListOpenWithdrawals", "a destination or an amount is malformed");
      queue.push_back({core::ChannelId{open.id()}, core::AssetId{open.asset()}, open.amount(), open.fee(),
                       *destination, open.approved()});
    }
    return queue;
  }

  // Credits of a chain are in its order: behind those at a later place there is none to be found.
  LedgerResult<std::optional<core::Sequence>> credit_at(const SecretKey& gateway, std::uint32_t chain,
                                                        core::ChainCursor at) {
    for (std::uint64_t below = 0;;) {
      auto request = list_request(gateway, "ListCredits", below, credits_page);
      if (!request) return unexpected(request.error());
      auto answer =
          call<pb::ListCreditsResponse>("ListCredits", admin_, &pb::Admin::Stub::ListCredits, *request);
      if (!answer) return unexpected(answer.error());
      for (const auto& credit : answer->credits()) {
        core::ChainCursor place{credit.block(), credit.transaction(), credit.log()};
        below = credit.sequence();
        if (credit.chain() != chain || place > at) continue;
        if (place == at) return core::Sequence{credit.sequence()};
        return std::nullopt;
      }
      if (answer->credits_size() < static_cast<int>(credits_page)) return std::nullopt;
    }
  }

  LedgerResult<std::map<core::AssetId, core::Amount>> available(const PublicKey& key) {
    auto answer = get_account(key);
    if (!answer) return unexpected(answer.error());
    std::map<core::AssetId, core::Amount> available;
    for (const auto& balance : answer->balances())
      available[core::AssetId{balance.asset()}] = balance.available();
    return available;
  }

  LedgerResult<std::optional<BtfsChannel>> btfs_channel(core::ChannelId id) {
    ledger::ChannelID request;
    request.set_id(static_cast<std::int64_t>(id.value));
    auto answer = call<ledger::ChannelInfo>("GetChannelInfo", channels_,
                                            &ledger::Channels::Stub::GetChannelInfo, request);
    if (!answer && answer.error().reason == core::info(core::Error::unknown_channel).reason)
      return std::nullopt;
    if (!answer) return unexpected(answer.error());
    auto payer = codec::btfs::parse_address(answer->from_account().address().key());
    auto recipient = codec::btfs::parse_address(answer->to_account().address().key());
    if (!payer || !recipient) return bad_answer("GetChannelInfo", "an address is malformed");
    auto from = answer->from_account().balance(), to = answer->to_account().balance();
    bool open = answer->close_sequence() == 0;
    return BtfsChannel{id, *payer, *recipient, from + to, open, open ? 0 : from};
  }

  LedgerResult<std::vector<BtfsChannel>> idle_exchange_channels(const SecretKey& gateway,
                                                                core::TimeUs opened_before_us) {
    auto request = list_request(gateway, "ListExchangeChannels", 0, exchange_channels_page);
    if (!request) return unexpected(request.error());
    auto answer = call<pb::ListExchangeChannelsResponse>("ListExchangeChannels", admin_,
                                                         &pb::Admin::Stub::ListExchangeChannels, *request);
    if (!answer) return unexpected(answer.error());
    std::vector<BtfsChannel> idle;
    for (const auto& channel : answer->channels()) {
      auto payer = compress_key(channel.key());
      if (!payer || channel.amount() <= 0)
        return bad_answer("ListExchangeChannels", "a key or an amount is malformed");
      if (channel.opened_us() < opened_before_us)
        idle.push_back(
            {core::ChannelId{channel.id()}, *payer, gateway.public_key(), channel.amount(), true, 0});
    }
    return idle;
  }

  LedgerResult<void> close_btfs_channel(const std::string& state, const std::string& to_signature) {
    ledger::SignedChannelState request;
    request.set_channel(state);
    request.set_to_signature(to_signature);
    auto answer = call<ledger::ChannelClosed>("CloseChannel", channels_,
                                              &ledger::Channels::Stub::CloseChannel, request);
    if (!answer) return unexpected(answer.error());
    return {};
  }

  LedgerResult<AccountInfo> account(const PublicKey& key) {
    auto answer = get_account(key);
    if (!answer) return unexpected(answer.error());
    auto now = to_array<33>(answer->key());
    if (!now) return bad_answer("GetAccount", "its key is not 33 bytes");
    return AccountInfo{answer->number(), *now};
  }

 private:
  LedgerResult<pb::Account> get_account(const PublicKey& key) {
    pb::GetAccountRequest request;
    request.set_key(std::string(view(key)));
    return call<pb::Account>("GetAccount", query_, &pb::Query::Stub::GetAccount, request);
  }

  static grpc::ChannelArguments arguments() {
    grpc::ChannelArguments arguments;
    // A server that was down for a minute is to be found again within seconds.
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
    return arguments;
  }

  GrpcLedgerOptions options_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::Query::Stub> query_;
  std::unique_ptr<pb::Log::Stub> log_;
  std::unique_ptr<pb::Admin::Stub> admin_;
  std::unique_ptr<ledger::Channels::Stub> channels_;
  std::string tag_, log_key_;
};

GrpcLedger::GrpcLedger(GrpcLedgerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
GrpcLedger::~GrpcLedger() = default;

LedgerResult<LedgerInfo> GrpcLedger::info() {
  return impl_->info();
}
LedgerResult<std::vector<core::Asset>> GrpcLedger::assets() {
  return impl_->assets();
}
LedgerResult<std::vector<core::AssetTotals>> GrpcLedger::totals() {
  return impl_->totals();
}
LedgerResult<EntryInfo> GrpcLedger::entry(core::Sequence sequence) {
  return impl_->entry(sequence);
}
LedgerResult<core::Sequence> GrpcLedger::execute(const codec::Envelope& envelope) {
  return impl_->execute(envelope);
}
LedgerResult<std::string> GrpcLedger::checkpoint(std::uint64_t minimum_size) {
  return impl_->checkpoint(minimum_size);
}
LedgerResult<log::Proof> GrpcLedger::consistency_proof(std::uint64_t old_size, std::uint64_t size) {
  return impl_->consistency_proof(old_size, size);
}
LedgerResult<std::vector<OpenWithdrawal>> GrpcLedger::open_withdrawals(const SecretKey& gateway,
                                                                       core::ChannelId after) {
  return impl_->open_withdrawals(gateway, after);
}
LedgerResult<std::optional<core::Sequence>> GrpcLedger::credit_at(const SecretKey& gateway,
                                                                  std::uint32_t chain, core::ChainCursor at) {
  return impl_->credit_at(gateway, chain, at);
}
LedgerResult<std::map<core::AssetId, core::Amount>> GrpcLedger::available(const PublicKey& key) {
  return impl_->available(key);
}
LedgerResult<AccountInfo> GrpcLedger::account(const PublicKey& key) {
  return impl_->account(key);
}

LedgerResult<std::optional<BtfsChannel>> GrpcLedger::btfs_channel(core::ChannelId id) {
  return impl_->btfs_channel(id);
}
LedgerResult<std::vector<BtfsChannel>> GrpcLedger::idle_exchange_channels(const SecretKey& gateway,
                                                                          core::TimeUs opened_before_us) {
  return impl_->idle_exchange_channels(gateway, opened_before_us);
}
LedgerResult<void> GrpcLedger::close_btfs_channel(const std::string& state, const std::string& to_signature) {
  return impl_->close_btfs_channel(state, to_signature);
}

}  // namespace windlass::anchoring
