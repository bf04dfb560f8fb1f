// What every command of the command line shares: global options, the connection, the signer's key, output.
#pragma once

#include <fmt/format.h>

#include <iostream>

#include "anchoring/tron/node.h"
#include "client/amounts.h"
#include "client/commands.h"
#include "client/connection.h"
#include "client/json.h"
#include "client/verify.h"
#include "ops/key_file.h"

namespace windlass::cli {

using namespace windlass::client;

struct GlobalOptions {
  std::string key_file;  // --key; empty: WINDLASS_KEY, else ~/.config/windlass/key
  std::string address;   // --address; WINDLASS_ADDRESS
  std::string ca_file;   // --ca
  std::string vkey;      // --vkey; WINDLASS_LOG_VKEY; empty: what the ledger says
  std::string tron;      // --tron; WINDLASS_TRON_GRPC
  // --checkpoints; WINDLASS_CHECKPOINTS: where the newest checkpoint seen is remembered. "off": nowhere.
  std::string checkpoints;
  int deadline_ms = 10'000;
  bool json = false;
};

class Context {
 public:
  explicit Context(GlobalOptions options) : options_(std::move(options)) {}

  const GlobalOptions& options() const { return options_; }
  bool json() const { return options_.json; }

  Connection& connection();
  Result<const Connection::Facts*> facts() { return connection().facts(); }

  std::string key_path() const;
  Result<SecretKey> secret_key() const;
  Result<ops::AnyKey> any_key() const;
  // Signs for this ledger with that key.
  Result<CommandSigner> signer();

  // A KEY argument: hex of 33 or 65 bytes, a key file, or a TRON address that the ledger has seen. Empty: our
  // own.
  Result<PublicKey> resolve(const std::string& text);
  Result<AssetAmount> amount(const std::vector<std::string>& words, const std::string& asset, bool units);
  std::string show(std::int64_t units, std::uint32_t asset);
  // What a channel's or withdrawal's amounts are of, from the ledger where nothing that was described before
  // told; nothing where it does not say.
  std::optional<std::uint32_t> channel_asset(core::ChannelId channel);
  void remember_channel_asset(core::ChannelId channel, std::uint32_t asset) {
    channel_assets_[channel.value] = asset;
  }

  // Whom signatures of the log are checked against. `trusted`: the user named it, not the ledger itself.
  struct LogKey {
    log::VerifierKey vkey;
    bool trusted = false;
  };
  Result<LogKey> log_key();
  // Null where no node is named.
  tron::Chain* chain();

  // Sends one command, checks the acknowledgement and its promise, and says what it did.
  Result<int> submit(const pb::SignedCommand& command, std::string_view what);

 private:
  std::optional<std::uint32_t> asset_of(const pb::SignedCommand& command);
  GlobalOptions options_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<tron::Node> node_;
  std::map<std::uint64_t, std::optional<std::uint32_t>> channel_assets_;
};

// An entry's postings in words, each a line: "account 12: 5 BTT available, 2 BTT in channels".
std::vector<std::string> describe(const std::vector<core::Posting>& postings, Context& context);
std::string_view kind_name(std::uint32_t kind);
std::string utc(std::int64_t time_us);
// "30d", "12h", "90m", "45s".
Result<std::int64_t> parse_duration_us(const std::string& text);
Result<std::string> read_file(const std::string& path);  // "-" is standard input

// Asks on the terminal, unseen; WINDLASS_PASSPHRASE answers in its place.
Result<std::string> ask_passphrase(const std::string& prompt);
// Asks so for a key file's.
ops::AskPassphrase terminal_passphrase();

}  // namespace windlass::cli
