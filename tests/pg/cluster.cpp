#include "tests/pg/cluster.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "ledger/journal/journal.h"

namespace windlass::testing {
namespace {

namespace fs = std::filesystem;

fs::path programs() {
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql"))
    if (fs::exists(version.path() / "bin/initdb")) return version.path() / "bin";
  throw std::runtime_error("no Postgres server is installed: apt-get install postgresql");
}

}  // namespace

struct Cluster::Impl {
  fs::path folder, bin;
  int databases = 0;

  // As root by way of `postgres`.
  void run(const std::string& command) const {
    std::string line = ::geteuid() == 0 ? fmt::format("su postgres -s /bin/sh -c '{}'", command) : command;
    if (std::system((line + " >> " + (folder / "output").string() + " 2>&1").c_str()) != 0)
      throw std::runtime_error(fmt::format("failed: {} (see {})", command, (folder / "output").string()));
  }
  void start() const {
    run(fmt::format("{}/pg_ctl -D {}/data -w -l {}/log -o \"-k {} -h \\\"\\\"\" start", bin.string(),
                    folder.string(), folder.string(), folder.string()));
  }
  std::string url(const char* user, const std::string& database) const {
    return fmt::format("postgresql:///{}?host={}&user={}", database, folder.string(), user);
  }
};

Cluster& Cluster::instance() {
  static Cluster cluster;
  return cluster;
}

Cluster::Cluster() : impl_(std::make_unique<Impl>()) {
  impl_->bin = programs();
  std::string pattern = (fs::temp_directory_path() / "windlass-pg-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary folder");
  impl_->folder = pattern;
  if (::geteuid() == 0) {
    const auto* user = ::getpwnam("postgres");
    if (!user || ::chown(pattern.c_str(), user->pw_uid, user->pw_gid) != 0)
      throw std::runtime_error("cannot give the folder to the user postgres");
  }
  fs::permissions(impl_->folder, fs::perms::all);
  impl_->run(
      fmt::format("{}/initdb -D {}/data -A trust -U owner", impl_->bin.string(), impl_->folder.string()));
  impl_->start();
}

Cluster::~Cluster() {
  try {
    stop_immediately();
    fs::remove_all(impl_->folder);
  } catch (const std::exception&) {
    // A folder in /tmp is left behind: the tests' results do not depend on it.
  }
}

Cluster::Database Cluster::make_database() {
  std::string name = fmt::format("ledger{}", ++impl_->databases);
  journal::Connection(impl_->url("owner", "postgres"), 10'000).script("CREATE DATABASE " + name);
  Database database{impl_->url("owner", name), impl_->url("windlass_server", name),
                    impl_->url("windlass_anchor", name)};
  journal::migrate(database.owner_url);
  return database;
}

void Cluster::stop_immediately() {
  impl_->run(
      fmt::format("{}/pg_ctl -D {}/data -m immediate -w stop", impl_->bin.string(), impl_->folder.string()));
}

void Cluster::start() {
  impl_->start();
}

}  // namespace windlass::testing
