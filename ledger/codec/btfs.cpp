#include "ledger/codec/btfs.h"

#include <cctype>
#include <limits>

#include "ledger/core/table.h"

namespace windlass::codec::btfs {
namespace {

// Sends the first thing that is wrong out of a parser.
struct Refusal {
  Error error;
};
void check(bool holds, Error otherwise) {
  if (!holds) throw Refusal{otherwise};
}

template <typename Parse>
auto parsed(const Parse& parse) -> Parsed<decltype(parse())> {
  try {
    return parse();
  } catch (const Refusal& refusal) {
    return tl::unexpected(refusal.error);
  }
}

// --- protobuf's wire format, as far as these messages use it

constexpr std::size_t max_field_number = 6;
constexpr int number_wire = 0, bytes_wire = 2;  // protobuf's wire types
constexpr std::uint8_t more = 0x80;             // in a byte of a varint: another follows
constexpr int last_shift = 63;  // of the tenth byte of a varint, which has one bit left to give

// What a message has under a number.
enum class Kind { none, number, bytes };

struct Field {
  bool given = false;
  std::uint64_t number = 0;
  ByteView bytes;
  std::int64_t integer() const { return static_cast<std::int64_t>(number); }
};
using Fields = std::array<Field, max_field_number + 1>;  // by their numbers

std::uint64_t read_varint(ByteReader& in) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    auto byte = in.be<std::uint8_t>();
    check(!in.failed() && (shift < last_shift || byte <= 1), Error::malformed);
    value |= std::uint64_t{byte & (more - 1u)} << shift;
    if (byte < more) return value;
  }
}

// Every message in another is shorter than 128 bytes, so its length is one byte.
ByteView read_bytes(ByteReader& in) {
  auto length = in.be<std::uint8_t>();
  check(length < more, Error::malformed);
  return in.take(length);
}

// `kinds`: of field 1, 2, ... Numbers are below 16, so a tag is one byte; a longer one is of another field.
Fields read(ByteView message, std::initializer_list<Kind> kinds) {
  Fields fields;
  ByteReader in(message);
  while (in.remaining() > 0) {
    auto tag = in.be<std::uint8_t>();
    std::size_t number = tag >> 3;
    int wire = tag & 7;
    Kind kind = wire == number_wire ? Kind::number : wire == bytes_wire ? Kind::bytes : Kind::none;
    bool known = number >= 1 && number <= kinds.size() && kind != Kind::none;
    check(known && kind == kinds.begin()[number - 1], Error::unknown_field);
    Field& field = fields[number];
    check(!field.given, Error::repeated_field);
    field.given = true;
    if (kind == Kind::number)
      field.number = read_varint(in);
    else
      field.bytes = read_bytes(in);
    check(!in.failed(), Error::malformed);
  }
  return fields;
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= more; value >>= 7) out += static_cast<char>(value | more);
  out += static_cast<char>(value);
}
void put_tag(std::string& out, int number, int wire) {
  out += static_cast<char>(number << 3 | wire);
}
void put_number(std::string& out, int number, std::int64_t value) {
  if (value == 0) return;
  put_tag(out, number, number_wire);
  put_varint(out, static_cast<std::uint64_t>(value));
}
void put_bytes(std::string& out, int number, ByteView bytes) {
  put_tag(out, number, bytes_wire);
  put_varint(out, bytes.size());
  out += bytes;
}

// --- the messages

core::Key address(ByteView bytes) {
  check(bytes.size() == std::tuple_size_v<UncompressedKey>, Error::address_length);
  check(bytes[0] == 4, Error::address_form);
  auto key = compress_key(bytes);
  check(key.has_value(), Error::address_off_curve);
  return *key;
}
core::Key public_key(ByteView message) {
  return address(read(message, {Kind::bytes})[1].bytes);
}
core::Amount positive(const Field& field) {
  check(field.integer() > 0, Error::bad_amount);
  return field.integer();
}
Account account(ByteView message) {
  auto fields = read(message, {Kind::bytes, Kind::number});
  Account out{public_key(fields[1].bytes), fields[2].integer()};
  check(out.balance >= 0, Error::bad_balance);
  return out;
}

ChannelCommit channel_commit(ByteView message) {
  auto fields = read(message, {Kind::bytes, Kind::bytes, Kind::number, Kind::number});
  ChannelCommit out{public_key(fields[1].bytes), public_key(fields[2].bytes), positive(fields[3]),
                    fields[4].integer()};
  check(out.payer != out.recipient, Error::self_payment);
  check(out.payer_id > 0, Error::bad_payer_id);
  return out;
}

