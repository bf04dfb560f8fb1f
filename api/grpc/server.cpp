#include "api/grpc/server.h"

#include <fmt/format.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include <fstream>
#include <sstream>

#include "api/grpc/admin_service.h"
#include "api/grpc/btfs_services.h"
#include "api/grpc/exchange_service.h"
#include "api/grpc/query_service.h"

namespace windlass::api {
namespace {

constexpr std::size_t query_threads = 8;     // each may hold a database session
constexpr std::size_t waiting_threads = 16;  // calls that wait for a checkpoint
constexpr std::chrono::seconds stop_grace{5};
// Pings keep NATs open; more often than this is abuse.
constexpr int min_ping_interval_ms = 10'000;

std::string read_file(const std::string& name) {
  std::ifstream in(name);
  if (!in) throw std::runtime_error(fmt::format("cannot read {}", name));
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::shared_ptr<grpc::ServerCredentials> credentials(const GrpcOptions& options) {
  if (options.certificate_file.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back({read_file(options.key_file), read_file(options.certificate_file)});
  return grpc::SslServerCredentials(tls);
}

}  // namespace

struct GrpcServer::Impl {
  Impl(const GrpcOptions& options, sequencer::Sequencer& sequencer, sequencer::LogKeeper& log,
       Queries& queries)
      : pool(query_threads, max_waiting_queries),
        waiting(waiting_threads, max_waiting_queries),
        submitter(sequencer, log.signer(), queries, clients, pool, waiting),
        ledger(submitter),
        admin(submitter, queries, pool),
        query(queries, pool, watchers, options.public_contents),
        log_service(queries, pool, waiting, options.public_contents),
        btfs(sequencer, queries, clients, pool, options.escrow_key),
        channels(btfs),
        escrow(btfs) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(options.listen.text(), credentials(options), &port);
    builder.SetMaxReceiveMessageSize(max_message_bytes);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, min_ping_interval_ms);
    // A second server on the port is a mistake, not a load balancer.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.RegisterService(&ledger);
    builder.RegisterService(&admin);
    builder.RegisterService(&query);
    builder.RegisterService(&log_service);
    if (options.btfs) {
      builder.RegisterService(&channels);
      builder.RegisterService(&escrow);
    }
    if (options.btfs && !options.exchange_address.empty())
      builder.RegisterService(
          &exchange.emplace(options.exchange_address, [this](const auto& peer, auto withdrawal, auto finish) {
            btfs.withdraw(peer, std::move(withdrawal), std::move(finish));
          }));
    server = builder.BuildAndStart();
    if (!server || port == 0)
      throw std::runtime_error(
          fmt::format("cannot listen on {} (grpc.listen): is it in use?", options.listen.text()));
  }

  int port = 0;
  Clients clients;
  Watchers watchers;
  Pool pool;
  Pool waiting;
  Submitter submitter;
  LedgerService ledger;
  AdminService admin;
  QueryService query;
  LogService log_service;
  BtfsLedger btfs;
  ChannelsService channels;
  EscrowService escrow;
  std::optional<ExchangeService> exchange;
  std::unique_ptr<grpc::Server> server;
};

GrpcServer::GrpcServer(const GrpcOptions& options, sequencer::Sequencer& sequencer, sequencer::LogKeeper& log,
                       Queries& queries)
    : impl_(std::make_unique<Impl>(options, sequencer, log, queries)) {}

GrpcServer::~GrpcServer() {
  stop();
}

int GrpcServer::port() const {
  return impl_->port;
}

void GrpcServer::committed(const sequencer::CommittedBatch& batch) {
  impl_->watchers.committed(batch);
}

void GrpcServer::set_serving(bool serving) {
  impl_->server->GetHealthCheckService()->SetServingStatus(serving);
  impl_->server->GetHealthCheckService()->SetServingStatus("escrow", serving);  // what go-btfs asks for
}

void GrpcServer::stop() {
  if (!impl_->server) return;
  impl_->server->Shutdown(std::chrono::system_clock::now() + stop_grace);
  impl_->server->Wait();
}

}  // namespace windlass::api
