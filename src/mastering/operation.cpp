#include "mastering/operation.hpp"

#include <limits>

#include "mastering/decoder_process.hpp"

extern "C" {
#include "access/detoast.h"
}

namespace audiostore::mastering {
namespace {

namespace wire = audio::wire;

// Headers lie at the front, and behind long pictures at times; what was written last (tags, an index) at the end.
constexpr std::uint64_t kHead = 256 << 10;
constexpr std::uint64_t kTail = 64 << 10;

struct varlena* pointer(Datum value) {
  return reinterpret_cast<struct varlena*>(DatumGetPointer(value));
}

// Of a compressed value every slice costs what comes before it, of others only itself.
bool can_be_sliced(Datum value) {
  struct varlena* const stored = pointer(value);
  if (VARATT_IS_EXTERNAL_ONDISK(stored)) {
    varatt_external where{};
    VARATT_EXTERNAL_GET_POINTER(where, stored);
    return !VARATT_EXTERNAL_IS_COMPRESSED(where);
  }
  return !VARATT_IS_EXTERNAL(stored) && !VARATT_IS_COMPRESSED(stored);
}

std::uint64_t size_of(Datum value) { return toast_raw_datum_size(value) - VARHDRSZ; }

void write_slice(const MemoryFile& file, Datum value, std::uint64_t offset, std::uint64_t size) {
  auto* const slice = pg::call(
      [&] { return pg_detoast_datum_slice(pointer(value), static_cast<int32>(offset), static_cast<int32>(size)); });
  file.write(offset, {VARDATA_ANY(slice), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(slice))});
  pfree(slice);
}

void write_ends(const MemoryFile& file, Datum value, std::uint64_t size) {
  file.resize(size);
  write_slice(file, value, 0, kHead);
  write_slice(file, value, size - kTail, kTail);
}

void write_all(const MemoryFile& file, Datum value) {
  auto* const whole = pg::call([&] { return pg_detoast_datum_packed(pointer(value)); });
  file.write(0, {VARDATA_ANY(whole), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(whole))});
  if (whole != pointer(value)) pfree(whole);
}

wire::Reply examine_all(wire::Request& request, Datum audio, int output) {
  MemoryFile const input;
  write_all(input, audio);
  input.seal();
  request.input = {.size = size_of(audio), .head = size_of(audio), .tail = 0};
  return decode(request, input.fd(), output);
}

}  // namespace

wire::Request request_for(wire::Operation operation) {
  wire::Request request{};
  request.operation = operation;
  request.end_seconds = std::numeric_limits<double>::infinity();
  return request;
}

wire::Reply examine(wire::Request request, Datum audio, bool header_only) {
  std::uint64_t const size = size_of(audio);
  if (header_only && size > kHead + kTail && can_be_sliced(audio)) {
    MemoryFile const input;
    write_ends(input, audio, size);
    input.seal();
    request.input = {.size = size, .head = kHead, .tail = kTail};
    auto const reply = decode(request, input.fd(), -1);
    if (reply.status == wire::Status::ok) return reply;
  }
  return examine_all(request, audio, -1);
}

void produce(wire::Request request, Datum audio, Result& result) {
  request.max_output = kMostBytes;
  result.reply = examine_all(request, audio, result.output.fd());
}

}  // namespace audiostore::mastering
