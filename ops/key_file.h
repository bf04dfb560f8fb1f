// Secret keys in files: one line of text, mode 0600, in the clear or under a passphrase.
//   a ledger or TRON key      64 hex digits
//   a log's or auditor's key  a note signer, `PRIVATE+KEY+name+id+key`
//   either, encrypted         `windlass-encrypted-key-v1 LOG2_N R P SALT NONCE DATA`: scrypt (N = 2^LOG2_N,
//   R, P) over the
//                             passphrase and SALT (16 bytes, hex) gives the key of AES-256-GCM with NONCE (12
//                             bytes, hex); DATA (hex) is the ciphertext of the line and the 16-byte tag; all
//                             that stands before DATA is authenticated too
// A failure is a sentence that says what was wrong and what would be right; it never holds key material.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <tl/expected.hpp>
#include <variant>

#include "crypto/secp256k1.h"
#include "ledger/log/note.h"

namespace windlass::ops {

// Text that is wiped when it goes.
class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::string text) : text_(std::move(text)) {}
  SecretText(SecretText&& other) noexcept;
  SecretText& operator=(SecretText&& other) noexcept;
  ~SecretText();
  std::string& reveal() { return text_; }
  const std::string& reveal() const { return text_; }

 private:
  void wipe();
  std::string text_;
};

// Asked only for a file that is encrypted. The failure says why none was given and how one would be.
using AskPassphrase = std::function<tl::expected<SecretText, std::string>(const std::filesystem::path& file)>;
AskPassphrase no_passphrase();
AskPassphrase passphrase_from(std::string passphrase);  // empty: none

// The file's line. Refuses what is not a regular file, what group or others may read, and more than 4 KiB.
tl::expected<SecretText, std::string> read_secret_file(const std::filesystem::path& file,
                                                       const AskPassphrase& ask = no_passphrase());
// Writes `line` and a newline, all or nothing. Never replaces a file: a key is too easy to lose. An empty
// passphrase leaves it in the clear. Missing folders are made with mode 0700.
tl::expected<void, std::string> write_secret_file(const std::filesystem::path& file, const SecretText& line,
                                                  const SecretText& passphrase = {});

tl::expected<SecretKey, std::string> read_key_file(const std::filesystem::path& file,
                                                   const AskPassphrase& ask = no_passphrase());
tl::expected<void, std::string> write_key_file(const std::filesystem::path& file, const SecretKey& key,
                                               const SecretText& passphrase = {});

tl::expected<log::NoteSigner, std::string> read_note_key_file(const std::filesystem::path& file,
                                                              const AskPassphrase& ask = no_passphrase());
tl::expected<void, std::string> write_note_key_file(const std::filesystem::path& file,
                                                    const log::NoteSigner& key,
                                                    const SecretText& passphrase = {});

// Whichever of the two it holds.
using AnyKey = std::variant<SecretKey, log::NoteSigner>;
tl::expected<AnyKey, std::string> read_any_key_file(const std::filesystem::path& file,
                                                    const AskPassphrase& ask = no_passphrase());

}  // namespace windlass::ops
