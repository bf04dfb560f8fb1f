#include "api/grpc/ledger_service.h"

#include "api/grpc/status.h"

namespace windlass::api {
namespace {

using Verdict = core::Outcome::Verdict;

sequencer::Item decode(v1::SignedCommand& signed_command) {
  codec::Envelope envelope{std::move(*signed_command.mutable_command()), {}};
  for (auto& signature : *signed_command.mutable_signatures())
    envelope.signers.push_back(
        {std::move(*signature.mutable_key()), std::move(*signature.mutable_signature())});
  return codec::decode_submitted(std::move(envelope));
}

// One stream: reads ahead up to its bounds, answers in order, and stops reading while the client does not.
class SubmitStreamReactor final
    : public grpc::ServerBidiReactor<v1::SubmitStreamRequest, v1::SubmitStreamResponse> {
 public:
  SubmitStreamReactor(Submitter& submitter, std::string peer)
      : submitter_(submitter), peer_(std::move(peer)) {
    if (!submitter_.clients().open_stream(peer_)) {
      is_counted_ = false;
      Finish(to_status(core::Error::queue_full));
      return;
    }
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      std::unique_lock lock(mutex_);
      reading_ = false;
      reading_done_ = true;
      finish_if_done(lock);
      return;
    }
    auto slot = std::make_shared<Slot>();
    slot->commands = static_cast<std::size_t>(request_.commands_size());
    {
      std::lock_guard lock(mutex_);
      unanswered_.push_back(slot);
      unanswered_commands_ += slot->commands;
      ++callbacks_;
    }
    submitter_.submit(peer_, *request_.mutable_commands(), request_.want_promises(),
                      [this, slot](Submitter::Results results) { answered(*slot, std::move(results)); });
    std::unique_lock lock(mutex_);
    reading_ = false;
    read_on(lock);
  }

  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    writing_ = false;
    if (!ok) broken_ = true;
    write_next(lock);
    if (!lock.owns_lock()) lock.lock();
    read_on(lock);
    if (!lock.owns_lock()) lock.lock();
    finish_if_done(lock);
  }

  void OnCancel() override {
    std::unique_lock lock(mutex_);
    broken_ = true;
    finish_if_done(lock);
  }

  void OnDone() override {
    if (is_counted_) submitter_.clients().close_stream(peer_);
    delete this;
  }

 private:
  struct Slot {
    std::size_t commands = 0;
    std::optional<v1::SubmitStreamResponse> response;
  };

  void answered(Slot& slot, Submitter::Results results) {
    v1::SubmitStreamResponse response;
    for (auto& message : results.messages) *response.add_results() = std::move(message);
    std::unique_lock lock(mutex_);
    slot.response = std::move(response);
    shut_out_ = shut_out_ || results.shut_out;
    write_next(lock);
    if (!lock.owns_lock()) lock.lock();
    --callbacks_;  // only now: the last one's write may end the stream, and this object with it
    finish_if_done(lock);
  }

  // The oldest answer, when it is there and nothing is being written. Releases the lock to write.
  void write_next(std::unique_lock<std::mutex>& lock) {
    if (writing_ || finished_) return;
    if (broken_) {
      while (!unanswered_.empty() && unanswered_.front()->response) pop_front();
      return;
    }
    if (unanswered_.empty() || !unanswered_.front()->response) return;
    response_ = std::move(*unanswered_.front()->response);
    pop_front();
    writing_ = true;
    lock.unlock();
    StartWrite(&response_);
  }

  void pop_front() {
    unanswered_commands_ -= unanswered_.front()->commands;
    unanswered_.pop_front();
  }

  // The next message, while there is room for it. Releases the lock to read.
  void read_on(std::unique_lock<std::mutex>& lock) {
    bool room =
        unanswered_.size() < max_unanswered_messages && unanswered_commands_ < max_unanswered_commands;
    if (reading_ || reading_done_ || finished_ || shut_out_ || broken_ || !room) {
      if ((shut_out_ || broken_) && !reading_) reading_done_ = true;
      finish_if_done(lock);
      return;
    }
    reading_ = true;
    lock.unlock();
    StartRead(&request_);
  }

  void finish_if_done(std::unique_lock<std::mutex>& lock) {
    if (!lock.owns_lock() || finished_ || writing_ || callbacks_ > 0) return;
    if (reading_ && !shut_out_) return;  // whoever is shut out may never send again
    if (!broken_ && !shut_out_ && !reading_done_) return;
    if (!broken_ && !unanswered_.empty()) return;
    finished_ = true;
    auto status = shut_out_ ? to_status(core::Error::too_many_bad_signatures) : grpc::Status::OK;
    lock.unlock();
    Finish(status);
  }

