#include "store/s3/credentials.hpp"

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/time_format.hpp"
#include "base/xml.hpp"
#include "http/endpoint.hpp"

namespace audiostore::store::s3 {
namespace {

constexpr std::chrono::minutes kRenewBefore{5};
constexpr std::chrono::milliseconds kTimeout{5000};
constexpr std::uint64_t kMaxReply = 64 << 10;

Error no_credentials(ErrorKind kind, std::string detail) {
  return {kind, "could not get credentials from this machine", std::move(detail)};
}

class FixedSource final : public CredentialSource {
 public:
  explicit FixedSource(Credentials credentials) : credentials_(std::move(credentials)) {}
  const Credentials* at_hand() const override { return &credentials_; }
  unsigned generation() const override { return 1; }
  bool can_refresh() const override { return false; }
  Task<void> refresh(http::Client* /*client*/, TimePoint /*now*/) override { co_return; }

 private:
  Credentials credentials_;
};

Credentials from_environment(const Machine& machine) {
  const auto get = [&](const char* name) { return machine.environment(name).value_or(std::string()); };
  Credentials credentials{get("AWS_ACCESS_KEY_ID"), Secret(get("AWS_SECRET_ACCESS_KEY")),
                          Secret(get("AWS_SESSION_TOKEN")), std::nullopt};
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
    throw Error(ErrorKind::invalid_option, "no credentials in the environment of the server",
                "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set.",
                "Set them for the PostgreSQL server process, or give keys in the user mapping.");
  }
  return credentials;
}

// The metadata and container services answer with the same members, but for the token's name.
Credentials from_json(BytesView body) {
  try {
    const nlohmann::json reply = nlohmann::json::parse(body);
    Credentials credentials;
    credentials.access_key_id = reply.at("AccessKeyId").get<std::string>();
    credentials.secret_access_key = Secret(reply.at("SecretAccessKey").get<std::string>());
    credentials.session_token = Secret(reply.value("Token", std::string()));
    credentials.expires = parse_iso8601(reply.at("Expiration").get<std::string>());
    if (!credentials.expires || credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
      throw no_credentials(ErrorKind::bad_reply, "The reply lacks a key or an expiration.");
    }
    return credentials;
  } catch (const nlohmann::json::exception&) {
    // Not its text: it may quote the reply.
    throw no_credentials(ErrorKind::bad_reply, "The reply is not the JSON that was expected.");
  }
}

Credentials from_token_service(BytesView body) {
  const xml::Document document = xml::Document::parse(body);
  const pugi::xml_node result = xml::child(document.root(), "AssumeRoleWithWebIdentityResult");
  const pugi::xml_node found = xml::child(result, "Credentials");
  const auto field = [&](std::string_view name) { return xml::child_text(found, name).value_or(std::string()); };
  Credentials credentials{field("AccessKeyId"), Secret(field("SecretAccessKey")), Secret(field("SessionToken")),
                          parse_iso8601(field("Expiration"))};
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty() || !credentials.expires) {
    throw no_credentials(ErrorKind::bad_reply, "The reply of the token service lacks a key or an expiration.");
  }
  return credentials;
}

Secret read_token_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string token(64 << 10, '\0');
  file.read(token.data(), static_cast<std::streamsize>(token.size()));
  token.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (token.empty()) {
    throw no_credentials(ErrorKind::access_denied, "The token file \"" + printable(path, 300) + "\" cannot be read.");
  }
  return Secret(std::move(token));
}

class MachineSource final : public CredentialSource {
 public:
  MachineSource(Machine machine, std::string region) : machine_(std::move(machine)), region_(std::move(region)) {}

  const Credentials* at_hand() const override { return credentials_ ? &*credentials_ : nullptr; }
  unsigned generation() const override { return generation_; }
  bool can_refresh() const override { return true; }

  Task<void> refresh(http::Client* client, TimePoint /*now*/) override {
    Task<Credentials> fetching = fetch(client);
    Credentials fetched = co_await fetching;
    credentials_ = std::move(fetched);
    ++generation_;
  }

 private:
  std::optional<std::string> variable(const char* name) const {
    auto value = machine_.environment(name);
    return value && !value->empty() ? value : std::nullopt;
  }

  // The order of AWS's own clients.
  Task<Credentials> fetch(http::Client* client) {
    if (variable("AWS_WEB_IDENTITY_TOKEN_FILE") && variable("AWS_ROLE_ARN")) return fetch_by_web_identity(client);
    if (variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
      return fetch_from_container(client);
    }
    return fetch_from_metadata(client);
  }

  Task<Bytes> ask(http::Client* client, http::Request request) {
    request.timeout = kTimeout;
    request.max_body = kMaxReply;
    Task<http::Response> sending = client->send(std::move(request));
    http::Response response = co_await sending;
    if (!response.ok()) {
      const ErrorKind kind = response.status >= 500 ? ErrorKind::unavailable : ErrorKind::access_denied;
      throw no_credentials(kind, "The service answered " + std::to_string(response.status) + ".");
    }
    co_return std::move(response.body);
  }

