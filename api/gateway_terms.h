// What the gateway says that it can pay out, as the writer asks for it: read from the database now and then.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "ledger/journal/journal.h"

namespace windlass::api {

core::TimeUs now_us();

// A gateway that has said nothing for so long is away: nobody's money is held for it.
constexpr core::TimeUs terms_life_us = 60 * core::second_us;
constexpr std::chrono::milliseconds terms_interval{200};

class GatewayTerms {
 public:
  explicit GatewayTerms(journal::Sessions& sessions);
  ~GatewayTerms();
  // Any thread; waits for nothing.
  std::optional<core::WithdrawalTerms> of(core::AssetId asset) const;
  std::map<core::AssetId, core::WithdrawalTerms> all() const;

 private:
  using Rows = std::map<core::AssetId, journal::TermsRow>;
  void run();
  std::shared_ptr<const Rows> rows() const;

  journal::Sessions& sessions_;
  std::shared_ptr<const Rows> rows_ = std::make_shared<const Rows>();  // guarded by mutex_
  mutable std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace windlass::api
