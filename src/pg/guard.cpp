// Turning errors: PostgreSQL's into exceptions, exceptions into PostgreSQL's. Nothing here allocates in a way
// that could raise while an exception is in flight.
#include "pg/guard.hpp"

#include <new>

namespace audiostore::pg {
namespace {

const char* copy_text(const std::string& text) noexcept {
  if (text.empty()) return nullptr;
  auto* copy = static_cast<char*>(MemoryContextAllocExtended(ErrorContext, text.size() + 1, MCXT_ALLOC_NO_OOM));
  if (copy != nullptr) std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

Escaped described(int sqlstate, const std::string& message, const std::string& detail, const std::string& hint) {
  return {.original = nullptr,
          .sqlstate = sqlstate,
          .message = copy_text(message),
          .detail = copy_text(detail),
          .hint = copy_text(hint)};
}

}  // namespace

int sqlstate_for(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::invalid_argument: return ERRCODE_INVALID_PARAMETER_VALUE;
    case ErrorKind::invalid_key: return ERRCODE_INVALID_NAME;
    case ErrorKind::invalid_option: return ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE;
    case ErrorKind::not_found: return ERRCODE_UNDEFINED_OBJECT;
    case ErrorKind::no_such_bucket: return ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION;
    case ErrorKind::access_denied: return ERRCODE_INSUFFICIENT_PRIVILEGE;
    case ErrorKind::precondition_failed: return ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    case ErrorKind::unsupported: return ERRCODE_FEATURE_NOT_SUPPORTED;
    case ErrorKind::store_full: return ERRCODE_DISK_FULL;
    case ErrorKind::too_large: return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    case ErrorKind::throttled: return ERRCODE_INSUFFICIENT_RESOURCES;
    case ErrorKind::unavailable: return ERRCODE_CONNECTION_FAILURE;
    case ErrorKind::timeout: return ERRCODE_CONNECTION_FAILURE;
    case ErrorKind::interrupted: return ERRCODE_CONNECTION_FAILURE;
    case ErrorKind::server_error: return ERRCODE_FDW_ERROR;
    case ErrorKind::bad_reply: return ERRCODE_FDW_ERROR;
    case ErrorKind::cancelled: return ERRCODE_QUERY_CANCELED;
    case ErrorKind::bad_audio: return ERRCODE_INVALID_BINARY_REPRESENTATION;
    case ErrorKind::decoder_limit: return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    case ErrorKind::decoder_died: return ERRCODE_EXTERNAL_ROUTINE_EXCEPTION;
    case ErrorKind::internal: return ERRCODE_INTERNAL_ERROR;
  }
  return ERRCODE_INTERNAL_ERROR;
}

void throw_current_error(MemoryContext caller_context) {
  static MemoryContext errors = nullptr;
  if (errors == nullptr) errors = AllocSetContextCreate(TopMemoryContext, "audiostore errors", ALLOCSET_SMALL_SIZES);
  if (!PgError::any_alive()) MemoryContextReset(errors);
  MemoryContextSwitchTo(errors);
  ErrorData* data = CopyErrorData();
  MemoryContextSwitchTo(caller_context);
  FlushErrorState();
  throw PgError(data);
}

Escaped describe_escaped() noexcept {
  try {
    throw;
  } catch (const PgError& error) {
    return {.original = error.data()};
  } catch (const SqlError& error) {
    return described(error.sqlstate(), error.message(), error.detail(), error.hint());
  } catch (const Error& error) {
    return described(sqlstate_for(error.kind()), error.message(), error.detail(), error.hint());
  } catch (const std::bad_alloc&) {
    return {.original = nullptr, .sqlstate = ERRCODE_OUT_OF_MEMORY, .message = "out of memory"};
  } catch (const std::exception& error) {
    return described(ERRCODE_INTERNAL_ERROR, std::string("unexpected failure in audiostore: ") + error.what(), {}, {});
  } catch (...) {
    return {.original = nullptr, .sqlstate = ERRCODE_INTERNAL_ERROR, .message = "unexpected failure in audiostore"};
  }
}

void raise(const Escaped& escaped) {
  if (escaped.original != nullptr) ReThrowError(escaped.original);
  ereport(ERROR, errcode(escaped.sqlstate),
          errmsg_internal("%s", escaped.message != nullptr ? escaped.message : "out of memory"),
          escaped.detail != nullptr ? errdetail_internal("%s", escaped.detail) : 0,
          escaped.hint != nullptr ? errhint("%s", escaped.hint) : 0);
  pg_unreachable();
}

}  // namespace audiostore::pg
