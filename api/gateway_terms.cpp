#include "api/gateway_terms.h"

#include "ledger/sequencer/worker_thread.h"

namespace windlass::api {

core::TimeUs now_us() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

namespace {

core::WithdrawalTerms terms_of(const journal::TermsRow& row, core::TimeUs now) {
  core::WithdrawalTerms terms{.minimum = row.minimum, .fee = row.fee, .payable = row.payable};
  if (!row.refuses.empty())
    terms.refuses = core::error_of(row.refuses).value_or(core::Error::withdrawals_paused);
  if (now - row.updated_us > terms_life_us) terms.refuses = core::Error::gateway_away;
  terms.beyond = core::error_of(row.beyond).value_or(core::Error::gateway_out_of_funds);
  return terms;
}

}  // namespace

GatewayTerms::GatewayTerms(journal::Sessions& sessions) : sessions_(sessions), thread_([this] { run(); }) {}

GatewayTerms::~GatewayTerms() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

std::shared_ptr<const GatewayTerms::Rows> GatewayTerms::rows() const {
  std::lock_guard lock(mutex_);
  return rows_;
}

std::optional<core::WithdrawalTerms> GatewayTerms::of(core::AssetId asset) const {
  auto known = rows();
  auto found = known->find(asset);
  if (found == known->end()) return std::nullopt;
  return terms_of(found->second, now_us());
}

std::map<core::AssetId, core::WithdrawalTerms> GatewayTerms::all() const {
  std::map<core::AssetId, core::WithdrawalTerms> all;
  for (const auto& [asset, row] : *rows()) all.emplace(asset, terms_of(row, now_us()));
  return all;
}

void GatewayTerms::run() {
  sequencer::name_this_thread("gateway-terms");
  std::unique_ptr<journal::ReadSession> session;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    auto rows = std::make_shared<Rows>();
    try {
      if (!session) session = sessions_.reader();
      for (auto& row : session->terms()) rows->emplace(row.asset, row);
    } catch (const journal::DatabaseError&) {
      // What is known grows old, and then the gateway counts as away.
      session.reset();
      rows.reset();
    }
    lock.lock();
    if (rows) rows_ = std::move(rows);
    stop_.wait_for(lock, terms_interval, [&] { return stopping_; });
  }
}

}  // namespace windlass::api
