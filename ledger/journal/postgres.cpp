#include "ledger/journal/postgres.h"

#include <cstdlib>
#include <set>

namespace windlass::journal {
namespace {

// Postgres' own types.
constexpr std::int32_t oid_bool = 16, oid_bytea = 17, oid_int8 = 20, oid_int2 = 21, oid_int4 = 23,
                       oid_int8_array = 1016;

// A one-dimensional array without nulls, in the server's binary form.
template <typename Values, typename Append>
std::string encode_array(const Values& values, std::int32_t element_oid, Append append) {
  std::string out;
  append_be(out, std::int32_t{values.empty() ? 0 : 1});
  append_be(out, std::int32_t{0});
  append_be(out, element_oid);
  if (values.empty()) return out;
  append_be(out, static_cast<std::int32_t>(values.size()));
  append_be(out, std::int32_t{1});
  for (const auto& value : values) append(out, value);
  return out;
}

std::string encode_bigints(std::span<const std::int64_t> values) {
  return encode_array(values, oid_int8, [](std::string& out, std::int64_t value) {
    append_be(out, std::int32_t{8});
    append_be(out, value);
  });
}

std::string trimmed(const char* message) {
  std::string text = message ? message : "";
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

DatabaseError failure(const std::string& what, PGconn* connection, const PGresult* result) {
  const char* state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
  return {what + ": " + trimmed(result ? PQresultErrorMessage(result) : PQerrorMessage(connection)),
          state ? state : ""};
}
[[noreturn]] void fail(const std::string& what, PGconn* connection, const PGresult* result) {
  throw failure(what, connection, result);
}

constexpr ByteView copy_header("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);

}  // namespace

// --- values

template <typename T>
static std::string big_endian(T value) {
  std::string out;
  append_be(out, value);
  return out;
}

Parameters& Parameters::bigint(std::int64_t value) {
  return bytes(big_endian(value));
}
Parameters& Parameters::integer(std::int32_t value) {
  return bytes(big_endian(value));
}
Parameters& Parameters::smallint(std::int16_t value) {
  return bytes(big_endian(value));
}
Parameters& Parameters::boolean(bool value) {
  return bytes(value ? ByteView("\1", 1) : ByteView("\0", 1));
}
Parameters& Parameters::bytes(ByteView value) {
  values_.emplace_back(std::string(value));
  return *this;
}
Parameters& Parameters::null() {
  values_.emplace_back(std::nullopt);
  return *this;
}
Parameters& Parameters::bigints(std::span<const std::int64_t> values) {
  return bytes(encode_bigints(values));
}
Parameters& Parameters::records(Records records) {
  records.end_row();
  return bytes(records.data_);
}
Parameters& Parameters::byte_arrays(std::span<const ByteView> values) {
  return bytes(encode_array(values, oid_bytea, [](std::string& out, ByteView value) {
    append_be(out, static_cast<std::int32_t>(value.size()));
    out += value;
  }));
}

// What a field begins with in a record; its length alone in a COPY's row.
static void append_field(std::string& data, std::int32_t type, ByteView value) {
  append_be(data, type);
  append_be(data, static_cast<std::int32_t>(value.size()));
  data += value;
}

static void overwrite_be(std::string& data, std::size_t offset, std::int32_t value) {
  data.replace(offset, sizeof value, big_endian(value));
}

// An array's head: dimensions, whether it has nulls, its elements' type, their number, the first one's index.
constexpr std::size_t place_of_count = 3 * sizeof(std::int32_t);
Records::Records(std::int32_t row_type) {
  for (std::int32_t head : {1, 0, row_type, 0, 1}) append_be(data_, head);
}
Records& Records::row(std::int32_t columns) {
  end_row();
  ++rows_;
  row_ = data_.size();
  append_be(data_, std::int32_t{0});  // its length, once it is known
  append_be(data_, columns);
  return *this;
}
void Records::end_row() {
  if (rows_ == 0) return;
  overwrite_be(data_, row_, static_cast<std::int32_t>(data_.size() - row_ - sizeof(std::int32_t)));
  overwrite_be(data_, place_of_count, rows_);
}
Records& Records::bigint(std::int64_t value) {
  append_field(data_, oid_int8, big_endian(value));
  return *this;
}
Records& Records::integer(std::int32_t value) {
  append_field(data_, oid_int4, big_endian(value));
  return *this;
}
Records& Records::smallint(std::int16_t value) {
  append_field(data_, oid_int2, big_endian(value));
  return *this;
}
Records& Records::boolean(bool value) {
  append_field(data_, oid_bool, value ? ByteView("\1", 1) : ByteView("\0", 1));
  return *this;
}
Records& Records::bytes(ByteView value) {
  append_field(data_, oid_bytea, value);
  return *this;
}
Records& Records::bigints(std::span<const std::int64_t> values) {
  append_field(data_, oid_int8_array, encode_bigints(values));
  return *this;
}

ByteView Result::bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}
std::int64_t Result::bigint(int row, int column) const {
  return ByteReader(bytes(row, column)).be<std::int64_t>();
}
std::int32_t Result::integer(int row, int column) const {
  return ByteReader(bytes(row, column)).be<std::int32_t>();
}
std::int16_t Result::smallint(int row, int column) const {
  return ByteReader(bytes(row, column)).be<std::int16_t>();
}
bool Result::boolean(int row, int column) const {
  return ByteReader(bytes(row, column)).be<std::uint8_t>() != 0;
}
std::vector<std::int64_t> Result::bigints(int row, int column) const {
  ByteReader in(bytes(row, column));
  std::vector<std::int64_t> out;
  if (in.be<std::int32_t>() == 0) return out;
  in.take(8);
  auto count = in.be<std::int32_t>();
  in.take(4);
  for (std::int32_t i = 0; i < count && !in.failed(); ++i) {
    in.take(4);
    out.push_back(in.be<std::int64_t>());
  }
  return out;
}
std::int64_t Result::affected() const {
  return std::atoll(PQcmdTuples(result_.get()));
}

CopyRows::CopyRows() : data_(copy_header) {}
CopyRows& CopyRows::row(std::int16_t columns) {
  append_be(data_, columns);
  return *this;
}
template <typename T>
static void append_field(std::string& data, T value) {
  append_be(data, static_cast<std::int32_t>(sizeof(T)));
  append_be(data, value);
}
CopyRows& CopyRows::bigint(std::int64_t value) {
  append_field(data_, value);
  return *this;
}
CopyRows& CopyRows::smallint(std::int16_t value) {
  append_field(data_, value);
  return *this;
}
CopyRows& CopyRows::bytes(ByteView value) {
  append_be(data_, static_cast<std::int32_t>(value.size()));
  data_ += value;
  return *this;
}
CopyRows& CopyRows::bigints(std::span<const std::int64_t> values) {
  return bytes(encode_bigints(values));
}

// --- the session

struct Connection::Impl {
  PGconn* connection = nullptr;
  std::set<std::string> prepared;
  ~Impl() { PQfinish(connection); }
};

Connection::Connection(const std::string& url, int statement_timeout_ms) : impl_(std::make_unique<Impl>()) {
  // No statement here runs for so long that compiling it pays.
  std::string options = "-c jit=off -c statement_timeout=" + std::to_string(statement_timeout_ms);
  const char* keywords[] = {"connect_timeout", "options", "dbname", nullptr};
  const char* values[] = {"5", options.c_str(), url.c_str(), nullptr};
  impl_->connection = PQconnectdbParams(keywords, values, 1);
  if (PQstatus(impl_->connection) != CONNECTION_OK)
    fail("cannot connect to the database", impl_->connection, nullptr);
}
Connection::~Connection() = default;
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;

Result Connection::run(const Statement& statement, const Parameters& parameters) {
  PGconn* connection = impl_->connection;
  if (!impl_->prepared.contains(statement.name)) {
    PGresult* raw = PQprepare(connection, statement.name, statement.sql, 0, nullptr);
    Result owner(raw);
    if (PQresultStatus(raw) != PGRES_COMMAND_OK) fail(statement.name, connection, raw);
    impl_->prepared.insert(statement.name);
  }
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const auto& value : parameters.values_) {
    values.push_back(value ? value->data() : nullptr);
    lengths.push_back(value ? static_cast<int>(value->size()) : 0);
    formats.push_back(1);
  }
  PGresult* raw = PQexecPrepared(connection, statement.name, static_cast<int>(values.size()), values.data(),
                                 lengths.data(), formats.data(), 1);
  Result result(raw);
  auto status = PQresultStatus(raw);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) fail(statement.name, connection, raw);
  return result;
}

