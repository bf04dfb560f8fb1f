#include "client/json.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <charconv>

#include "crypto/bytes.h"

namespace windlass::client {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// One value of a field: the `index`th where it is repeated, else index is -1.
std::string value_json(const Message& message, const FieldDescriptor& field, int index) {
  const auto& reflection = *message.GetReflection();
  std::string scratch;
  auto text = [&]() -> const std::string& {
    return index < 0 ? reflection.GetStringReference(message, &field, &scratch)
                     : reflection.GetRepeatedStringReference(message, &field, index, &scratch);
  };
#define WINDLASS_GET(type) \
  (index < 0 ? reflection.Get##type(message, &field) : reflection.GetRepeated##type(message, &field, index))
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return std::to_string(WINDLASS_GET(Int32));
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(WINDLASS_GET(UInt32));
    case FieldDescriptor::CPPTYPE_INT64:
      return "\"" + std::to_string(WINDLASS_GET(Int64)) + "\"";
    case FieldDescriptor::CPPTYPE_UINT64:
      return "\"" + std::to_string(WINDLASS_GET(UInt64)) + "\"";
    case FieldDescriptor::CPPTYPE_BOOL:
      return WINDLASS_GET(Bool) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? "\"" + to_hex(text()) + "\"" : json_string(text());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return to_json(index < 0 ? reflection.GetMessage(message, &field)
                               : reflection.GetRepeatedMessage(message, &field, index));
    default:
      return "null";  // no other type is in our messages
  }
#undef WINDLASS_GET
}

std::string map_json(const Message& message, const FieldDescriptor& field) {
  JsonObject object;
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const auto& entry = reflection.GetRepeatedMessage(message, &field, i);
    const auto& of = *entry.GetDescriptor();
    object.raw(entry.GetReflection()->GetString(entry, of.map_key()), value_json(entry, *of.map_value(), -1));
  }
  return object.text();
}

template <typename Integer>
bool read_number(const google::protobuf::Value& value, Integer& out) {
  std::string text = value.kind_case() == google::protobuf::Value::kNumberValue
                         ? fmt::format("{:.0f}", value.number_value())
                         : value.string_value();
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool fill(Message& message, const google::protobuf::Struct& from, std::string& wrong);

bool set_value(Message& message, const FieldDescriptor& field, const google::protobuf::Value& value,
               std::string& wrong) {
  const auto& reflection = *message.GetReflection();
  bool many = field.is_repeated();
#define WINDLASS_SET(type, value) \
  (many ? reflection.Add##type(&message, &field, value) : reflection.Set##type(&message, &field, value))
  wrong = field.name();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64: {
      std::int64_t number = 0;
      if (!read_number(value, number)) return false;
      WINDLASS_SET(Int64, number);
      return true;
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      std::uint64_t number = 0;
      if (!read_number(value, number)) return false;
      WINDLASS_SET(UInt64, number);
      return true;
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      std::uint32_t number = 0;
      if (!read_number(value, number)) return false;
      WINDLASS_SET(UInt32, number);
      return true;
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      WINDLASS_SET(Bool, value.bool_value());
      return value.kind_case() == google::protobuf::Value::kBoolValue;
    case FieldDescriptor::CPPTYPE_STRING: {
      if (value.kind_case() != google::protobuf::Value::kStringValue) return false;
      auto text =
          field.type() == FieldDescriptor::TYPE_BYTES ? from_hex(value.string_value()) : value.string_value();
      if (!text) return false;
      WINDLASS_SET(String, *text);
      return true;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (value.kind_case() != google::protobuf::Value::kStructValue) return false;
      return fill(
          many ? *reflection.AddMessage(&message, &field) : *reflection.MutableMessage(&message, &field),
          value.struct_value(), wrong);
    default:
      return false;
  }
#undef WINDLASS_SET
}

bool fill(Message& message, const google::protobuf::Struct& from, std::string& wrong) {
  for (const auto& [name, value] : from.fields()) {
    const auto* field = message.GetDescriptor()->FindFieldByName(name);
    wrong = name;
    if (!field || field->is_map()) return false;
    if (!field->is_repeated()) {
      if (!set_value(message, *field, value, wrong)) return false;
      continue;
    }
    if (value.kind_case() != google::protobuf::Value::kListValue) return false;
    for (const auto& item : value.list_value().values())
      if (!set_value(message, *field, item, wrong)) return false;
  }
  return true;
}

}  // namespace

std::string to_json(const Message& message) {
  JsonObject object;
  const auto& reflection = *message.GetReflection();
  const auto& descriptor = *message.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const auto& field = *descriptor.field(i);
    if (field.is_map()) {
      object.raw(field.name(), map_json(message, field));
    } else if (field.is_repeated()) {
      std::vector<std::string> items;
      for (int k = 0; k < reflection.FieldSize(message, &field); ++k)
        items.push_back(value_json(message, field, k));
      object.raw(field.name(), json_array(items));
    } else if (!field.has_presence() || reflection.HasField(message, &field)) {
      object.raw(field.name(), value_json(message, field, -1));
    }
  }
  return object.text();
}

Result<void> from_json(const std::string& json, Message& message) {
  google::protobuf::Struct parsed;
  if (auto status = google::protobuf::util::JsonStringToMessage(json, &parsed); !status.ok())
    return usage_error("this is no JSON object: " + status.ToString());
  std::string wrong;
  if (!fill(message, parsed, wrong))
    return usage_error(
        fmt::format("the JSON is no {}: \"{}\" does not belong there, or its value is malformed",
                    message.GetDescriptor()->name(), wrong));
  return {};
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += std::string("\\") + c;
    else if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + "\"";
}

JsonObject& JsonObject::add(std::string_view name, double value) {
  return raw(name, fmt::format("{:.3f}", value));
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  members_ += fmt::format("{}{}: {}", members_.empty() ? "" : ", ", json_string(name), json);
  return *this;
}

std::string json_array(const std::vector<std::string>& items) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + item;
  return "[" + out + "]";
}

}  // namespace windlass::client
