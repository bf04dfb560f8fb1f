// windlass.v1.Ledger: signed commands into the sequencer, acknowledgements back.
#pragma once

#include <windlass/v1/ledger.grpc.pb.h>

#include "api/grpc/clients.h"
#include "api/grpc/convert.h"
#include "api/grpc/pool.h"

namespace windlass::api {

// Larger than any command, far below what a stream could make the server hold.
constexpr int max_message_bytes = 4 << 20;
constexpr int max_commands_per_message = 1024;
// Of one stream, waiting for answers or for the client to read them: then nothing more is read from it.
constexpr std::size_t max_unanswered_messages = 64;
constexpr std::size_t max_unanswered_commands = 4096;

// Turns answers into messages. `finish` may be called on another thread, later, where an answer needs the
// database (a command that came again).
class Submitter {
 public:
  Submitter(sequencer::Sequencer& sequencer, const log::NoteSigner& signer, Queries& queries,
            Clients& clients, Pool& pool, Pool& waiting)
      : sequencer_(sequencer),
        signer_(signer),
        queries_(queries),
        clients_(clients),
        pool_(pool),
        waiting_(waiting) {}

  struct Results {
    std::vector<v1::SubmitResult> messages;
    std::vector<sequencer::Answer> answers;
    bool shut_out = false;  // the connection has sent too many bad signatures
  };
  // Calls `finish` exactly once. Moves the commands out of `commands`.
  void submit(const std::string& peer, google::protobuf::RepeatedPtrField<v1::SignedCommand>& commands,
              bool want_promises, std::function<void(Results)> finish);

  sequencer::Sequencer& sequencer() { return sequencer_; }
  Clients& clients() { return clients_; }

 private:
  Results results_of(const std::vector<sequencer::Answer>& answers,
                     const std::shared_ptr<const sequencer::CommittedBatch>& batch, bool want_promises);
  // Whether a command asks for a seal, and may: then there should be a fresh balance snapshot for it to name.
  bool may_seal(const sequencer::Commands& commands);
  void answer_repeated(Results& results, const std::vector<std::string>& commands, bool want_promises);

  sequencer::Sequencer& sequencer_;
  const log::NoteSigner& signer_;
  Queries& queries_;
  Clients& clients_;
  Pool& pool_;
  Pool& waiting_;
  // Of the batch whose answers are going out: the publishing thread's.
  std::shared_ptr<const sequencer::CommittedBatch> promised_;
  std::unique_ptr<BatchPromise> promise_;
};

// One command: a status where it is refused.
grpc::ServerUnaryReactor* submit_one(Submitter& submitter, grpc::CallbackServerContext* context,
                                     const v1::SubmitRequest* request, v1::SubmitResponse* response);

class LedgerService final : public v1::Ledger::CallbackService {
 public:
  explicit LedgerService(Submitter& submitter) : submitter_(submitter) {}
  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context, const v1::SubmitRequest* request,
                                   v1::SubmitResponse* response) override;
  grpc::ServerBidiReactor<v1::SubmitStreamRequest, v1::SubmitStreamResponse>* SubmitStream(
      grpc::CallbackServerContext* context) override;

 private:
  Submitter& submitter_;
};

}  // namespace windlass::api
