// libpq with values instead of pointers: parameters and results in binary, time-outs on everything, failures
// as one exception type. SQL itself stands in statements.h, each statement under its name.
#pragma once

#include <libpq-fe.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include "crypto/bytes.h"

namespace windlass::journal {

// The database refused, or cannot be reached. `sqlstate` is empty where the connection itself failed.
class DatabaseError : public std::runtime_error {
 public:
  DatabaseError(const std::string& message, std::string state)
      : std::runtime_error(message), sqlstate(std::move(state)) {}
  std::string sqlstate;
};

// A statement's name (for prepared statements and metrics) and text.
struct Statement {
  const char* name;
  const char* sql;
};

// Rows of a table as one parameter ($1::accounts[]): an array of its row type, which names each field's type.
class Records {
 public:
  // `row_type`: the oid of the table's row type. Every row has all of its columns, in their order.
  explicit Records(std::int32_t row_type);
  Records& row(std::int32_t columns);
  Records& bigint(std::int64_t value);
  Records& integer(std::int32_t value);
  Records& smallint(std::int16_t value);
  Records& boolean(bool value);
  Records& bytes(ByteView value);
  Records& bigints(std::span<const std::int64_t> values);

 private:
  friend class Parameters;
  void end_row();
  std::string data_;
  std::int32_t rows_ = 0;
  std::size_t row_ = 0;  // where the one that is being added begins
};

// Binary parameters. Types are fixed by the statement's own casts ($1::bigint, $2::bytea[], ...).
class Parameters {
 public:
  Parameters& bigint(std::int64_t value);
  Parameters& integer(std::int32_t value);
  Parameters& smallint(std::int16_t value);
  Parameters& boolean(bool value);
  Parameters& bytes(ByteView value);
  Parameters& text(std::string_view value) { return bytes(value); }
  Parameters& null();
  Parameters& bigints(std::span<const std::int64_t> values);
  Parameters& byte_arrays(std::span<const ByteView> values);
  Parameters& records(Records records);

 private:
  friend class Connection;
  std::vector<std::optional<std::string>> values_;
};

class Result {
 public:
  explicit Result(PGresult* result) : result_(result, PQclear) {}
  int rows() const { return PQntuples(result_.get()); }
  bool null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::int64_t bigint(int row, int column) const;
  std::int32_t integer(int row, int column) const;
  std::int16_t smallint(int row, int column) const;
  bool boolean(int row, int column) const;
  ByteView bytes(int row, int column) const;  // lives as long as the result
  std::vector<std::int64_t> bigints(int row, int column) const;
  std::int64_t affected() const;

 private:
  std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

// Builds the rows of a binary COPY.
class CopyRows {
 public:
  CopyRows();
  CopyRows& row(std::int16_t columns);
  CopyRows& bigint(std::int64_t value);
  CopyRows& smallint(std::int16_t value);
  CopyRows& bytes(ByteView value);
  CopyRows& bigints(std::span<const std::int64_t> values);

 private:
  friend class Connection;
  std::string data_;
};

// One session. Not for several threads at once.
class Connection {
 public:
  // `statement_timeout_ms` bounds every statement; connecting is bounded by 5 s unless the URL says
  // otherwise. Throws DatabaseError, as every call here does.
  Connection(const std::string& url, int statement_timeout_ms);
  ~Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;

  // Prepared at its first use.
  Result run(const Statement& statement, const Parameters& parameters = {});
  // Several statements without parameters or results: migrations, SET.
  void script(const std::string& sql);
  // A transaction of its own, in two round trips: what `guard` (one SELECT without parameters) finds lets the
  // rows of `statement`, a COPY ... FROM STDIN (FORMAT binary), in. They are made while the first is under
  // way. False where `guard` finds nothing: then nothing was written.
  bool commit_copy(const std::string& guard, const Statement& statement,
                   const std::function<CopyRows()>& make_rows);

  void begin() { script("BEGIN"); }
  void begin_read_only() { script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); }
  void commit() { script("COMMIT"); }
  void rollback() noexcept;  // best effort: for a connection that may be gone

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// BEGIN now, ROLLBACK when it goes, unless committed.
class Transaction {
 public:
  explicit Transaction(Connection& connection) : connection_(connection) { connection_.begin(); }
  ~Transaction() {
    if (!done_) connection_.rollback();
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    connection_.commit();
    done_ = true;
  }

 private:
  Connection& connection_;
  bool done_ = false;
};

}  // namespace windlass::journal
