// What the public site reads: the queries, behind an interface so that a test can put its own ledger there.
#pragma once

#include "api/queries.h"

namespace windlass::api {

class Reader {
 public:
  virtual ~Reader() = default;
  virtual Answered<LedgerView> ledger() = 0;
  virtual Answered<TotalsView> totals() = 0;
  virtual Answered<AccountView> account(const core::Key& key) = 0;
  virtual Answered<core::Key> key_of_address(ByteView address) = 0;  // 21 bytes
  virtual Answered<HistoryView> history(const core::Key& key, std::size_t page_size,
                                        const std::string& page_token) = 0;
  virtual Answered<ChannelView> channel(core::ChannelId id) = 0;
  virtual Answered<HistoryView> history(core::ChannelId id, std::size_t page_size,
                                        const std::string& page_token) = 0;
  virtual Answered<ChannelsView> channels(const core::Key& key, bool closed_too, std::size_t page_size,
                                          const std::string& page_token) = 0;
  virtual Answered<WithdrawalsView> withdrawals(const core::Key& key, std::size_t page_size,
                                                const std::string& page_token) = 0;
  virtual Answered<std::vector<TermsView>> withdrawal_terms() = 0;
  virtual Answered<DepositAddressView> deposit_address(const core::Key& key) = 0;
  virtual Answered<EntryView> entry(core::Sequence sequence, const std::optional<core::Key>& key) = 0;
  virtual Answered<AnchorsView> anchors(const std::optional<core::Sequence>& covering, bool solidified_only,
                                        std::size_t page_size, const std::string& page_token) = 0;
  virtual Answered<InclusionView> inclusion(core::Sequence sequence, std::uint64_t size,
                                            std::chrono::steady_clock::time_point deadline) = 0;
  virtual Answered<ConsistencyView> consistency(std::uint64_t old_size, std::uint64_t size) = 0;
};

// The ledger's own.
class QueriesReader final : public Reader {
 public:
  explicit QueriesReader(Queries& queries) : queries_(queries) {}
  Answered<LedgerView> ledger() override { return queries_.ledger(); }
  Answered<TotalsView> totals() override { return queries_.totals(); }
  Answered<AccountView> account(const core::Key& key) override { return queries_.account(key); }
  Answered<core::Key> key_of_address(ByteView address) override { return queries_.key_of_address(address); }
  Answered<HistoryView> history(const core::Key& key, std::size_t page_size,
                                const std::string& page_token) override {
    return queries_.history(key, page_size, page_token);
  }
  Answered<ChannelView> channel(core::ChannelId id) override { return queries_.channel(id); }
  Answered<HistoryView> history(core::ChannelId id, std::size_t page_size,
                                const std::string& page_token) override {
    return queries_.history(id, page_size, page_token);
  }
  Answered<ChannelsView> channels(const core::Key& key, bool closed_too, std::size_t page_size,
                                  const std::string& page_token) override {
    return queries_.channels(key, closed_too, page_size, page_token);
  }
  Answered<WithdrawalsView> withdrawals(const core::Key& key, std::size_t page_size,
                                        const std::string& page_token) override {
    return queries_.withdrawals(key, page_size, page_token);
  }
  Answered<std::vector<TermsView>> withdrawal_terms() override { return queries_.withdrawal_terms(); }
  Answered<DepositAddressView> deposit_address(const core::Key& key) override {
    return queries_.deposit_address(key);
  }
  Answered<EntryView> entry(core::Sequence sequence, const std::optional<core::Key>& key) override {
    return queries_.entry(sequence, key);
  }
  Answered<AnchorsView> anchors(const std::optional<core::Sequence>& covering, bool solidified_only,
                                std::size_t page_size, const std::string& page_token) override {
    return queries_.anchors(covering, solidified_only, page_size, page_token);
  }
  Answered<InclusionView> inclusion(core::Sequence sequence, std::uint64_t size,
                                    std::chrono::steady_clock::time_point deadline) override {
    return queries_.inclusion(sequence, size, deadline);
  }
  Answered<ConsistencyView> consistency(std::uint64_t old_size, std::uint64_t size) override {
    return queries_.consistency(old_size, size);
  }

 private:
  Queries& queries_;
};

}  // namespace windlass::api
