#include "objects/buffer.hpp"

namespace audiostore::objects {

Buffer::Buffer(std::uint64_t most) : most_(most), capacity_(8192) {
  data_ = pg::call([&] { return static_cast<char*>(palloc(VARHDRSZ + capacity_)); });
}

void Buffer::append(std::string_view piece) {
  if (size_ + piece.size() > most_) {
    throw Error(ErrorKind::too_large, "object is too large for one value",
                "At most " + std::to_string(most_) + " bytes can be read at once.",
                "Read it in parts, with the arguments start and length.");
  }
  if (size_ + piece.size() > capacity_) {
    capacity_ = std::min<std::size_t>(std::max(capacity_ * 2, size_ + piece.size()), most_);
    data_ = pg::call([&] { return static_cast<char*>(repalloc(data_, VARHDRSZ + capacity_)); });
  }
  std::memcpy(data_ + VARHDRSZ + size_, piece.data(), piece.size());
  size_ += piece.size();
}

Datum Buffer::bytea() {
  SET_VARSIZE(data_, VARHDRSZ + size_);
  return PointerGetDatum(data_);
}

}  // namespace audiostore::objects
