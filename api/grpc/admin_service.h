// windlass.v1.Admin: what holders of a role do and read.
#pragma once

#include <windlass/v1/admin.grpc.pb.h>

#include "api/grpc/ledger_service.h"

namespace windlass::api {

class AdminService final : public v1::Admin::CallbackService {
 public:
  AdminService(Submitter& submitter, Queries& queries, Pool& pool)
      : submitter_(submitter), queries_(queries), pool_(pool) {}
  grpc::ServerUnaryReactor* Execute(grpc::CallbackServerContext* context, const v1::SubmitRequest* request,
                                    v1::SubmitResponse* response) override;
  grpc::ServerUnaryReactor* ListOpenWithdrawals(grpc::CallbackServerContext* context,
                                                const v1::SignedRequest* request,
                                                v1::ListOpenWithdrawalsResponse* response) override;
  grpc::ServerUnaryReactor* ListExchangeChannels(grpc::CallbackServerContext* context,
                                                 const v1::SignedRequest* request,
                                                 v1::ListExchangeChannelsResponse* response) override;
  grpc::ServerUnaryReactor* ListCredits(grpc::CallbackServerContext* context,
                                        const v1::SignedRequest* request,
                                        v1::ListCreditsResponse* response) override;
  grpc::ServerUnaryReactor* ListUnassignedDeposits(grpc::CallbackServerContext* context,
                                                   const v1::SignedRequest* request,
                                                   v1::ListUnassignedDepositsResponse* response) override;

 private:
  // What is asked for, where whoever signed it holds `role`.
  Answered<v1::ListRequest> open(const v1::SignedRequest& request, std::string_view method, core::Role role);

  Submitter& submitter_;
  Queries& queries_;
  Pool& pool_;
};

}  // namespace windlass::api
