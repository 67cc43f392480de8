#include "bisect/rpc_message.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace flakebisect::bisect {

namespace {

using Json = nlohmann::ordered_json;

/// Thrown inside parse_rpc_message() alone; carries the clause of MalformedMessage.
struct Malformed {
  std::string why;
};

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::int64_t integer_field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) throw Malformed{std::string("its \"") + name + "\" is missing"};
  if (!found->is_number_integer()) throw Malformed{std::string("its \"") + name + "\" is not an integer"};
  return found->get<std::int64_t>();
}

/// 0 where there is none.
std::int64_t number_field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return 0;
  return integer_field(object, name);
}

std::string text_field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) throw Malformed{std::string("its \"") + name + "\" is not a string"};
  return found->get<std::string>();
}

std::optional<std::vector<std::string>> texts_field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  if (!found->is_array()) throw Malformed{std::string("its \"") + name + "\" is not an array"};
  std::vector<std::string> texts;
  texts.reserve(found->size());
  for (const Json& item : *found) {
    if (!item.is_string()) throw Malformed{std::string("an element of its \"") + name + "\" is not a string"};
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

Nonce nonce_field(const Json& object) {
  const auto found = object.find("nonce");
  if (found == object.end()) throw Malformed{"its \"nonce\" is missing"};
  if (!found->is_string() && !found->is_number())
    throw Malformed{"its \"nonce\" is neither a string nor a number"};
  return dump(*found);
}

HelloMessage hello_of(const Json& object) {
  HelloMessage hello;
  hello.min = integer_field(object, "min");
  hello.max = integer_field(object, "max");
  if (hello.min > hello.max) throw Malformed{"its \"min\" is above its \"max\""};
  hello.server = text_field(object, "server");
  hello.features = texts_field(object, "features").value_or(std::vector<std::string>{});
  return hello;
}

DoneMessage done_of(const Json& object) {
  DoneMessage done;
  done.nonce = nonce_field(object);
  done.reason = text_field(object, "reason");
  const std::string status = text_field(object, "status");
  if (status.empty() || status == "ok") {
    done.status = DoneStatus::ok;
  } else if (status == "cancelled") {
    done.status = DoneStatus::cancelled;
  } else if (status == "refused") {
    done.status = DoneStatus::refused;
  } else {
    done.status = DoneStatus::error;
    if (status != "error")
      done.reason = "unknown status \"" + status + "\"" + (done.reason.empty() ? "" : ": ") + done.reason;
  }
  return done;
}

RpcMessage message_of(const Json& object) {
  const std::string name = text_field(object, "msg");
  if (name == "Hello") return hello_of(object);
  if (name == "List") return ListMessage{nonce_field(object), texts_field(object, "tests")};
  if (name == "Run")
    return RunMessage{nonce_field(object), texts_field(object, "tests"), text_field(object, "order"),
                      text_field(object, "isolation"), number_field(object, "repeat")};
  if (name == "Done") return done_of(object);
  if (name == "Cancel") return CancelMessage{nonce_field(object)};
  if (name == "Goodbye") return GoodbyeMessage{};
  if (name.empty()) throw Malformed{"its \"msg\" is missing"};
  return UnknownMessage{name};
}

/// Writes each kind of message; an overload set for std::visit.
struct Writer {
  Json operator()(const HelloMessage& hello) const {
    Json json = named("Hello");
    json["max"] = hello.max;
    json["min"] = hello.min;
    if (!hello.server.empty()) json["server"] = hello.server;
    if (!hello.features.empty()) json["features"] = hello.features;
    return json;
  }
  Json operator()(const ListMessage& list) const {
    Json json = named("List");
    if (list.tests) json["tests"] = *list.tests;
    json["nonce"] = Json::parse(list.nonce);
    return json;
  }
  Json operator()(const RunMessage& run) const {
    Json json = named("Run");
    if (run.tests) json["tests"] = *run.tests;
    json["nonce"] = Json::parse(run.nonce);
    if (!run.order.empty()) json["order"] = run.order;
    if (!run.isolation.empty()) json["isolation"] = run.isolation;
    if (run.repeat != 0) json["repeat"] = run.repeat;
    return json;
  }
  Json operator()(const DoneMessage& done) const {
    Json json = named("Done");
    json["nonce"] = Json::parse(done.nonce);
    if (done.status != DoneStatus::ok) json["status"] = std::string(done_status_name(done.status));
    if (!done.reason.empty()) json["reason"] = done.reason;
    return json;
  }
  Json operator()(const CancelMessage& cancel) const {
    Json json = named("Cancel");
    json["nonce"] = Json::parse(cancel.nonce);
    return json;
  }
  Json operator()(const GoodbyeMessage&) const { return named("Goodbye"); }
  Json operator()(const UnknownMessage& unknown) const { return named(unknown.name); }
  Json operator()(const MalformedMessage&) const {
    throw std::invalid_argument("rpc_message_text: a malformed message cannot be written");
  }

  static Json named(const std::string& name) {
    Json json = Json::object();
    json["msg"] = name;
    return json;
  }
};

}  // namespace

Nonce nonce_of(std::string_view text) {
  return dump(Json(std::string(text)));
}

std::string_view done_status_name(DoneStatus status) {
  switch (status) {
    case DoneStatus::ok:
      return "ok";
    case DoneStatus::cancelled:
      return "cancelled";
    case DoneStatus::refused:
      return "refused";
    case DoneStatus::error:
      break;
  }
  return "error";
}

RpcMessage parse_rpc_message(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return MalformedMessage{"it is not JSON"};
  if (!json.is_object()) return MalformedMessage{"it is JSON but no object"};
  try {
    return message_of(json);
  } catch (const Malformed& malformed) {
    return MalformedMessage{malformed.why};
  }
}

std::string rpc_message_text(const RpcMessage& message) {
  return dump(std::visit(Writer{}, message));
}

bool is_rpc_mime_type(std::string_view mime_type) {
  std::string_view type = mime_type.substr(0, mime_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  while (!type.empty() && (type.front() == ' ' || type.front() == '\t')) type.remove_prefix(1);
  return std::equal(type.begin(), type.end(), kRpcMimeType.begin(), kRpcMimeType.end(),
                    [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

}  // namespace flakebisect::bisect