  Submitter& submitter_;
  const std::string peer_;
  bool is_counted_ = true;
  v1::SubmitStreamRequest request_;    // being read
  v1::SubmitStreamResponse response_;  // being written
  std::mutex mutex_;
  std::deque<std::shared_ptr<Slot>> unanswered_;  // in the order received
  std::size_t unanswered_commands_ = 0;
  int callbacks_ = 0;  // submissions that have not called back
  bool reading_ = true, writing_ = false;
  bool reading_done_ = false, shut_out_ = false, broken_ = false, finished_ = false;
};

}  // namespace

void Submitter::submit(const std::string& peer,
                       google::protobuf::RepeatedPtrField<v1::SignedCommand>& commands, bool want_promises,
                       std::function<void(Results)> finish) {
  sequencer::Commands what;
  auto client = clients_.id(peer);
  auto bad_signatures_left = clients_.bad_signatures_left(peer);
  bool welcome = *bad_signatures_left > 0;
  auto count = static_cast<std::size_t>(commands.size());
  auto refused_as = !welcome                           ? core::Error::too_many_bad_signatures
                    : count > max_commands_per_message ? core::Error::too_many_commands
                                                       : sequencer_.room_for(client, count);
  for (auto& command : commands) {
    if (refused_as != core::Error::none)
      what.items.push_back(tl::unexpected(refused_as));
    else
      what.items.push_back(decode(command));
  }
  auto refuse_all = [&](core::Error error) {
    std::vector<sequencer::Answer> answers(what.items.size());
    for (std::size_t i = 0; i < answers.size(); ++i)
      answers[i].error = what.items[i] ? error : what.items[i].error();
    return answers;
  };
  bool any_good =
      std::any_of(what.items.begin(), what.items.end(), [](const auto& item) { return item.has_value(); });
  if (!any_good) {
    auto results = results_of(refuse_all(core::Error::none), nullptr, false);
    results.shut_out = !welcome;
    finish(std::move(results));
    return;
  }
  // What a command said is needed again when it turns out to have come before.
  auto bytes = std::make_shared<std::vector<std::string>>();
  for (const auto& item : what.items) {
    bool has_nonce = item && item->command.nonce != 0;
    bytes->push_back(has_nonce ? item->envelope.command : std::string());
  }
  auto refused = refuse_all(core::Error::unavailable);
  what.done = [this, bad_signatures_left, want_promises, bytes, finish](
                  const std::vector<sequencer::Answer>& answers,
                  const std::shared_ptr<const sequencer::CommittedBatch>& batch) {
    auto results = results_of(answers, batch, want_promises);
    results.shut_out = *bad_signatures_left <= 0;
    bool any_repeated = std::any_of(answers.begin(), answers.end(),
                                    [](const auto& answer) { return answer.verdict == Verdict::repeated; });
    if (!any_repeated) {
      finish(std::move(results));
      return;
    }
    auto shared = std::make_shared<Results>(std::move(results));
    auto later = [this, shared, bytes, want_promises, finish] {
      answer_repeated(*shared, *bytes, want_promises);
      finish(std::move(*shared));
    };
    if (pool_.run(later)) return;
    for (std::size_t i = 0; i < shared->answers.size(); ++i) {
      if (shared->answers[i].verdict != Verdict::repeated) continue;
      shared->answers[i] = {.error = core::Error::queue_full};
      fill(*shared->messages[i].mutable_rejected(), shared->answers[i]);
    }
    finish(std::move(*shared));
  };
  auto asks_for_seal = [](const auto& item) { return item && item->requests_seal; };
  bool for_seal = std::any_of(what.items.begin(), what.items.end(), asks_for_seal);
  auto submission = std::make_shared<sequencer::Submission>(
      sequencer::Submission{client, std::move(what), bad_signatures_left});
  auto enqueue = [this, submission, refused, finish]() mutable {
    auto error = sequencer_.submit(std::move(*submission));
    if (error == core::Error::none) return;
    for (auto& answer : refused)
      if (answer.error == core::Error::unavailable) answer.error = error;
    finish(results_of(refused, nullptr, false));
  };
  auto with_snapshot = [this, submission, enqueue]() mutable {
    if (may_seal(std::get<sequencer::Commands>(submission->what))) queries_.prepare_seal();
    enqueue();
  };
  if (!for_seal || !waiting_.run(with_snapshot)) enqueue();
}

