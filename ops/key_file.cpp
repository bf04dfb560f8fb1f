#include "ops/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <sstream>

namespace windlass::ops {
namespace {

namespace fs = std::filesystem;
using Failure = tl::unexpected<std::string>;

constexpr std::string_view encrypted_prefix = "windlass-encrypted-key-v1 ";
constexpr off_t max_file_bytes = 4096;  // an encrypted note key takes about 400
constexpr std::size_t salt_bytes = 16, nonce_bytes = 12, tag_bytes = 16, cipher_key_bytes = 32;

// What scrypt costs: 128 MiB and some 0.4 s. A file may ask for less, and for not much more: it must not be
// able to exhaust the memory of who reads it.
struct ScryptCost {
  std::uint64_t log2_n = 17, r = 8, p = 1;
  bool is_sane() const { return log2_n >= 1 && log2_n <= 20 && r >= 1 && r <= 16 && p >= 1 && p <= 4; }
};

std::string errno_text() {
  return std::strerror(errno);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

struct WipedKey {
  ByteArray<cipher_key_bytes> bytes{};
  ~WipedKey() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

const std::uint8_t* raw(ByteView bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}
std::uint8_t* raw(std::string& bytes) {
  return reinterpret_cast<std::uint8_t*>(bytes.data());
}

bool derive_key(const SecretText& passphrase, ByteView salt, const ScryptCost& cost, WipedKey& key) {
  const std::string& text = passphrase.reveal();
  std::uint64_t n = std::uint64_t{1} << cost.log2_n;
  std::uint64_t memory = 128 * cost.r * (n + cost.p + 2);
  return EVP_PBE_scrypt(text.data(), text.size(), raw(salt), salt.size(), n, cost.r, cost.p, memory,
                        key.bytes.data(), key.bytes.size()) == 1;
}

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

// `header`: the text before the data, authenticated with it.
std::optional<std::string> seal(const WipedKey& key, ByteView nonce, ByteView header, ByteView plain) {
  Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  std::string out(plain.size() + tag_bytes, '\0');
  int count = 0;
  bool good =
      cipher &&
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.bytes.data(), raw(nonce)) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &count, raw(header), static_cast<int>(header.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), raw(out), &count, raw(plain), static_cast<int>(plain.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), nullptr, &count) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(tag_bytes),
                          raw(out) + plain.size()) == 1;
  if (!good) return std::nullopt;
  return out;
}

std::optional<SecretText> unseal(const WipedKey& key, ByteView nonce, ByteView header, std::string data) {
  if (data.size() < tag_bytes) return std::nullopt;
  Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  std::size_t size = data.size() - tag_bytes;
  SecretText out(std::string(size, '\0'));
  int count = 0;
  bool good =
      cipher &&
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.bytes.data(), raw(nonce)) == 1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &count, raw(header), static_cast<int>(header.size())) == 1 &&
      EVP_DecryptUpdate(cipher.get(), raw(out.reveal()), &count, raw(data), static_cast<int>(size)) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(tag_bytes),
                          raw(data) + size) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), nullptr, &count) == 1;
  if (!good) return std::nullopt;
  return out;
}

std::optional<std::string> encrypt_line(const SecretText& line, const SecretText& passphrase) {
  ScryptCost cost;
  auto salt = random_array<salt_bytes>();
  auto nonce = random_array<nonce_bytes>();
  std::string header = fmt::format("{}{} {} {} {} {} ", encrypted_prefix, cost.log2_n, cost.r, cost.p,
                                   to_hex(salt), to_hex(nonce));
  WipedKey key;
  if (!derive_key(passphrase, view(salt), cost, key)) return std::nullopt;
  auto data = seal(key, view(nonce), header, line.reveal());
  if (!data) return std::nullopt;
  return header + to_hex(*data);
}

