// Checks the options of CREATE and ALTER SERVER, USER MAPPING and FOREIGN TABLE. PostgreSQL calls it with the whole
// list that will be stored, as the role that runs the statement.
#include "foreign/options.hpp"
#include "pg/guard.hpp"

namespace audiostore::foreign {
namespace {

bool may(Oid predefined_role) { return superuser() || has_privs_of_role(GetUserId(), predefined_role); }

// Whoever can point a store at the server's files, or lend it the machine's identity, acts as the server itself.
void check_provider_privileges(const store::Provider& provider) {
  if (provider.name == "local" && !(may(ROLE_PG_READ_SERVER_FILES) && may(ROLE_PG_WRITE_SERVER_FILES))) {
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied to create or change a local store", {},
                       "Only superusers and members of both pg_read_server_files and pg_write_server_files may.");
  }
}

void check_file_options(const store::Options& options) {
  for (const char* name : {"ca_file", "service_account_file", "credentials"}) {
    if (!options.contains(name) || may(ROLE_PG_READ_SERVER_FILES)) continue;
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied to set option \"" + std::string(name) + "\"",
                       "It makes the server use its own files or identity.",
                       "Only superusers and members of pg_read_server_files may.");
  }
}

Datum validate(FunctionCallInfo info) {
  Oid const catalog = DatumGetObjectId(info->args[1].value);
  store::Options const options = to_options(pg::call([&] { return untransformRelOptions(info->args[0].value); }));
  switch (catalog) {
    case ForeignServerRelationId: {
      ServerOptions const read = read_server_options(options);
      check_provider_privileges(*read.provider);
      check_file_options(options);
      break;
    }
    case UserMappingRelationId:
      check_mapping_of_any_provider(options);
      check_file_options(options);
      break;
    case ForeignTableRelationId: check_names(options, {"prefix"}); break;
    default: check_names(options, {}); break;
  }
  return Datum{0};
}

}  // namespace
}  // namespace audiostore::foreign

AUDIOSTORE_FUNCTION(fdw_validator, audiostore::foreign::validate)
