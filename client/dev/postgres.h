// A Postgres of one's own: a cluster in a folder, reached through a unix socket that only its owner can open.
#pragma once

#include "client/dev/process.h"

namespace windlass::dev {

constexpr std::string_view owner_role = "windlass_owner";

// Where a cluster of the system in `dir` lives: `dir`/postgres, but for root, whose folders the unprivileged
// user that runs it may not be able to enter: then /var/lib/windlass-dev/<hash of dir>.
struct ClusterPlace {
  std::filesystem::path home;    // data/ and, where its path is short enough for a socket's name, socket/
  std::filesystem::path socket;  // the folder that holds the socket
};
ClusterPlace place_of(const std::filesystem::path& dir);

// libpq connection string for one of the roles.
std::string database_url(const ClusterPlace& place, std::string_view role);

// Makes the cluster where there is none, starts it, waits until it answers and makes the database.
tl::expected<Process, std::string> start_postgres(const ClusterPlace& place,
                                                  const std::filesystem::path& logs);

// Removes all of it. It is not running.
void remove_cluster(const ClusterPlace& place);

}  // namespace windlass::dev
