#include "ledger/log/note.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <limits>

namespace windlass::log {
namespace {

// What a key signs, the first byte of its text form and part of its id.
enum class KeyType : char { note = 0x01, cosignature_v1 = 0x04 };
constexpr std::string_view secret_prefix = "PRIVATE+KEY+";
constexpr std::string_view signature_prefix = "\xe2\x80\x94 ";  // an em dash and a space
constexpr std::string_view cosignature_header = "cosignature/v1\ntime ";
constexpr std::string_view promise_header = "windlass/promise/v1";
constexpr std::string_view audit_header = "windlass/audit/v1";
constexpr std::string_view reserved_origins = "windlass/";  // begins the texts of other notes
// Both as golang.org/x/mod/sumdb/note has them: a note that others would refuse is refused here too.
constexpr std::size_t max_note_bytes = 1'000'000;
constexpr std::size_t max_signatures = 100;
constexpr std::uint64_t max_cosignature_time_s = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t max_proof_hashes = 64;  // a path in a tree of 2^64 leaves

// Takes one character off the front of UTF-8 text; nothing when it is not well-formed.
std::optional<char32_t> take_character(std::string_view& text) {
  auto first = static_cast<std::uint8_t>(text[0]);
  std::size_t length = first < 0x80   ? 1
                       : first < 0xc2 ? 0
                       : first < 0xe0 ? 2
                       : first < 0xf0 ? 3
                       : first < 0xf5 ? 4
                                      : 0;
  if (length == 0 || text.size() < length) return std::nullopt;
  char32_t character = length == 1 ? first : first & (0x7fU >> length);
  for (char c : text.substr(1, length - 1)) {
    if ((c & 0xc0) != 0x80) return std::nullopt;
    character = character << 6 | (c & 0x3f);
  }
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  bool surrogate = character >= 0xd800 && character <= 0xdfff;
  if (character < smallest[length] || character > 0x10ffff || surrogate) return std::nullopt;
  text.remove_prefix(length);
  return character;
}

// UTF-8 in which every character is as `allowed` wants it.
template <typename Predicate>
bool all_characters(std::string_view text, Predicate allowed) {
  while (!text.empty()) {
    auto character = take_character(text);
    if (!character || !allowed(*character)) return false;
  }
  return true;
}

bool is_space(char32_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

bool is_note_text(std::string_view text) {
  return text.size() <= max_note_bytes &&
         all_characters(text, [](char32_t c) { return c >= 0x20 || c == '\n'; });
}

bool is_origin(std::string_view origin) {
  return !origin.empty() && !origin.starts_with(reserved_origins) &&
         all_characters(origin, [](char32_t c) { return c >= 0x20; });
}

bool consume_prefix(std::string_view& text, std::string_view prefix) {
  bool has_prefix = text.starts_with(prefix);
  if (has_prefix) text.remove_prefix(prefix.size());
  return has_prefix;
}

// The parts between the first `count - 1` separators, or fewer; the last one is all that is left.
std::vector<std::string_view> split(std::string_view text, char separator,
                                    std::size_t count = std::string_view::npos) {
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < count && text.find(separator) != std::string_view::npos) {
    parts.push_back(text.substr(0, text.find(separator)));
    text.remove_prefix(parts.back().size() + 1);
  }
  parts.push_back(text);
  return parts;
}

// The lines of a text that ends in a newline; none when it does not.
std::vector<std::string_view> lines_of(std::string_view text) {
  if (!text.ends_with('\n')) return {};
  return split(text.substr(0, text.size() - 1), '\n');
}

std::string join(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (std::string_view part : parts) out.append(part);
  return out;
}

std::string to_lines(std::initializer_list<std::string_view> fields) {
  std::string out;
  for (std::string_view field : fields) out.append(field).append(1, '\n');
  return out;
}

template <typename Integer>
std::optional<Integer> parse_decimal(std::string_view text) {
  Integer value = 0;
  auto end = std::from_chars(text.data(), text.data() + text.size(), value).ptr;
  // Printing it again rules out leading zeros, an overflow and an empty text.
  if (end != text.data() + text.size() || value < 0 || std::to_string(value) != text) return std::nullopt;
  return value;
}

std::optional<Hash> parse_hash(std::string_view text) {
  auto bytes = from_base64(text);
  return bytes ? to_array<32>(*bytes) : std::nullopt;
}

std::uint32_t key_id_of(std::string_view name, ByteView typed_key) {
  return ByteReader(view(sha256({name, "\n", typed_key}))).be<std::uint32_t>();
}

std::string typed(KeyType type, const ByteArray<32>& key) {
  return join({std::string(1, static_cast<char>(type)), view(key)});
}

std::string key_text(std::string_view name, std::uint32_t key_id, std::string_view typed_key) {
  std::string id;
  append_be(id, key_id);
  return join({name, "+", to_hex(id), "+", to_base64(typed_key)});
}

struct KeyFields {
  std::string_view name;
  ByteArray<32> key;
};

// `name+hex8+base64(type || key)`.
std::optional<KeyFields> parse_key(std::string_view text, KeyType type) {
  auto parts = split(text, '+', 3);
  if (parts.size() != 3 || !is_note_name(parts[0])) return std::nullopt;
  auto bytes = from_base64(parts[2]);
  if (!bytes || bytes->size() != 33 || bytes->front() != static_cast<char>(type)) return std::nullopt;
  return KeyFields{parts[0], *to_array<32>(ByteView(*bytes).substr(1))};
}

// The one spelling: the key id is right and in lower case.
template <typename Key>
std::optional<Key> parse_verifier(std::string_view vkey, KeyType type) {
  auto fields = parse_key(vkey, type);
  if (!fields) return std::nullopt;
  Key out = Key::of(fields->name, fields->key);
  return out.text() == vkey ? std::optional(out) : std::nullopt;
}

struct NoteParts {
  std::string_view text;        // with its last newline
  std::string_view signatures;  // one or more lines
};

std::optional<NoteParts> split_note(std::string_view note) {
  if (!is_note_text(note)) return std::nullopt;
  auto split = note.rfind("\n\n");
  if (split == std::string_view::npos || split + 2 == note.size() || note.back() != '\n') return std::nullopt;
  return NoteParts{note.substr(0, split + 1), note.substr(split + 2)};
}

struct SignatureLine {
  std::string_view name;
  std::uint32_t key_id;
  std::string signature;
};

std::optional<SignatureLine> parse_signature(std::string_view line) {
  if (!consume_prefix(line, signature_prefix)) return std::nullopt;
  auto fields = split(line, ' ', 2);
  auto bytes = fields.size() == 2 ? from_base64(fields[1]) : std::nullopt;
  if (!bytes || bytes->size() < 5 || !is_note_name(fields[0])) return std::nullopt;
  return SignatureLine{fields[0], ByteReader(*bytes).be<std::uint32_t>(), bytes->substr(4)};
}

std::string line_of(std::string_view name, std::uint32_t key_id, std::string_view signature) {
  std::string bytes;
  append_be(bytes, key_id);
  return join({signature_prefix, name, " ", to_base64(join({bytes, signature})), "\n"});
}

// The first signature line of a whole note under that name and key id.
template <typename Key>
tl::expected<SignatureLine, std::string> find_signature(std::string_view signatures, const Key& key) {
  auto lines = lines_of(signatures);
  if (lines.size() > max_signatures)
    return tl::unexpected<std::string>("the note has more than " + std::to_string(max_signatures) +
                                       " signatures");
  std::optional<SignatureLine> found;
  for (std::string_view line : lines) {
    auto signature = parse_signature(line);
    if (!signature) return tl::unexpected<std::string>("a signature line of the note is malformed");
    if (!found && signature->name == key.name && signature->key_id == key.key_id)
      found = std::move(signature);
  }
  if (!found) return tl::unexpected<std::string>("the note carries no signature of " + key.text());
  return *std::move(found);
}

tl::expected<NoteParts, std::string> parts_of(std::string_view note) {
  auto parts = split_note(note);
  if (!parts)
    return tl::unexpected<std::string>(
        "this is not a signed note: text, a blank line and signature lines are wanted");
  return *parts;
}

std::string cosigned_message(std::string_view text, std::uint64_t time_s) {
  return join({cosignature_header, std::to_string(time_s), "\n", text});
}

}  // namespace

bool is_note_name(std::string_view name) {
  return !name.empty() &&
         all_characters(name, [](char32_t c) { return c > 0x20 && c != '+' && !is_space(c); });
}

std::optional<VerifierKey> VerifierKey::parse(std::string_view vkey) {
  return parse_verifier<VerifierKey>(vkey, KeyType::note);
}

VerifierKey VerifierKey::of(std::string_view name, const Ed25519PublicKey& key) {
  return {std::string(name), key_id_of(name, typed(KeyType::note, key)), key};
}

std::string VerifierKey::text() const {
  return key_text(name, key_id, typed(KeyType::note, key));
}

std::optional<WitnessKey> WitnessKey::parse(std::string_view vkey) {
  return parse_verifier<WitnessKey>(vkey, KeyType::cosignature_v1);
}

WitnessKey WitnessKey::of(std::string_view name, const Ed25519PublicKey& key) {
  return {std::string(name), key_id_of(name, typed(KeyType::cosignature_v1, key)), key};
}

std::string WitnessKey::text() const {
  return key_text(name, key_id, typed(KeyType::cosignature_v1, key));
}

NoteSigner::NoteSigner(const std::string& name, const Ed25519SecretKey& key)
    : key_(key), verifier_(VerifierKey::of(name, key_.public_key())) {
  assert(is_note_name(name));
}

std::optional<NoteSigner> NoteSigner::parse(std::string_view skey) {
  if (!consume_prefix(skey, secret_prefix)) return std::nullopt;
  auto fields = parse_key(skey, KeyType::note);
  if (!fields) return std::nullopt;
  NoteSigner out(std::string(fields->name), Ed25519SecretKey::from_seed(fields->key));
  if (join({secret_prefix, skey}) != out.secret_text()) return std::nullopt;
  return out;
}

std::string NoteSigner::secret_text() const {
  return join(
      {secret_prefix, key_text(verifier_.name, verifier_.key_id, typed(KeyType::note, key_.reveal_seed()))});
}

std::string NoteSigner::sign(std::string_view text) const {
  assert(text.ends_with('\n') && is_note_text(text));
  return join({text, "\n", signature_line(text)});
}

std::string NoteSigner::cosign(std::string_view note) const {
  auto parts = split_note(note);
  assert(parts);
  return join({note, signature_line(parts->text)});
}

std::string NoteSigner::signature_line(std::string_view text) const {
  return line_of(verifier_.name, verifier_.key_id, view(key_.sign(text)));
}

WitnessSigner::WitnessSigner(const std::string& name, const Ed25519SecretKey& key)
    : key_(key), verifier_(WitnessKey::of(name, key_.public_key())) {
  assert(is_note_name(name));
}

std::string WitnessSigner::cosign(std::string_view text, std::uint64_t time_s) const {
  std::string signature;
  append_be(signature, time_s);
  signature += view(key_.sign(cosigned_message(text, time_s)));
  return line_of(verifier_.name, verifier_.key_id, signature);
}

tl::expected<std::string, std::string> open_note(std::string_view note, const VerifierKey& key) {
  auto parts = parts_of(note);
  if (!parts) return tl::unexpected(parts.error());
  auto found = find_signature(parts->signatures, key);
  if (!found) return tl::unexpected(found.error());
  if (!verify_ed25519(key.key, parts->text, found->signature))
    return tl::unexpected<std::string>("the note's signature of " + key.text() + " is wrong");
  return std::string(parts->text);
}

tl::expected<Cosignature, std::string> open_cosignature(std::string_view note, const WitnessKey& key) {
  auto parts = parts_of(note);
  if (!parts) return tl::unexpected(parts.error());
  auto found = find_signature(parts->signatures, key);
  if (!found) return tl::unexpected(found.error());
  constexpr std::size_t size = sizeof(std::uint64_t) + sizeof(Ed25519Signature);
  auto time_s = found->signature.size() == size ? ByteReader(found->signature).be<std::uint64_t>() : 0;
  ByteView signature = ByteView(found->signature).substr(std::min(found->signature.size(), sizeof time_s));
  bool is_dated = time_s > 0 && time_s <= max_cosignature_time_s;
  if (!is_dated || !verify_ed25519(key.key, cosigned_message(parts->text, time_s), signature))
    return tl::unexpected<std::string>("the note's cosignature of " + key.text() + " is wrong");
  return Cosignature{time_s, line_of(key.name, key.key_id, found->signature)};
}

std::string add_checkpoint_body(std::uint64_t old_size, const Proof& proof, std::string_view note) {
  std::string body = join({"old ", std::to_string(old_size), "\n"});
  for (const Hash& hash : proof) body += to_lines({to_base64(view(hash))});
  return join({body, "\n", note});
}

std::optional<std::uint64_t> parse_witness_size(std::string_view body) {
  auto lines = lines_of(body);
  return lines.size() == 1 ? parse_decimal<std::uint64_t>(lines[0]) : std::nullopt;
}

std::string Checkpoint::text() const {
  return to_lines({origin, std::to_string(size), to_base64(view(root))});
}

std::optional<Checkpoint> Checkpoint::of_own_note(std::string_view note) {
  auto parts = parts_of(note);
  return parts ? parse(parts->text) : std::nullopt;
}

std::optional<Checkpoint> Checkpoint::parse(std::string_view text) {
  auto lines = lines_of(text);
  if (lines.size() != 3 || !is_origin(lines[0])) return std::nullopt;
  auto size = parse_decimal<std::uint64_t>(lines[1]);
  auto root = parse_hash(lines[2]);
  if (!size || !root) return std::nullopt;
  return Checkpoint{std::string(lines[0]), *size, *root};
}

std::string Promise::text() const {
  return to_lines({promise_header, origin, std::to_string(first_sequence), std::to_string(count),
                   to_base64(view(batch_root)), std::to_string(time_us)});
}

std::optional<Promise> Promise::parse(std::string_view text) {
  auto lines = lines_of(text);
  if (lines.size() != 6 || lines[0] != promise_header || !is_origin(lines[1])) return std::nullopt;
  auto first = parse_decimal<std::uint64_t>(lines[2]);
  auto count = parse_decimal<std::uint64_t>(lines[3]);
  auto root = parse_hash(lines[4]);
  auto time_us = parse_decimal<std::int64_t>(lines[5]);
  if (!first || !count || !root || !time_us) return std::nullopt;
  if (*count == 0 || *first > std::numeric_limits<std::uint64_t>::max() - *count) return std::nullopt;
  return Promise{std::string(lines[1]), *first, *count, *root, *time_us};
}

std::string AuditStatement::text() const {
  return to_lines({audit_header, origin, std::to_string(size), to_base64(view(root)),
                   std::to_string(snapshot_sequence), to_base64(view(snapshot_root))});
}

std::optional<AuditStatement> AuditStatement::parse(std::string_view text) {
  auto lines = lines_of(text);
  if (lines.size() != 6 || lines[0] != audit_header || !is_origin(lines[1])) return std::nullopt;
  auto size = parse_decimal<std::uint64_t>(lines[2]);
  auto root = parse_hash(lines[3]);
  auto sequence = parse_decimal<std::uint64_t>(lines[4]);
  auto snapshot_root = parse_hash(lines[5]);
  if (!size || !root || !sequence || !snapshot_root || *sequence >= *size) return std::nullopt;
  return AuditStatement{std::string(lines[1]), *size, *root, *sequence, *snapshot_root};
}

std::string TlogProof::text() const {
  std::string out = to_lines({tlog_proof_header});
  if (!extra.empty()) out += join({"extra ", to_base64(extra), "\n"});
  out += join({"index ", std::to_string(index), "\n"});
  for (const Hash& hash : hashes) out += to_lines({to_base64(view(hash))});
  return join({out, "\n", checkpoint});
}

std::optional<TlogProof> TlogProof::parse(std::string_view text) {
  auto end_of_head = text.find("\n\n");
  if (end_of_head == std::string_view::npos || end_of_head + 2 == text.size()) return std::nullopt;
  auto lines = lines_of(text.substr(0, end_of_head + 1));
  TlogProof proof;
  proof.checkpoint = text.substr(end_of_head + 2);
  auto line = lines.begin();
  if (*line != tlog_proof_header || ++line == lines.end()) return std::nullopt;
  if (consume_prefix(*line, "extra ")) {
    auto extra = from_base64(*line);
    if (!extra || extra->empty() || ++line == lines.end()) return std::nullopt;
    proof.extra = *extra;
  }
  auto index = consume_prefix(*line, "index ") ? parse_decimal<std::uint64_t>(*line) : std::nullopt;
  if (!index || static_cast<std::size_t>(lines.end() - ++line) > max_proof_hashes) return std::nullopt;
  proof.index = *index;
  for (; line != lines.end(); ++line) {
    auto hash = parse_hash(*line);
    if (!hash) return std::nullopt;
    proof.hashes.push_back(*hash);
  }
  return proof;
}

}  // namespace windlass::log
