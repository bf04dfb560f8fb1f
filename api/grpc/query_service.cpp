#include "api/grpc/query_service.h"

#include "api/grpc/asking.h"
#include "api/grpc/status.h"
#include "ops/config.h"

namespace windlass::api {
namespace {

template <std::size_t N>
std::string str(const ByteArray<N>& bytes) {
  return std::string(windlass::view(bytes));
}

std::chrono::steady_clock::time_point checkpoint_deadline(grpc::CallbackServerContext* context) {
  auto left = context->deadline() - std::chrono::system_clock::now();
  auto bounded = std::min<std::chrono::nanoseconds>(left, max_checkpoint_wait);
  return std::chrono::steady_clock::now() + bounded;
}

core::Error check_auditor(Queries& queries, ByteView bytes, const v1::Signature& signature) {
  return check_role(queries, bytes, signature, core::role_auditor, core::Error::contents_not_public);
}

// One entry after the other, a page from the database at a time, as fast as the client reads.
class ReadEntriesReactor final : public grpc::ServerWriteReactor<v1::Entry> {
 public:
  ReadEntriesReactor(Queries& queries, Pool& pool, core::Sequence first, std::uint64_t count)
      : queries_(queries), pool_(pool), next_(first), left_(count) {
    schedule();
  }
  explicit ReadEntriesReactor(Queries& queries, Pool& pool, core::Error error)
      : queries_(queries), pool_(pool) {
    Finish(to_status(error));
  }
  void OnWriteDone(bool ok) override {
    if (!ok)
      Finish(grpc::Status::CANCELLED);
    else if (place_ < page_.size())
      write();
    else
      schedule();
  }
  void OnDone() override { delete this; }

 private:
  void schedule() {
    if (!pool_.run([this] { read_page(); })) Finish(to_status(core::Error::queue_full));
  }
  void read_page() {
    auto page = queries_.contents(next_, std::min<std::uint64_t>(left_, contents_page));
    if (!page || page->empty()) {
      Finish(page ? grpc::Status::OK : to_status(page.error()));
      return;
    }
    page_ = *std::move(page);
    place_ = 0;
    next_.value = page_.back().sequence.value + 1;
    left_ -= std::min<std::uint64_t>(left_, page_.size());
    write();
  }
  void write() {
    entry_.Clear();
    fill_whole(entry_, page_[place_++]);
    StartWrite(&entry_);
  }

