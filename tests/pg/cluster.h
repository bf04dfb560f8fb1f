// A private Postgres for the tests of one program: its own cluster on a unix socket in a temporary folder,
// fsync on, thrown away at the end. As root it runs as the user `postgres`, since the server refuses root.
#pragma once

#include <memory>
#include <string>

namespace windlass::testing {

class Cluster {
 public:
  static Cluster& instance();  // started at its first use
  ~Cluster();

  struct Database {
    std::string owner_url, server_url, anchor_url;
  };
  // A fresh database with all migrations applied.
  Database make_database();
  void stop_immediately();  // as a power cut
  void start();

 private:
  Cluster();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace windlass::testing