tl::expected<SecretText, std::string> decrypt_line(const fs::path& file, const std::string& text,
                                                   const AskPassphrase& ask) {
  ScryptCost cost;
  std::string salt_hex, nonce_hex, data_hex, rest;
  std::istringstream fields(text.substr(encrypted_prefix.size()));
  fields >> cost.log2_n >> cost.r >> cost.p >> salt_hex >> nonce_hex >> data_hex;
  auto salt = from_hex(salt_hex), nonce = from_hex(nonce_hex), data = from_hex(data_hex);
  bool good = fields && !(fields >> rest) && cost.is_sane() && salt && salt->size() == salt_bytes && nonce &&
              nonce->size() == nonce_bytes && data;
  if (!good)
    return Failure(fmt::format("{}: a damaged encrypted key; restore the file from a backup", file.string()));
  auto passphrase = ask(file);
  if (!passphrase)
    return Failure(fmt::format("{}: the key is encrypted, and no passphrase was given: {}", file.string(),
                               passphrase.error()));
  WipedKey key;
  if (!derive_key(*passphrase, *salt, cost, key))
    return Failure(fmt::format("{}: not enough memory to derive the key (scrypt)", file.string()));
  std::string header = text.substr(0, text.rfind(' ') + 1);
  auto line = unseal(key, *nonce, header, std::move(*data));
  if (!line) return Failure(fmt::format("{}: wrong passphrase, or the file was changed", file.string()));
  return std::move(*line);
}

// What the file holds, after the checks on the file itself.
tl::expected<SecretText, std::string> read_guarded(const fs::path& file) {
  Descriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!opened.is_open() || ::fstat(opened.get(), &status) != 0)
    return Failure(fmt::format("{}: cannot be opened: {}", file.string(), errno_text()));
  if (!S_ISREG(status.st_mode)) return Failure(fmt::format("{}: not a regular file", file.string()));
  if ((status.st_mode & 077) != 0)
    return Failure(fmt::format("{}: others may read this key (mode {:04o}); run: chmod 600 {}", file.string(),
                               status.st_mode & 07777, file.string()));
  if (status.st_size > max_file_bytes)
    return Failure(fmt::format("{}: too large to be a key", file.string()));
  SecretText text(std::string(static_cast<std::size_t>(status.st_size), '\0'));
  if (::read(opened.get(), text.reveal().data(), text.reveal().size()) != status.st_size)
    return Failure(fmt::format("{}: cannot be read: {}", file.string(), errno_text()));
  return text;
}

tl::expected<void, std::string> write_all(const fs::path& file, const std::string& text) {
  Descriptor opened(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  bool good = opened.is_open() && ::fchmod(opened.get(), 0600) == 0 &&
              ::write(opened.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
              ::fsync(opened.get()) == 0;
  if (good) return {};
  return Failure(fmt::format("{}: cannot be written: {}", file.string(), errno_text()));
}

tl::expected<void, std::string> make_folder(const fs::path& folder) {
  if (folder.empty() || fs::exists(folder)) return {};
  if (auto parent = make_folder(folder.parent_path()); !parent) return parent;
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return Failure(fmt::format("{}: cannot be made: {}", folder.string(), errno_text()));
}

}  // namespace

SecretText::SecretText(SecretText&& other) noexcept : text_(other.text_) {
  other.wipe();  // a short string is copied by a move, and would stay behind
}
SecretText& SecretText::operator=(SecretText&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  text_ = other.text_;
  other.wipe();
  return *this;
}
SecretText::~SecretText() {
  wipe();
}
void SecretText::wipe() {
  OPENSSL_cleanse(text_.data(), text_.size());
  text_.clear();
}

AskPassphrase no_passphrase() {
  return [](const fs::path&) -> tl::expected<SecretText, std::string> {
    return Failure("this program takes none, so name a file that holds the key in the clear");
  };
}
AskPassphrase passphrase_from(std::string passphrase) {
  if (passphrase.empty()) return no_passphrase();
  auto kept = std::make_shared<SecretText>(std::move(passphrase));
  return [kept](const fs::path&) { return SecretText(kept->reveal()); };
}

tl::expected<SecretText, std::string> read_secret_file(const fs::path& file, const AskPassphrase& ask) {
  auto text = read_guarded(file);
  if (!text) return text;
  std::string& line = text->reveal();
  if (!line.empty() && line.back() == '\n') line.pop_back();
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.starts_with(encrypted_prefix)) return decrypt_line(file, line, ask);
  return text;
}