void Connection::script(const std::string& sql) {
  PGresult* raw = PQexec(impl_->connection, sql.c_str());
  Result result(raw);
  auto status = PQresultStatus(raw);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    fail(sql.substr(0, 40), impl_->connection, raw);
}

// libpq takes an int; larger batches are bounded far below by the sequencer's limits.
static bool put_rows(PGconn* connection, std::string& data) {
  append_be(data, std::int16_t{-1});
  return PQputCopyData(connection, data.data(), static_cast<int>(data.size())) == 1 &&
         PQputCopyEnd(connection, nullptr) == 1;
}

bool Connection::commit_copy(const std::string& guard, const Statement& statement,
                             const std::function<CopyRows()>& make_rows) {
  PGconn* connection = impl_->connection;
  std::string sql = "BEGIN;" + guard + ";" + statement.sql + ";COMMIT";
  if (PQsendQuery(connection, sql.c_str()) != 1) fail(statement.name, connection, nullptr);
  CopyRows rows = make_rows();
  bool found = false, turned_away = false;
  std::optional<DatabaseError> error;
  while (PGresult* raw = PQgetResult(connection)) {
    Result result(raw);
    auto status = PQresultStatus(raw);
    if (status == PGRES_TUPLES_OK) {
      found = result.rows() > 0;
    } else if (status == PGRES_COPY_IN) {
      turned_away = !found;
      bool put = found ? put_rows(connection, rows.data_) : PQputCopyEnd(connection, "not let in") == 1;
      if (!put) fail(statement.name, connection, nullptr);
    } else if (status != PGRES_COMMAND_OK && !error) {
      error = failure(statement.name, connection, raw);
    }
  }
  if (!error) return true;
  rollback();
  if (turned_away) return false;
  throw *error;
}

void Connection::rollback() noexcept {
  PGresult* raw = PQexec(impl_->connection, "ROLLBACK");
  PQclear(raw);
}

}  // namespace windlass::journal
