#include <set>

#include "ledger/journal/journal.h"
#include "ledger/journal/migrations.h"
#include "ledger/journal/statements.h"

namespace windlass::journal {

int migrate(const std::string& owner_url) {
  constexpr int no_timeout = 0;  // an index of an old ledger takes minutes
  Connection connection(owner_url, no_timeout);
  connection.script(
      "SET client_min_messages = warning; CREATE TABLE IF NOT EXISTS schema_migrations (version integer "
      "PRIMARY KEY, applied timestamptz NOT "
      "NULL)");
  int applied = 0;
  for (const auto& [version, sql] : migrations()) {
    Transaction transaction(connection);
    // Two at once: the second waits here, then sees that the first is done.
    connection.script("LOCK TABLE schema_migrations IN EXCLUSIVE MODE");
    auto done = connection.run(sql::migrations_done);
    bool is_done = false;
    for (int i = 0; i < done.rows(); ++i) is_done = is_done || done.integer(i, 0) == version;
    if (is_done) continue;
    connection.script(std::string(sql));
    connection.run(sql::record_migration, Parameters().integer(version));
    transaction.commit();
    ++applied;
  }
  return applied;
}

}  // namespace windlass::journal
