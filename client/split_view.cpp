#include "client/split_view.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace windlass::client {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_hashes = 64;  // a path in a tree of 2^64 leaves

std::optional<Hash> parse_hash(std::string_view text) {
  auto bytes = from_base64(text);
  return bytes ? to_array<32>(*bytes) : std::nullopt;
}

// Where a whole note at the front of `text` ends: its text has no blank line, so it has one.
std::optional<std::string> take_note(std::string_view& text) {
  auto body = text.find("\n\n");
  if (body == text.npos) return std::nullopt;
  auto end = text.find("\n\n", body + 2);
  std::string note(text.substr(0, end == text.npos ? end : end + 1));
  text.remove_prefix(end == text.npos ? text.size() : end + 2);
  return note;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

std::string SplitView::text() const {
  std::string out = fmt::format("{}\n", split_view_header);
  if (root) out += to_base64(view(*root)) + "\n";
  for (const Hash& hash : proof) out += to_base64(view(hash)) + "\n";
  return out + "\n" + older + "\n" + newer;
}

std::optional<SplitView> SplitView::parse(std::string_view text) {
  auto head_end = text.find("\n\n");
  if (head_end == text.npos) return std::nullopt;
  std::istringstream head{std::string(text.substr(0, head_end))};
  std::string line;
  if (!std::getline(head, line) || line != split_view_header) return std::nullopt;
  SplitView evidence;
  while (std::getline(head, line)) {
    auto hash = parse_hash(line);
    if (!hash || evidence.proof.size() == max_hashes) return std::nullopt;
    if (evidence.root)
      evidence.proof.push_back(*hash);
    else
      evidence.root = hash;
  }
  text.remove_prefix(head_end + 2);
  auto older = take_note(text), newer = take_note(text);
  if (!older || !newer || !text.empty()) return std::nullopt;
  evidence.older = *std::move(older);
  evidence.newer = *std::move(newer);
  return evidence;
}

Proven<ProvenSplit> check_split_view(const SplitView& evidence, const log::VerifierKey& vkey) {
  auto older = check_checkpoint(evidence.older, vkey), newer = check_checkpoint(evidence.newer, vkey);
  if (!older) return tl::unexpected(older.error());
  if (!newer) return tl::unexpected(newer.error());
  ProvenSplit split{*older, *newer};
  if (older->size == newer->size) {
    if (older->root != newer->root) return split;
    return tl::unexpected<std::string>("this is no split view: both checkpoints say the same");
  }
  bool other_beginning =
      evidence.root && *evidence.root != older->root &&
      log::verify_consistency(older->size, *evidence.root, newer->size, newer->root, evidence.proof);
  if (!other_beginning)
    return tl::unexpected<std::string>(
        "this proves no split view: it does not show that the newer log begins otherwise than the older one");
  return split;
}

std::string describe(const ProvenSplit& split) {
  auto one = [](const log::Checkpoint& checkpoint) {
    return fmt::format("{} entries with the root {}", checkpoint.size, to_hex(checkpoint.root));
  };
  return fmt::format("\"{}\" signed two histories that cannot both be true: {}, and {}{}", split.older.origin,
                     one(split.older), one(split.newer),
                     split.older.size == split.newer.size
                         ? ""
                         : fmt::format(", whose first {} entries are others", split.older.size));
}

fs::path CheckpointMemory::default_directory(const std::string& named) {
  if (named == "off") return {};
  if (!named.empty()) return named;
  if (auto state = variable("XDG_STATE_HOME"); !state.empty())
    return fs::path(state) / "windlass" / "checkpoints";
  auto home = variable("HOME");
  return home.empty() ? fs::path() : fs::path(home) / ".config" / "windlass" / "checkpoints";
}

fs::path CheckpointMemory::file(const log::VerifierKey& vkey) const {
  // By the key and not by the origin alone: another key is another log.
  return directory_.empty() ? fs::path() : directory_ / to_hex(sha256(vkey.text())).substr(0, 32);
}

std::optional<std::string> CheckpointMemory::newest(const log::VerifierKey& vkey) const {
  if (directory_.empty()) return std::nullopt;
  std::ifstream in(file(vkey), std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || !check_checkpoint(text.str(), vkey)) return std::nullopt;
  return text.str();
}

void CheckpointMemory::keep(const log::VerifierKey& vkey, std::string_view note) const {
  if (directory_.empty()) return;
  std::error_code ignored;
  fs::create_directories(directory_, ignored);
  // Put in place at once, so that a command that runs at the same time never reads half a note.
  fs::path path = file(vkey), temporary = path;
  temporary += fmt::format(".{}", ::getpid());
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return;
  bool written = ::write(fd, note.data(), note.size()) == static_cast<ssize_t>(note.size());
  ::close(fd);
  if (written) fs::rename(temporary, path, ignored);
  if (!written || ignored) fs::remove(temporary, ignored);
}

}  // namespace windlass::client
