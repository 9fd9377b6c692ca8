#include "audio/perform.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>

#include "audio/floating_point.hpp"
#include "audio/operations.hpp"
#include "audio/sniff.hpp"
#include "audio/sound_file.hpp"

namespace audiostore::audio {

namespace {

using wire::Operation;
using wire::Status;

// Cut at a whole character, with its NUL.
void put(std::array<char, 256>& field, std::string_view text) {
  std::size_t size = std::min(text.size(), field.size() - 1);
  if (size < text.size())
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  field.fill('\0');
  std::copy_n(text.begin(), size, field.begin());
}

wire::Reply empty_reply() {
  wire::Reply reply{};
  reply.magic = wire::kReplyMagic;
  reply.version = wire::kVersion;
  return reply;
}

wire::Reply refusal(Status status, std::string_view message, std::string_view detail = {}) {
  wire::Reply reply = empty_reply();
  reply.status = status;
  put(reply.message, message);
  put(reply.detail, detail);
  return reply;
}

// libsndfile first; what it cannot decode in a container that the other reader knows goes there.
std::unique_ptr<Source> open(const Input& input, OtherReader other_reader) {
  const Sniffed sniffed = sniff(input);
  if (!sniffed.other_reader) {
    try {
      return open_sound_file(input, sniffed.container);
    } catch (const NeedsWholeInput&) {
      throw;
    } catch (const Failure&) {
      if (sniffed.container != wire::Container::caf) throw;
    }
  }
  if (other_reader == nullptr)
    throw Failure(Status::needs_other_reader, std::string(name(sniffed.container)) + " needs the other reader");
  return other_reader(input);
}

void run(const Job& job, wire::Reply& reply) {
  switch (job.request.operation) {
    case Operation::info: return;
    case Operation::measure: return measure(job, reply);
    case Operation::master: return master(job, reply);
    case Operation::transcode: return transcode(job, reply);
    case Operation::slice: return slice(job, reply);
    case Operation::trim: return trim(job, reply);
    case Operation::waveform: return waveform(job, reply);
  }
  throw invalid_argument("no such operation");
}

void check(const wire::Request& request) {
  if (request.magic != wire::kRequestMagic || request.version != wire::kVersion)
    throw Failure(Status::failed, "the request is of another version");
  if (request.format > wire::Format::mp3) throw invalid_argument("no such format");
  if (request.input.size > INT64_MAX || request.max_output > INT64_MAX)
    throw invalid_argument("sizes are out of range");
}

}  // namespace

wire::Reply perform(const wire::Request& request, int input, int output, OtherReader other_reader) noexcept {
  const FlushDenormals flush;
  try {
    check(request);
    const Input bytes(input, request.input);
    const std::unique_ptr<Source> source = open(bytes, other_reader);
    wire::Reply reply = empty_reply();
    reply.info = source->info();
    run(Job{request, *source, output}, reply);
    return reply;
  } catch (const Failure& failure) {
    return refusal(failure.status(), failure.message(), failure.detail());
  } catch (const std::bad_alloc&) {
    return refusal(Status::out_of_memory, "out of memory");
  } catch (const std::exception& exception) {
    return refusal(Status::failed, "audio could not be processed", exception.what());
  } catch (...) {
    return refusal(Status::failed, "audio could not be processed");
  }
}

}  // namespace audiostore::audio