// A temporary file becomes the key by link(), which never replaces: a crash leaves a whole key or none.
tl::expected<void, std::string> write_secret_file(const fs::path& file, const SecretText& line,
                                                  const SecretText& passphrase) {
  SecretText text(line.reveal());
  if (!passphrase.reveal().empty()) {
    auto encrypted = encrypt_line(line, passphrase);
    if (!encrypted) return Failure(fmt::format("{}: the key could not be encrypted", file.string()));
    text = SecretText(std::move(*encrypted));
  }
  text.reveal() += '\n';
  if (auto made = make_folder(file.parent_path()); !made) return made;
  fs::path temporary = file;
  temporary += "." + to_hex(random_array<8>()) + ".new";
  auto result = write_all(temporary, text.reveal());
  if (result && ::link(temporary.c_str(), file.c_str()) != 0)
    result =
        Failure(errno == EEXIST ? fmt::format("{}: exists already and is never replaced; name another file",
                                              file.string())
                                : fmt::format("{}: cannot be made: {}", file.string(), errno_text()));
  ::unlink(temporary.c_str());
  Descriptor folder(::open(file.has_parent_path() ? file.parent_path().c_str() : ".", O_RDONLY | O_CLOEXEC));
  if (folder.is_open()) ::fsync(folder.get());
  return result;
}

tl::expected<AnyKey, std::string> read_any_key_file(const fs::path& file, const AskPassphrase& ask) {
  auto line = read_secret_file(file, ask);
  if (!line) return Failure(line.error());
  if (auto signer = log::NoteSigner::parse(line->reveal())) return AnyKey(*std::move(signer));
  SecretText bytes(from_hex(line->reveal()).value_or(""));
  if (auto key = SecretKey::from_bytes(bytes.reveal())) return AnyKey(*std::move(key));
  return Failure(
      fmt::format("{}: no key: a ledger or TRON key is one line of 64 hex digits, a log's or auditor's is "
                  "one line PRIVATE+KEY+name+id+key",
                  file.string()));
}

tl::expected<SecretKey, std::string> read_key_file(const fs::path& file, const AskPassphrase& ask) {
  auto key = read_any_key_file(file, ask);
  if (!key) return Failure(key.error());
  if (auto* found = std::get_if<SecretKey>(&*key)) return std::move(*found);
  return Failure(fmt::format(
      "{}: a log's or auditor's key, not a secp256k1 key; such a file is one line of 64 hex digits",
      file.string()));
}

tl::expected<void, std::string> write_key_file(const fs::path& file, const SecretKey& key,
                                               const SecretText& passphrase) {
  return write_secret_file(file, SecretText(to_hex(key.reveal())), passphrase);
}

tl::expected<log::NoteSigner, std::string> read_note_key_file(const fs::path& file,
                                                              const AskPassphrase& ask) {
  auto key = read_any_key_file(file, ask);
  if (!key) return Failure(key.error());
  if (auto* found = std::get_if<log::NoteSigner>(&*key)) return std::move(*found);
  return Failure(
      fmt::format("{}: a secp256k1 key, not a note key; such a file is one line, PRIVATE+KEY+name+id+key",
                  file.string()));
}

tl::expected<void, std::string> write_note_key_file(const fs::path& file, const log::NoteSigner& key,
                                                    const SecretText& passphrase) {
  return write_secret_file(file, SecretText(key.secret_text()), passphrase);
}

}  // namespace windlass::ops