ChannelState channel_state(ByteView message) {
  auto fields = read(message, {Kind::bytes, Kind::number, Kind::bytes, Kind::bytes});
  auto id = read(fields[1].bytes, {Kind::number});
  ChannelState out{id[1].integer(), fields[2].integer(), account(fields[3].bytes), account(fields[4].bytes)};
  check(out.sequence > 0, Error::bad_sequence);
  check(out.from.balance <= std::numeric_limits<core::Amount>::max() - out.to.balance, Error::bad_balance);
  return out;
}

TransferRequest transfer_request(ByteView message) {
  auto fields =
      read(message, {Kind::bytes, Kind::bytes, Kind::number, Kind::none, Kind::number, Kind::number});
  TransferRequest out{public_key(fields[1].bytes), public_key(fields[2].bytes), positive(fields[3]),
                      fields[5].number, fields[6].integer()};
  check(out.payer != out.recipient, Error::self_payment);
  bool legacy = out.nonce == 0 && out.expires_us == 0;
  check(legacy || (out.nonce > 0 && out.expires_us > 0), Error::half_extension);
  return out;
}

std::string encode(const core::Key& key) {
  std::string out;
  put_bytes(out, 1, address_of(key));
  return out;
}
std::string encode(const Account& account) {
  std::string out;
  put_bytes(out, 1, encode(account.address));
  put_number(out, 2, account.balance);
  return out;
}

}  // namespace

std::string_view words(Error error) {
  static constexpr std::string_view texts[] = {"",
#define WINDLASS_BTFS_ERROR_TEXT(name, text) text,
                                               WINDLASS_BTFS_ERRORS(WINDLASS_BTFS_ERROR_TEXT)
#undef WINDLASS_BTFS_ERROR_TEXT
  };
  return texts[static_cast<std::size_t>(error)];
}

std::string_view reason(Error error) {
  static const auto reasons = [] {
    std::vector<std::string> made = {"",
#define WINDLASS_BTFS_ERROR_REASON(name, text) #name,
                                     WINDLASS_BTFS_ERRORS(WINDLASS_BTFS_ERROR_REASON)
#undef WINDLASS_BTFS_ERROR_REASON
    };
    for (auto& one : made)
      for (char& c : one) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return made;
  }();
  return reasons[static_cast<std::size_t>(error)];
}

Parsed<core::Key> parse_address(ByteView bytes) {
  return parsed([&] { return address(bytes); });
}
std::string address_of(const core::Key& key) {
  return std::string(view(uncompress_key(key)));
}

Parsed<core::Key> parse_public_key(ByteView message) {
  return parsed([&] { return public_key(message); });
}
Parsed<ChannelCommit> parse_channel_commit(ByteView message) {
  return parsed([&] { return channel_commit(message); });
}
Parsed<ChannelState> parse_channel_state(ByteView message) {
  return parsed([&] { return channel_state(message); });
}
Parsed<TransferRequest> parse_transfer_request(ByteView message) {
  return parsed([&] { return transfer_request(message); });
}

Hash commit_id(const core::Key& payer, std::int64_t payer_id) {
  std::string number;
  append_be(number, payer_id);
  return sha256({"windlass/btfs/commit", view(payer), number});
}

Error verify(const core::Key& key, ByteView signature, ByteView message) {
  auto compact = signature_from_der(signature);
  if (!compact) return Error::bad_signature_encoding;
  auto outcome = verify_signature(view(key), view(*compact), message_hash(message));
  return outcome == SignatureCheck::valid ? Error::none : Error::wrong_signature;
}
std::string sign(const SecretKey& key, ByteView message) {
  return signature_to_der(key.sign(message_hash(message)));
}

std::string encode(const ChannelState& state) {
  std::string id, out;
  put_number(id, 1, state.id);
  put_bytes(out, 1, id);
  put_number(out, 2, state.sequence);
  put_bytes(out, 3, encode(state.from));
  put_bytes(out, 4, encode(state.to));
  return out;
}

std::string encode(const BalanceResult& result) {
  constexpr std::int64_t second_ns = 1'000'000'000;
  core::require(result.signed_time_ns >= 0);
  std::string time, out;
  put_number(time, 1, result.signed_time_ns / second_ns);
  put_number(time, 2, result.signed_time_ns % second_ns);
  put_number(out, 1, result.balance);
  put_bytes(out, 2, address_of(result.escrow_address));
  put_bytes(out, 3, time);
  return out;
}

}  // namespace windlass::codec::btfs
