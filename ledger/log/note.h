// Signed notes (C2SP signed-note): text, a blank line, signature lines. Ed25519 only. A checkpoint, a promise
// and an auditor's statement are notes whose text has one field a line. A witness signs a checkpoint together
// with the time (C2SP tlog-cosignature, v1).
#pragma once

#include <tl/expected.hpp>
#include <vector>

#include "crypto/ed25519.h"
#include "ledger/log/merkle.h"

namespace windlass::log {

// Verifier key, text form `name+hex8(key id)+base64(0x01 || public key)`.
struct VerifierKey {
  std::string name;
  std::uint32_t key_id = 0;
  Ed25519PublicKey key{};
  static std::optional<VerifierKey> parse(std::string_view vkey);
  static VerifierKey of(std::string_view name, const Ed25519PublicKey& key);
  std::string text() const;
};

// Signer key, text form `PRIVATE+KEY+name+hex8+base64(0x01 || seed)`.
class NoteSigner {
 public:
  NoteSigner(const std::string& name, const Ed25519SecretKey& key);  // a name that is_note_name
  static std::optional<NoteSigner> parse(std::string_view skey);
  std::string secret_text() const;  // for writing a key file, nothing else
  const VerifierKey& verifier() const { return verifier_; }
  // `text` is UTF-8 without control characters and ends in a newline; the answer is the whole note.
  std::string sign(std::string_view text) const;
  // A note with one more signature line. `note` is a whole note: open_note has opened it.
  std::string cosign(std::string_view note) const;

 private:
  std::string signature_line(std::string_view text) const;
  Ed25519SecretKey key_;
  VerifierKey verifier_;
};

// A note's name: not empty, no white space, no plus sign.
bool is_note_name(std::string_view name);

// The text of `note` when one of its signatures is `key`'s and good (signatures of others are ignored);
// otherwise a sentence that says what is wrong.
tl::expected<std::string, std::string> open_note(std::string_view note, const VerifierKey& key);

// A witness's verifier key, text form `name+hex8(key id)+base64(0x04 || public key)`.
struct WitnessKey {
  std::string name;
  std::uint32_t key_id = 0;
  Ed25519PublicKey key{};
  static std::optional<WitnessKey> parse(std::string_view vkey);
  static WitnessKey of(std::string_view name, const Ed25519PublicKey& key);
  std::string text() const;
};

struct Cosignature {
  std::uint64_t time_s = 0;  // Unix time at which the witness saw nothing newer
  std::string line;          // the signature line, with its newline: it may be added to the note
};
// `key`'s cosignature/v1 on `note`, a whole note whose other signatures are not looked at.
tl::expected<Cosignature, std::string> open_cosignature(std::string_view note, const WitnessKey& key);

// What a witness does; the ledger itself never cosigns.
class WitnessSigner {
 public:
  WitnessSigner(const std::string& name, const Ed25519SecretKey& key);  // a name that is_note_name
  const WitnessKey& verifier() const { return verifier_; }
  // The signature line for a note's text.
  std::string cosign(std::string_view text, std::uint64_t time_s) const;

 private:
  Ed25519SecretKey key_;
  WitnessKey verifier_;
};

// The body of POST add-checkpoint (C2SP tlog-witness): the size that the witness has, the proof from there,
// the signed checkpoint.
std::string add_checkpoint_body(std::uint64_t old_size, const Proof& proof, std::string_view note);
// Its answer 409: the size that the witness has.
std::optional<std::uint64_t> parse_witness_size(std::string_view body);

// checkpoint: `origin\nsize\nbase64(root)\n`
struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  Hash root{};
  std::string text() const;
  // Strict: decimal without leading zeros, 32-byte root, no extension lines, no origin under `windlass/`.
  static std::optional<Checkpoint> parse(std::string_view text);
  // Of a whole note, whose signatures nobody looks at: for notes that come from this very process.
  static std::optional<Checkpoint> of_own_note(std::string_view note);
};

// promise: `windlass/promise/v1\norigin\nfirst sequence\ncount\nbase64(batch root)\ntime_us\n`: these leaves
// will stand at these places of the log.
struct Promise {
  std::string origin;
  std::uint64_t first_sequence = 0;
  std::uint64_t count = 0;
  Hash batch_root{};
  std::int64_t time_us = 0;
  std::string text() const;
  // As strict as a checkpoint's; count at least 1, no sequence beyond 2^64 - 1, time not negative.
  static std::optional<Promise> parse(std::string_view text);
};

// auditor's statement: `windlass/audit/v1\norigin\nsize\nbase64(root)\nsnapshot sequence\nbase64(snapshot
// root)\n`: whoever signs it has replayed all entries of the log of this size, and found every rule kept and
// the snapshot's root right. Sequence 0 and a zero root: the log names no snapshot yet.
struct AuditStatement {
  std::string origin;
  std::uint64_t size = 0;
  Hash root{};
  std::uint64_t snapshot_sequence = 0;
  Hash snapshot_root{};
  std::string text() const;
  static std::optional<AuditStatement> parse(std::string_view text);
  bool operator==(const AuditStatement&) const = default;
};

constexpr std::string_view tlog_proof_header = "c2sp.org/tlog-proof@v1";  // its first line

// tlog-proof (C2SP): an inclusion proof and its checkpoint in one text.
struct TlogProof {
  std::string extra;  // opaque; empty: no such line (and an empty one is refused)
  std::uint64_t index = 0;
  Proof hashes;
  std::string checkpoint;  // the whole signed note
  std::string text() const;
  // At most 64 hashes. The checkpoint is taken as it stands: open_note judges it.
  static std::optional<TlogProof> parse(std::string_view text);
};

}  // namespace windlass::log
