#include "client/cli/table.h"

namespace windlass::cli {
namespace {

Result<ops::SecretText> new_passphrase(bool wanted) {
  if (!wanted) return ops::SecretText();
  auto first = ask_passphrase("new passphrase: ");
  auto second = ask_passphrase("once more: ");
  if (!first) return tl::unexpected(first.error());
  if (!second) return tl::unexpected(second.error());
  if (*first != *second) return usage_error("the two passphrases differ; nothing was written");
  if (first->empty()) return usage_error("an empty passphrase protects nothing; leave --passphrase away");
  return ops::SecretText(*std::move(first));
}

void show_public(Context& context, const PublicKey& key, const std::string& file) {
  std::string address = tron::to_base58(tron::address_of(key));
  if (context.json())
    fmt::print("{}\n", JsonObject().add("key", to_hex(key)).add("address", address).add("file", file).text());
  else
    fmt::print("key      {}\naddress  {}\nfile     {}\n", to_hex(key), address, file);
}

void show_public(Context& context, const log::VerifierKey& key, const std::string& file) {
  if (context.json())
    fmt::print("{}\n", JsonObject().add("vkey", key.text()).add("file", file).text());
  else
    fmt::print("vkey  {}\nfile  {}\n", key.text(), file);
}

Result<int> write_key(Context& context, const SecretKey& key, bool with_passphrase) {
  auto passphrase = new_passphrase(with_passphrase);
  if (!passphrase) return tl::unexpected(passphrase.error());
  if (auto written = ops::write_key_file(context.key_path(), key, *passphrase); !written)
    return usage_error(written.error());
  show_public(context, key.public_key(), context.key_path());
  return 0;
}

Run key_new(CLI::App& app) {
  auto passphrase = std::make_shared<bool>(false);
  app.add_flag("--passphrase", *passphrase, "encrypt the file; asked for, or from WINDLASS_PASSPHRASE");
  return [=](Context& context) { return write_key(context, SecretKey::generate(), *passphrase); };
}

Run key_new_auditor(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  auto passphrase = std::make_shared<bool>(false);
  app.add_option("name", *name, "of the auditor, as a host name: audits.example.org")->required();
  app.add_flag("--passphrase", *passphrase, "encrypt the file; asked for, or from WINDLASS_PASSPHRASE");
  return [=](Context& context) -> Result<int> {
    if (!log::is_note_name(*name)) return usage_error("a name has no white space and no plus sign");
    auto secret = new_passphrase(*passphrase);
    if (!secret) return tl::unexpected(secret.error());
    log::NoteSigner signer(*name, Ed25519SecretKey::generate());
    if (auto written = ops::write_note_key_file(context.key_path(), signer, *secret); !written)
      return usage_error(written.error());
    show_public(context, signer.verifier(), context.key_path());
    return 0;
  };
}

Run key_import(CLI::App& app) {
  auto passphrase = std::make_shared<bool>(false);
  auto from = std::make_shared<std::string>("-");
  app.add_option("from", *from, "a file with 64 hex digits; - is standard input")->capture_default_str();
  app.add_flag("--passphrase", *passphrase, "encrypt the file; asked for, or from WINDLASS_PASSPHRASE");
  return [=](Context& context) -> Result<int> {
    auto text = read_file(*from);
    if (!text) return tl::unexpected(text.error());
    while (!text->empty() && std::isspace(static_cast<unsigned char>(text->back()))) text->pop_back();
    auto bytes = from_hex(*text);
    auto key = bytes ? SecretKey::from_bytes(*bytes) : std::nullopt;
    if (!key) return usage_error("this is no secret key: 64 hex digits, below the group's order, are one");
    return write_key(context, *key, *passphrase);
  };
}

Run key_show(CLI::App& app) {
  auto secret = std::make_shared<bool>(false);
  app.add_flag("--secret", *secret, "print the secret key: whoever sees it owns the account");
  return [=](Context& context) -> Result<int> {
    auto key = context.any_key();
    if (!key) return tl::unexpected(key.error());
    const auto* of_account = std::get_if<SecretKey>(&*key);
    const auto* of_auditor = std::get_if<log::NoteSigner>(&*key);
    if (*secret)
      fmt::print("{}\n", of_account ? to_hex(of_account->reveal()) : of_auditor->secret_text());
    else if (of_account)
      show_public(context, of_account->public_key(), context.key_path());
    else
      show_public(context, of_auditor->verifier(), context.key_path());
    return 0;
  };
}

Run key_rotate(CLI::App& app) {
  auto to = std::make_shared<std::string>();
  app.add_option("new", *to, "the new key's file; `windlass --key FILE key new` makes one")->required();
  return [=](Context& context) -> Result<int> {
    auto signer = context.signer();
    if (!signer) return tl::unexpected(signer.error());
    GlobalOptions of_new = context.options();
    of_new.key_file = *to;
    auto new_key = Context(of_new).secret_key();
    if (!new_key) return tl::unexpected(new_key.error());
    return context.submit(signer->sign_rotation(*new_key), "rotated: the old key is void from here on");
  };
}

Run refuse_btfs(CLI::App& app) {
  auto meant = std::make_shared<bool>(false);
  app.add_flag("--yes", *meant, "that it is meant: there is no way back");
  return [=](Context& context) -> Result<int> {
    if (!*meant)
      return usage_error(
          "the account would take nothing any more that historical BTFS clients sign, for good; "
          "if that is meant, say so with --yes");
    auto signer = context.signer();
    if (!signer) return tl::unexpected(signer.error());
    return context.submit(
        signer->sign(core::RefuseBtfs{}),
        "refused: nothing that historical BTFS clients sign binds the account from here on");
  };
}

}  // namespace

Commands key_commands() {
  return {
      {"key new", "makes a key", key_new},
      {"key new-auditor", "makes the key that `audit --cosign` signs with", key_new_auditor},
      {"key show",
       "shows the key that would sign: its public half and TRON address, or an auditor's verifier key",
       key_show},
      {"key import", "takes over a secret key", key_import},
      {"key rotate", "gives the account another key", key_rotate},
      {"refuse-btfs", "refuses all that historical BTFS clients sign for the account, for good", refuse_btfs},
  };
}

}  // namespace windlass::cli
