// A server to measure: its own Postgres and windlassd as processes, with what they burn from the operating
// system.
#pragma once

#include "bench/grown_ledger.h"
#include "client/commands.h"
#include "client/connection.h"
#include "client/dev/postgres.h"

namespace windlass::bench {

class ServerUnderTest {
 public:
  // `growth`: what is in the ledger before the server starts; null: nothing.
  explicit ServerUnderTest(const Growth* growth = nullptr);
  ~ServerUnderTest();
  ServerUnderTest(const ServerUnderTest&) = delete;
  ServerUnderTest& operator=(const ServerUnderTest&) = delete;

  client::Connection& connection() { return *connection_; }
  const codec::SigningTag& tag() { return (*connection_->facts())->tag; }
  // Puts money on an account.
  void credit(const PublicKey& owner, core::Amount amount);

  // CPU seconds (user and system) that windlassd and all of Postgres have burned so far.
  double cpu_seconds() const;
  double windlassd_cpu_seconds() const;
  // Waits until balances are written through the last entry: what is put off is paid for.
  void wait_until_flushed();

 private:
  std::filesystem::path directory_;
  dev::ClusterPlace place_;
  std::optional<dev::Process> postgres_, windlassd_;
  std::optional<client::Connection> connection_;
  SecretKey gateway_ = SecretKey::generate();
  std::uint64_t credits_ = 0;
};

// CPU seconds of one verification (parse key and signature, verify) on this core, now: the median of several
// runs.
double verification_seconds();

}  // namespace windlass::bench
