#include "store/local/failure.hpp"

#include <cerrno>
#include <system_error>

namespace audiostore::store::local {
namespace {

ErrorKind kind_of(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT: return ErrorKind::store_full;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorKind::access_denied;
    case EFBIG: return ErrorKind::too_large;
    case ELOOP:
    case ENAMETOOLONG:
    case EINVAL:
    case EILSEQ: return ErrorKind::invalid_key;
    case ENOENT: return ErrorKind::not_found;
    case EXDEV: return ErrorKind::unsupported;
    case EMFILE:
    case ENFILE:
    case ENOMEM: return ErrorKind::throttled;
    default: return ErrorKind::server_error;
  }
}

std::string_view hint_for(int error_number) {
  switch (error_number) {
    case ENOSPC: return "Free space in the file system of the store's root directory.";
    case EDQUOT: return "The disk quota of the operating system user that runs PostgreSQL is used up.";
    case EACCES:
    case EPERM:
      return "The operating system user that runs PostgreSQL needs read and write permission in the store's root "
             "directory.";
    case EROFS: return "The file system of the store's root directory is mounted read-only.";
    case EFBIG: return "The file is larger than the file system or the server's file size limit allows.";
    case ELOOP: return "Local stores do not follow symbolic links inside their root directory.";
    case EXDEV: return "A directory inside the store's root is another file system; make it a store of its own.";
    case EMFILE:
    case ENFILE: return "Raise the limit of open files of the server process.";
    default: return {};
  }
}

}  // namespace

Error failure(int error_number, std::string_view action, std::string_view name) {
  std::string message(action);
  message.append(" \"").append(name).append("\": ").append(std::generic_category().message(error_number));
  return {kind_of(error_number), std::move(message), {}, std::string(hint_for(error_number))};
}

}  // namespace audiostore::store::local
