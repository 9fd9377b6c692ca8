#include "pg/subtransaction.hpp"

#include <new>

namespace audiostore::pg {
namespace {

std::string or_empty(const char* text) { return text != nullptr ? text : ""; }

}  // namespace

Failure describe_failure() {
  try {
    throw;
  } catch (const PgError& error) {
    ErrorData const& data = *error.data();
    return {data.sqlerrcode, or_empty(data.message), or_empty(data.detail), or_empty(data.hint)};
  } catch (const SqlError& error) {
    return {error.sqlstate(), error.message(), error.detail(), error.hint()};
  } catch (const Error& error) {
    return {sqlstate_for(error.kind()), error.message(), error.detail(), error.hint()};
  } catch (const std::bad_alloc&) {
    return {ERRCODE_OUT_OF_MEMORY, "out of memory", {}, {}};
  } catch (const std::exception& error) {
    return {ERRCODE_INTERNAL_ERROR, std::string("unexpected failure in audiostore: ") + error.what(), {}, {}};
  } catch (...) {
    return {ERRCODE_INTERNAL_ERROR, "unexpected failure in audiostore", {}, {}};
  }
}

}  // namespace audiostore::pg