  // Version 2 of the instance metadata service: a session token first, then the role, then its keys.
  Task<Credentials> fetch_from_metadata(http::Client* client) {
    const std::string base = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or(machine_.metadata_url);
    http::Request for_token;
    for_token.method = http::Method::put;
    for_token.url = base + "/latest/api/token";
    for_token.headers.push_back({"x-aws-ec2-metadata-token-ttl-seconds", "300"});
    Task<Bytes> asking_token = ask(client, std::move(for_token));
    const Bytes token = co_await asking_token;

    const std::string path = "/latest/meta-data/iam/security-credentials/";
    http::Request for_role;
    for_role.url = base + path;
    for_role.headers.push_back({"x-aws-ec2-metadata-token", token});
    Task<Bytes> asking_role = ask(client, std::move(for_role));
    const Bytes roles = co_await asking_role;
    const std::string role = roles.substr(0, roles.find('\n'));
    if (role.empty()) throw no_credentials(ErrorKind::access_denied, "No role is attached to the instance.");

    http::Request for_keys;
    for_keys.url = base + path + uri_encode(role, Slash::encode);
    for_keys.headers.push_back({"x-aws-ec2-metadata-token", token});
    Task<Bytes> asking_keys = ask(client, std::move(for_keys));
    const Bytes keys = co_await asking_keys;
    co_return from_json(keys);
  }

  // https, or http to this machine: loopback and the addresses that ECS and EKS use.
  static void check_container_url(const std::string& url) {
    const std::size_t path = url.find('/', url.find("://") + 3);
    const std::string origin = url.substr(0, path);
    for (const char* known : {"http://169.254.170.2", "http://169.254.170.23", "http://[fd00:ec2::23]"}) {
      if (origin == known) return;
    }
    const http::Endpoint endpoint = http::parse_endpoint("AWS_CONTAINER_CREDENTIALS_FULL_URI", origin);
    const bool loopback = endpoint.host == "localhost" || endpoint.host == "[::1]" || endpoint.host.starts_with("127.");
    if (endpoint.scheme != "https" && !loopback) {
      throw no_credentials(ErrorKind::access_denied, "The container's credentials are offered over plain http.");
    }
  }

  Task<Credentials> fetch_from_container(http::Client* client) {
    http::Request request;
    if (const auto relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")) {
      request.url = machine_.container_url + *relative;
    } else {
      request.url = *variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
      check_container_url(request.url);
    }
    if (const auto file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
      const Secret token = read_token_file(*file);
      request.headers.push_back({"authorization", std::string(token.reveal())});
    } else if (const auto token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")) {
      request.headers.push_back({"authorization", *token});
    }
    Task<Bytes> asking = ask(client, std::move(request));
    const Bytes keys = co_await asking;
    co_return from_json(keys);
  }

  // AssumeRoleWithWebIdentity is not signed: the token is the proof.
  Task<Credentials> fetch_by_web_identity(http::Client* client) {
    const Secret token = read_token_file(*variable("AWS_WEB_IDENTITY_TOKEN_FILE"));
    http::Request request;
    request.method = http::Method::post;
    request.url = (machine_.token_service_url.empty() ? "https://sts." + region_ + ".amazonaws.com"
                                                      : machine_.token_service_url) +
                  "/";
    request.headers.push_back({"content-type", "application/x-www-form-urlencoded"});
    request.body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" +
                   uri_encode(*variable("AWS_ROLE_ARN"), Slash::encode) + "&RoleSessionName=" +
                   uri_encode(variable("AWS_ROLE_SESSION_NAME").value_or("audiostore"), Slash::encode) +
                   "&WebIdentityToken=" + uri_encode(token.reveal(), Slash::encode);
    Task<Bytes> asking = ask(client, std::move(request));
    const Bytes reply = co_await asking;
    co_return from_token_service(reply);
  }

  Machine machine_;
  std::string region_;
  std::optional<Credentials> credentials_;
  unsigned generation_ = 0;
};

}  // namespace

bool CredentialSource::fresh(TimePoint now) const {
  const Credentials* const found = at_hand();
  return found != nullptr && (!found->expires || *found->expires - kRenewBefore > now);
}

bool CredentialSource::usable(TimePoint now) const {
  const Credentials* const found = at_hand();
  return found != nullptr && (!found->expires || *found->expires > now);
}

Machine this_machine() {
  Machine machine;
  machine.environment = [](const char* name) -> std::optional<std::string> {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  return machine;
}

std::unique_ptr<CredentialSource> make_credential_source(const Secrets& mapping, const std::string& region,
                                                         Machine machine) {
  const auto get = [&](const char* name) {
    const auto found = mapping.find(name);
    return found == mapping.end() ? Secret() : found->second;
  };
  const Secret kind = get("credentials");
  if (kind.reveal() == "instance") return std::make_unique<MachineSource>(std::move(machine), region);
  if (kind.reveal() == "env") return std::make_unique<FixedSource>(from_environment(machine));
  Credentials credentials{std::string(get("access_key_id").reveal()), get("secret_access_key"), get("session_token"),
                          std::nullopt};
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
    throw Error(ErrorKind::invalid_option, "no credentials for the store", "Its user mapping has no keys.",
                "Create a user mapping with access_key_id and secret_access_key, or with credentials.");
  }
  return std::make_unique<FixedSource>(std::move(credentials));
}

}  // namespace audiostore::store::s3
