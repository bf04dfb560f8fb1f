// Witnesses: others who see every so often a newer checkpoint of this log, check that it continues what they
// saw before, and cosign it (C2SP tlog-witness, tlog-cosignature). Nothing on the write path waits for them.
//
// Now and then the newest checkpoint becomes a round: each witness, from a thread of its own, is asked to
// cosign exactly that one, so that the cosignatures meet on one note. The newest cosigned note is kept on
// disk. It is replaced by that of the running round once that has as many cosignatures, or by any newer one
// when its round is over: so a slow witness does not vanish from the note between two rounds, and a dead one
// does not hold it back.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "api/witness_client.h"
#include "ledger/log/note.h"

namespace windlass::api {

constexpr std::size_t max_witnesses = 16;

struct Witness {
  WitnessUrl url;
  log::WitnessKey key;
  // `URL VERIFIER-KEY`, one space between; the error says what would be right.
  static tl::expected<Witness, std::string> parse(std::string_view text);
};
// At most max_witnesses, none of them twice.
tl::expected<std::vector<Witness>, std::string> parse_witnesses(const std::vector<std::string>& texts);

struct WitnessOptions {
  std::vector<Witness> witnesses;
  std::filesystem::path ca_file;                   // WitnessClient's
  std::filesystem::path file;                      // of the newest cosigned note
  std::chrono::milliseconds interval{10'000};      // between two rounds, at least
  std::chrono::milliseconds deadline{5'000};       // of one request
  std::chrono::milliseconds first_backoff{1'000};  // doubled with every failure
  std::chrono::milliseconds max_backoff{300'000};
};

// The log as the witnesses' threads need it; all of it from any thread.
struct WitnessedLog {
  const log::NoteSigner& signer;
  const log::NodeReader& nodes;
  // The newest checkpoint once it covers `size` entries; nothing by the deadline.
  std::function<std::optional<std::string>(std::uint64_t size, std::chrono::steady_clock::time_point)> wait;
  // A signature line for the checkpoint of `size`.
  std::function<void(std::uint64_t size, const std::string& line)> cosigned;
};

enum class WitnessOutcome { cosigned, behind, refused, unreachable };

class Witnesses {
 public:
  // After each round of each witness; `size` is what it has cosigned last. From several threads.
  using Report = std::function<void(const std::string& name, WitnessOutcome outcome, std::uint64_t size)>;

  // Reads the kept note: std::runtime_error where it is not this log's.
  Witnesses(WitnessOptions options, WitnessedLog log, Report report);
  ~Witnesses();
  Witnesses(const Witnesses&) = delete;
  Witnesses& operator=(const Witnesses&) = delete;

  // Holds a ledger of `size` entries against what each witness has, all asked at once; those who do not
  // answer by the deadline are passed over. std::runtime_error where one has more: it names both sizes. Then
  // the rounds begin. The first call does all this, later ones nothing.
  void start(std::uint64_t size);

  // The newest cosigned note; empty before the first.
  std::string cosigned() const;

 private:
  struct Round {
    std::uint64_t number = 0;  // 0: none yet
    log::Checkpoint checkpoint;
    std::string note;
    std::vector<std::string> lines;  // by witness; empty: none yet
    std::size_t count() const;
    std::string cosigned_note() const;
  };
  struct Asked {
    WitnessOutcome outcome = WitnessOutcome::unreachable;
    std::string line;  // where it cosigned
    std::string why;   // where it did not
  };

  void begin_rounds();
  void serve(std::size_t index);
  std::optional<Round> next_round(std::size_t index, std::uint64_t after, std::chrono::milliseconds pause);
  Asked ask(std::size_t index, const Round& round);
  void record(std::size_t index, const Round& round, const std::string& line);
  void publish(const Round& round);
  std::string note_of(std::uint64_t size) const;

  const WitnessOptions options_;
  const WitnessedLog log_;
  const Report report_;
  const WitnessClient client_;
  std::vector<std::uint64_t> known_;  // sizes that the witnesses have; each of its own thread once started

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> stopping_{false};
  bool started_ = false;
  Round round_;
  std::string published_;
  std::uint64_t published_size_ = 0;
  std::size_t published_count_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace windlass::api
