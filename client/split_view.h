// Split views: one log key under two histories. And what a client remembers, so that it can notice one.
#pragma once

#include <filesystem>

#include "client/verify.h"

namespace windlass::client {

// Two checkpoints of one log that cannot both be true, in one text that anybody with the log's verifier key
// can check offline:
//   windlass/split-view/v1
//   base64(root), where the sizes differ: that of the newer tree's first `older size` leaves ...
//   base64(hash) a line: ... which this consistency proof shows to be in the newer one
//   (blank line)
//   the older checkpoint, a whole note
//   (blank line)
//   the newer checkpoint
struct SplitView {
  std::string older, newer;  // whole notes; of two of one size, any order
  std::optional<Hash> root;  // where the sizes differ
  log::Proof proof;
  std::string text() const;
  static std::optional<SplitView> parse(std::string_view text);
};
constexpr std::string_view split_view_header = "windlass/split-view/v1";

struct ProvenSplit {
  log::Checkpoint older, newer;
};
// Both notes are the log's, and the newer tree does not begin with the older one.
Proven<ProvenSplit> check_split_view(const SplitView& evidence, const log::VerifierKey& vkey);
// In words: "... signed two histories: ...".
std::string describe(const ProvenSplit& split);

// The newest checkpoint of each log that this user's commands have seen and found consistent with the one
// before, a file each (mode 0600). Whatever is wrong with the files, it is as if nothing were remembered.
class CheckpointMemory {
 public:
  // In `directory`; empty: nowhere.
  explicit CheckpointMemory(std::filesystem::path directory) : directory_(std::move(directory)) {}
  // `named` where it is not empty ("off": nowhere), else below $XDG_STATE_HOME, else
  // ~/.config.
  static std::filesystem::path default_directory(const std::string& named);

  std::optional<std::string> newest(const log::VerifierKey& vkey) const;  // the note
  void keep(const log::VerifierKey& vkey, std::string_view note) const;
  // "" where nothing is remembered.
  std::filesystem::path file(const log::VerifierKey& vkey) const;

 private:
  std::filesystem::path directory_;
};

}  // namespace windlass::client
