#include "api/grpc/admin_service.h"

#include "api/grpc/asking.h"

namespace windlass::api {
namespace {

std::string str(const core::Key& key) {
  return std::string(windlass::view(key));
}

}  // namespace

Answered<v1::ListRequest> AdminService::open(const v1::SignedRequest& request, std::string_view method,
                                             core::Role role) {
  v1::ListRequest asked;
  if (!asked.ParseFromString(request.request()) || asked.method() != method)
    return tl::unexpected(core::Error::bad_field);
  if (asked.expires_us() < now_us()) return tl::unexpected(core::Error::expired);
  auto error = check_role(queries_, request.request(), request.signature(), role, core::Error::missing_role);
  if (error != core::Error::none) return tl::unexpected(error);
  return asked;
}

grpc::ServerUnaryReactor* AdminService::Execute(grpc::CallbackServerContext* context,
                                                const v1::SubmitRequest* request,
                                                v1::SubmitResponse* response) {
  return submit_one(submitter_, context, request, response);
}

grpc::ServerUnaryReactor* AdminService::ListOpenWithdrawals(grpc::CallbackServerContext* context,
                                                            const v1::SignedRequest* request,
                                                            v1::ListOpenWithdrawalsResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    auto asked = open(*request, "ListOpenWithdrawals", core::role_gateway);
    if (!asked) return asked.error();
    auto rows = queries_.open_withdrawals({asked->after()}, asked->page_size());
    if (!rows) return rows.error();
    for (const auto& row : *rows) {
      auto& out = *response->add_withdrawals();
      out.set_id(row.id.value);
      out.set_key(str(row.key));
      out.set_asset(row.asset.value);
      out.set_amount(row.amount);
      out.set_fee(row.fee);
      out.set_destination(row.destination);
      out.set_approved(row.approved);
    }
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* AdminService::ListExchangeChannels(grpc::CallbackServerContext* context,
                                                             const v1::SignedRequest* request,
                                                             v1::ListExchangeChannelsResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    auto asked = open(*request, "ListExchangeChannels", core::role_gateway);
    if (!asked) return asked.error();
    auto gateway = compress_key(request->signature().key());
    if (!gateway) return core::Error::bad_key;
    auto rows = queries_.open_btfs_channels(*gateway, {asked->after()}, asked->page_size());
    if (!rows) return rows.error();
    for (const auto& row : *rows) {
      auto& out = *response->add_channels();
      out.set_id(row.id.value);
      out.set_key(str(row.payer));
      out.set_amount(row.amount);
      out.set_opened_us(row.opened_us);
    }
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* AdminService::ListCredits(grpc::CallbackServerContext* context,
                                                    const v1::SignedRequest* request,
                                                    v1::ListCreditsResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    auto asked = open(*request, "ListCredits", core::role_gateway);
    if (!asked) return asked.error();
    auto credits = queries_.credits({asked->after()}, asked->page_size());
    if (!credits) return credits.error();
    for (const auto& credit : *credits) {
      auto& out = *response->add_credits();
      out.set_sequence(credit.sequence.value);
      out.set_chain(credit.chain);
      out.set_block(credit.at.block);
      out.set_transaction(credit.at.transaction);
      out.set_log(credit.at.log);
    }
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* AdminService::ListUnassignedDeposits(grpc::CallbackServerContext* context,
                                                               const v1::SignedRequest* request,
                                                               v1::ListUnassignedDepositsResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    auto asked = open(*request, "ListUnassignedDeposits", core::role_operator);
    if (!asked) return asked.error();
    auto rows = queries_.unassigned_deposits({asked->after()}, asked->page_size());
    if (!rows) return rows.error();
    for (const auto& row : *rows) {
      auto& out = *response->add_deposits();
      out.set_sequence(row.sequence.value);
      out.set_asset(row.asset.value);
      out.set_amount(row.amount);
      out.set_transaction_id(row.transaction_id);
      out.set_source(row.source);
    }
    return core::Error::none;
  });
}

}  // namespace windlass::api