bool Submitter::may_seal(const sequencer::Commands& commands) {
  auto tag = sequencer_.signing_tag();
  return tag && std::any_of(commands.items.begin(), commands.items.end(), [&](const auto& item) {
           if (!item || !item->requests_seal) return false;
           auto anchors = queries_.has_role(item->command.signer, core::role_anchor);
           return anchors && *anchors && codec::verify_signatures(*item, *tag) == core::Error::none;
         });
}

Submitter::Results Submitter::results_of(const std::vector<sequencer::Answer>& answers,
                                         const std::shared_ptr<const sequencer::CommittedBatch>& batch,
                                         bool want_promises) {
  Results results;
  results.answers = answers;
  results.messages.resize(answers.size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto& answer = answers[i];
    auto& out = results.messages[i];
    switch (answer.verdict) {
      case Verdict::refused:
        fill(*out.mutable_rejected(), answer);
        break;
      case Verdict::covered:
        out.mutable_covered()->set_sequence(answer.sequence.value);
        out.mutable_covered()->set_claimed(answer.claimed);
        break;
      case Verdict::repeated:
        break;  // answer_repeated
      case Verdict::accepted: {
        std::size_t index = answer.sequence.value - batch->first().value;
        fill_acknowledgement(*out.mutable_accepted(), batch->entries[index], answer.signer);
        if (!want_promises) break;
        if (promised_ != batch) {
          promised_ = batch;
          promise_ = std::make_unique<BatchPromise>(batch->first(), batch->leaf_hashes(),
                                                    batch->entries.back().time_us, signer_);
        }
        promise_->fill(*out.mutable_accepted()->mutable_promise(), index);
        break;
      }
    }
  }
  return results;
}

// The same bytes get the answer of then, other bytes a conflict.
void Submitter::answer_repeated(Results& results, const std::vector<std::string>& commands,
                                bool want_promises) {
  for (std::size_t i = 0; i < results.answers.size(); ++i) {
    auto& answer = results.answers[i];
    if (answer.verdict != Verdict::repeated) continue;
    auto entry = queries_.accepted_entry(answer.sequence);
    auto envelope = entry ? codec::Envelope::decode(entry->envelope) : std::nullopt;
    if (!envelope || envelope->command != commands[i]) {
      answer = {.error = entry ? core::Error::nonce_conflict : entry.error()};
      fill(*results.messages[i].mutable_rejected(), answer);
      continue;
    }
    auto& accepted = *results.messages[i].mutable_accepted();
    auto signer = queries_.account(*to_array<33>(envelope->signers[0].key));
    fill_acknowledgement(
        accepted, *entry,
        signer ? std::optional(signer->account.number) : std::optional<core::AccountNumber>());
    accepted.set_repeated_command(true);
    if (want_promises)
      BatchPromise(entry->sequence, {entry->leaf_hash}, entry->time_us, signer_)
          .fill(*accepted.mutable_promise(), 0);
  }
}

grpc::ServerUnaryReactor* submit_one(Submitter& submitter, grpc::CallbackServerContext* context,
                                     const v1::SubmitRequest* request, v1::SubmitResponse* response) {
  auto* reactor = context->DefaultReactor();
  google::protobuf::RepeatedPtrField<v1::SignedCommand> commands;
  *commands.Add() = request->command();
  submitter.submit(context->peer(), commands, request->want_promise(), [=](Submitter::Results results) {
    auto& message = results.messages[0];
    if (message.has_rejected()) {
      reactor->Finish(to_status(results.answers[0]));
      return;
    }
    if (message.has_accepted())
      *response->mutable_accepted() = std::move(*message.mutable_accepted());
    else
      *response->mutable_covered() = std::move(*message.mutable_covered());
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

grpc::ServerUnaryReactor* LedgerService::Submit(grpc::CallbackServerContext* context,
                                                const v1::SubmitRequest* request,
                                                v1::SubmitResponse* response) {
  return submit_one(submitter_, context, request, response);
}

grpc::ServerBidiReactor<v1::SubmitStreamRequest, v1::SubmitStreamResponse>* LedgerService::SubmitStream(
    grpc::CallbackServerContext* context) {
  return new SubmitStreamReactor(submitter_, context->peer());
}

}  // namespace windlass::api