  Queries& queries_;
  Pool& pool_;
  core::Sequence next_;
  std::uint64_t left_ = 0;
  std::vector<codec::StoredEntry> page_;
  std::size_t place_ = 0;
  v1::Entry entry_;
};

// Writes the account, then again whenever it has changed since what was written last.
class WatchReactor final : public grpc::ServerWriteReactor<v1::Account> {
 public:
  WatchReactor(Queries& queries, Pool& pool, Watchers& watchers, core::Key key)
      : queries_(queries), pool_(pool), watchers_(watchers), key_(key) {
    if (!pool_.run([this] { begin(); })) Finish(to_status(core::Error::queue_full));
  }
  WatchReactor(Queries& queries, Pool& pool, Watchers& watchers, core::Error error)
      : queries_(queries), pool_(pool), watchers_(watchers) {
    Finish(to_status(error));
  }
  void OnWriteDone(bool ok) override {
    bool again = false;
    {
      std::lock_guard lock(mutex_);
      busy_ = false;
      cancelled_ = cancelled_ || !ok;
      again = changed_ || cancelled_;
      if (again) busy_ = true;
    }
    if (again) schedule();
  }
  void OnCancel() override {
    bool idle = false;
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
      idle = !busy_;
      busy_ = true;
    }
    if (idle) end(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  void begin() {
    auto account = queries_.account(key_);
    bool watched = account && watchers_.add(account->account.number, this, [this] { return wake(); });
    if (!watched) {
      end(to_status(account ? core::Error::queue_full : account.error()));
      return;
    }
    show();
  }
  bool wake() {
    {
      std::lock_guard lock(mutex_);
      changed_ = true;
      if (busy_) return true;
      busy_ = true;
    }
    if (pool_.run([this] { show(); })) return true;
    Finish(to_status(core::Error::queue_full));
    return false;
  }
  void schedule() {
    if (!pool_.run([this] { show(); })) end(to_status(core::Error::queue_full));
  }
  void show() {
    bool cancelled = false;
    {
      std::lock_guard lock(mutex_);
      changed_ = false;
      cancelled = cancelled_;
    }
    if (cancelled) {
      end(grpc::Status::CANCELLED);
      return;
    }
    auto account = queries_.account(key_);
    if (!account) {
      end(to_status(account.error()));
      return;
    }
    account_.Clear();
    fill(account_, *account);
    StartWrite(&account_);
  }
  void end(const grpc::Status& status) {
    watchers_.remove(this);
    Finish(status);
  }

  Queries& queries_;
  Pool& pool_;
  Watchers& watchers_;
  core::Key key_{};
  v1::Account account_;
  std::mutex mutex_;
  bool busy_ = true;  // a read or write is under way or scheduled
  bool changed_ = false;
  bool cancelled_ = false;
};

}  // namespace

// --- watchers

bool Watchers::add(core::AccountNumber account, const void* watcher, Wake wake) {
  std::lock_guard lock(mutex_);
  if (watchers_.size() >= max_watchers) return false;
  watchers_.try_emplace(watcher, Watcher{account, std::move(wake)});
  return true;
}

void Watchers::remove(const void* watcher) {
  std::lock_guard lock(mutex_);
  watchers_.erase(watcher);
}

void Watchers::committed(const sequencer::CommittedBatch& batch) {
  std::lock_guard lock(mutex_);
  if (watchers_.empty()) return;
  absl::flat_hash_set<core::AccountNumber> touched;
  for (const auto& entry : batch.entries)
    for (const auto& posting : entry.postings) {
      if (const auto* account = std::get_if<core::AccountPosting>(&posting)) touched.insert(account->account);
      if (const auto* closing = std::get_if<core::ClosingPosting>(&posting))
        touched.insert(closing->payer.account);
    }
  for (auto it = watchers_.begin(); it != watchers_.end();) {
    auto here = it++;
    if (touched.contains(here->second.account) && !here->second.wake()) watchers_.erase(here);
  }
}

// --- Query

QueryService::QueryService(Queries& queries, Pool& pool, Watchers& watchers, bool public_contents)
    : queries_(queries), pool_(pool), watchers_(watchers), public_contents_(public_contents) {}

Answered<core::Key> QueryService::key_of(ByteView key, ByteView address) {
  if (key.empty() && address.size() == 21) return queries_.key_of_address(address);
  auto compressed = compress_key(key);
  if (!compressed) return tl::unexpected(core::Error::bad_key);
  return *compressed;
}

grpc::ServerUnaryReactor* QueryService::GetLedger(grpc::CallbackServerContext* context,
                                                  const v1::GetLedgerRequest*, v1::LedgerInfo* response) {
  return on_pool(&pool_, context, [=, this] {
    auto view = queries_.ledger();
    if (!view) return view.error();
    const auto& genesis = view->genesis;
    response->set_origin(genesis.origin);
    response->set_genesis_leaf_hash(str(view->genesis_leaf_hash));
    response->set_signing_tag(view->signing_tag);
    response->set_log_vkey(genesis.log_vkey);
    response->set_anchor_address(genesis.anchor_address);
    response->set_anchor_contract(genesis.anchor_contract);
    response->set_custody_address(genesis.custody_address);
    response->set_deposit_key(view->deposit_key);
    response->set_size(view->size);
    auto now = std::chrono::system_clock::now().time_since_epoch();
    response->set_time_us(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
    response->set_version(std::string(ops::version()));
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* QueryService::GetAccount(grpc::CallbackServerContext* context,
                                                   const v1::GetAccountRequest* request,
                                                   v1::Account* response) {
  return on_pool(&pool_, context, [=, this] {
    auto key = key_of(request->key(), request->address());
    if (!key) return key.error();
    auto view = queries_.account(*key);
    if (!view) return view.error();
    fill(*response, *view);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* QueryService::GetChannel(grpc::CallbackServerContext* context,
                                                   const v1::GetChannelRequest* request,
                                                   v1::Channel* response) {
  return on_pool(&pool_, context, [=, this] {
    auto view = queries_.channel({request->channel()});
    if (!view) return view.error();
    fill(*response, *view);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* QueryService::ListChannels(grpc::CallbackServerContext* context,
                                                     const v1::ListChannelsRequest* request,
                                                     v1::ListChannelsResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    auto key = key_of(request->key(), {});
    if (!key) return key.error();
    auto page =
        queries_.channels(*key, request->include_closed(), request->page_size(), request->page_token());
    if (!page) return page.error();
    for (const auto& channel : page->channels) fill(*response->add_channels(), channel);
    response->set_next_page_token(page->next_page_token);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* QueryService::GetHistory(grpc::CallbackServerContext* context,
                                                   const v1::GetHistoryRequest* request,
                                                   v1::GetHistoryResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    Answered<HistoryView> page;
    if (request->of_case() == v1::GetHistoryRequest::kChannel) {
      page =
          queries_.history(core::ChannelId{request->channel()}, request->page_size(), request->page_token());
    } else {
      auto key = key_of(request->key(), {});
      if (!key) return key.error();
      page = queries_.history(*key, request->page_size(), request->page_token());
    }
    if (!page) return page.error();
    for (const auto& entry : page->entries) fill(*response->add_entries(), entry);
    response->set_next_page_token(page->next_page_token);
    response->set_size(page->size);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* QueryService::GetEntry(grpc::CallbackServerContext* context,
                                                 const v1::GetEntryRequest* request, v1::Entry* response) {
  return on_pool(&pool_, context, [=, this] {
    std::optional<core::Key> key;
    if (!request->key().empty()) {
      auto given = key_of(request->key(), {});
      if (!given) return given.error();
      key = *given;
    }
    auto view = queries_.entry({request->sequence()}, key);
    if (!view) return view.error();
    fill(*response, *view);
    return core::Error::none;
  });
}

core::Error QueryService::may_read_contents(const v1::ReadEntriesRequest& request) {
  if (public_contents_) return core::Error::none;
  v1::AuditorRequest asked;
  auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  bool fits = asked.ParseFromString(request.request()) && asked.first() == request.first() &&
              asked.count() == request.count();
  if (!fits) return core::Error::contents_not_public;
  if (asked.expires_us() < now.count()) return core::Error::expired;
  return check_auditor(queries_, request.request(), request.signature());
}

grpc::ServerWriteReactor<v1::Entry>* QueryService::ReadEntries(grpc::CallbackServerContext*,
                                                               const v1::ReadEntriesRequest* request) {
  auto error = may_read_contents(*request);
  if (error != core::Error::none) return new ReadEntriesReactor(queries_, pool_, error);
  return new ReadEntriesReactor(queries_, pool_, core::Sequence{request->first()}, request->count());
}

grpc::ServerWriteReactor<v1::Account>* QueryService::WatchAccount(grpc::CallbackServerContext*,
                                                                  const v1::GetAccountRequest* request) {
  auto key = key_of(request->key(), request->address());
  if (!key) return new WatchReactor(queries_, pool_, watchers_, key.error());
  return new WatchReactor(queries_, pool_, watchers_, *key);
}

grpc::ServerUnaryReactor* QueryService::ListAssets(grpc::CallbackServerContext* context,
                                                   const v1::ListAssetsRequest*,
                                                   v1::ListAssetsResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    auto view = queries_.totals();
    if (!view) return view.error();
    for (const auto& asset : view->globals.assets) fill(*response->add_assets(), asset);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* QueryService::GetTotals(grpc::CallbackServerContext* context,
                                                  const v1::GetTotalsRequest*,
                                                  v1::GetTotalsResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    auto view = queries_.totals();
    if (!view) return view.error();
    for (const auto& totals : view->globals.totals) fill(*response->add_totals(), totals);
    response->set_accounts(view->globals.accounts);
    response->set_open_channels(view->globals.open_channels);
    response->set_size(view->size);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* QueryService::GetWithdrawalTerms(grpc::CallbackServerContext* context,
                                                           const v1::GetWithdrawalTermsRequest*,
                                                           v1::GetWithdrawalTermsResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    auto all = queries_.withdrawal_terms();
    if (!all) return all.error();
    for (const auto& terms : *all) fill(*response->add_terms(), terms);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* QueryService::GetDepositAddress(grpc::CallbackServerContext* context,
                                                          const v1::GetDepositAddressRequest* request,
                                                          v1::DepositAddress* response) {
  return on_pool(&pool_, context, [=, this] {
    auto key = key_of(request->key(), {});
    if (!key) return key.error();
    auto view = queries_.deposit_address(*key);
    if (!view) return view.error();
    fill(*response, *view);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* QueryService::ListWithdrawals(grpc::CallbackServerContext* context,
                                                        const v1::ListWithdrawalsRequest* request,
                                                        v1::ListWithdrawalsResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    auto key = key_of(request->key(), {});
    if (!key) return key.error();
    auto page = queries_.withdrawals(*key, request->page_size(), request->page_token());
    if (!page) return page.error();
    for (const auto& withdrawal : page->withdrawals) fill(*response->add_withdrawals(), withdrawal);
    response->set_next_page_token(page->next_page_token);
    return core::Error::none;
  });
}

// --- Log

grpc::ServerUnaryReactor* LogService::GetCheckpoint(grpc::CallbackServerContext* context,
                                                    const v1::GetCheckpointRequest* request,
                                                    v1::Checkpoint* response) {
  return on_pool(&waiting_, context, [=, this] {
    auto note = queries_.checkpoint(request->minimum_size(), checkpoint_deadline(context));
    if (!note) return note.error();
    response->set_note(*note);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* LogService::GetInclusionProof(grpc::CallbackServerContext* context,
                                                        const v1::GetInclusionProofRequest* request,
                                                        v1::InclusionProof* response) {
  // Of what is signed already a proof is a look into two tiles: no database, nothing to wait for.
  bool is_signed = std::max(request->sequence() + 1, request->size()) <= queries_.signed_size();
  return on_pool(is_signed ? nullptr : &waiting_, context, [=, this] {
    auto view = queries_.inclusion({request->sequence()}, request->size(), checkpoint_deadline(context));
    if (!view) return view.error();
    response->set_sequence(request->sequence());
    response->set_size(view->size);
    response->set_leaf(view->leaf);
    response->set_leaf_hash(str(view->leaf_hash));
    for (const auto& hash : view->path) response->add_path(str(hash));
    response->set_checkpoint(view->checkpoint);
    if (request->size() == 0)
      response->set_tlog_proof(log::TlogProof{{}, request->sequence(), view->path, view->checkpoint}.text());
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* LogService::GetConsistencyProof(grpc::CallbackServerContext* context,
                                                          const v1::GetConsistencyProofRequest* request,
                                                          v1::ConsistencyProof* response) {
  return on_pool(&pool_, context, [=, this] {
    auto view = queries_.consistency(request->old_size(), request->size());
    if (!view) return view.error();
    response->set_old_size(request->old_size());
    response->set_size(view->size);
    for (const auto& hash : view->path) response->add_path(str(hash));
    response->set_checkpoint(view->checkpoint);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* LogService::ListAnchors(grpc::CallbackServerContext* context,
                                                  const v1::ListAnchorsRequest* request,
                                                  v1::ListAnchorsResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    std::optional<core::Sequence> covering;
    if (request->covering() > 0) covering = core::Sequence{request->covering()};
    auto page =
        queries_.anchors(covering, request->solidified_only(), request->page_size(), request->page_token());
    if (!page) return page.error();
    for (const auto& anchor : page->anchors) fill(*response->add_anchors(), anchor);
    response->set_next_page_token(page->next_page_token);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* LogService::ListSeals(grpc::CallbackServerContext* context,
                                                const v1::ListSealsRequest* request,
                                                v1::ListSealsResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    auto page = queries_.seals(request->page_size(), request->page_token());
    if (!page) return page.error();
    for (const auto& seal : page->entries) fill(*response->add_seals(), seal);
    response->set_next_page_token(page->next_page_token);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* LogService::GetStatement(grpc::CallbackServerContext* context,
                                                   const v1::GetStatementRequest* request,
                                                   v1::Statement* response) {
  return on_pool(&pool_, context, [=, this] {
    auto key = to_array<33>(request->key());
    if (!key) return core::Error::bad_key;
    std::optional<core::Sequence> snapshot;
    if (request->has_snapshot_sequence()) snapshot = core::Sequence{request->snapshot_sequence()};
    auto view = queries_.statement(*key, snapshot);
    if (!view) return view.error();
    fill(*response, *view);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* LogService::GetLiabilityProof(grpc::CallbackServerContext* context,
                                                        const v1::GetLiabilityProofRequest* request,
                                                        v1::LiabilityProof* response) {
  return on_pool(&pool_, context, [=, this] {
    auto key = to_array<33>(request->key());
    if (!key) return core::Error::bad_key;
    auto view = queries_.liability(*key, {request->asset()});
    if (!view) return view.error();
    fill(*response, *view);
    return core::Error::none;
  });
}

grpc::ServerUnaryReactor* LogService::AddAudit(grpc::CallbackServerContext* context,
                                               const v1::AddAuditRequest* request, v1::AddAuditResponse*) {
  return on_pool(&pool_, context, [=, this] {
    if (!public_contents_)
      if (auto error = check_auditor(queries_, request->note(), request->signature());
          error != core::Error::none)
        return error;
    return queries_.add_audit(request->vkey(), request->note());
  });
}

grpc::ServerUnaryReactor* LogService::ListAudits(grpc::CallbackServerContext* context,
                                                 const v1::ListAuditsRequest*,
                                                 v1::ListAuditsResponse* response) {
  return on_pool(&pool_, context, [=, this] {
    auto audits = queries_.audits();
    if (!audits) return audits.error();
    for (const auto& audit : *audits) {
      auto& out = *response->add_audits();
      out.set_vkey(audit.vkey);
      out.set_note(audit.note);
    }
    return core::Error::none;
  });
}

}  // namespace windlass::api
