#include "sandbox/failure.hpp"

#include <csignal>
#include <cstring>

#include "sandbox/hello.hpp"

namespace audiostore::sandbox {
namespace {

namespace wire = audio::wire;

std::string signal_name(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

Error out_of_memory(const Limits& limits) {
  return {ErrorKind::decoder_limit, "the audio needs more memory than the decoder may have",
          "It may have " + std::to_string(limits.memory >> 20) + " MB.", "Raise audiostore.decoder_memory."};
}

// A DETAIL is a sentence.
std::string sentence(std::string text) {
  if (text.empty()) return text;
  if (text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  if (text.back() != '.') text += '.';
  return text;
}

Error died(const std::string& detail) {
  return {ErrorKind::decoder_died, "the audio decoder ended unexpectedly", detail};
}

}  // namespace

Error out_of_time(const Limits& limits) {
  return {ErrorKind::decoder_limit, "the audio decoder took too long",
          "It may take " + std::to_string(limits.timeout.count()) + " ms.",
          "Raise audiostore.decoder_timeout, or give it shorter audio."};
}

Error failure_of_lie(const std::string& detail) {
  return {ErrorKind::decoder_died, "the audio decoder sent a reply that makes no sense", detail};
}

Error failure_of(const Ending& ending, const Limits& limits) {
  if (!ending.known) return died("Nothing is known of its end.");
  switch (ending.signal) {
    case 0: break;
    case SIGXCPU: return out_of_time(limits);
    case SIGXFSZ: return {ErrorKind::too_large, "the audio decoder wrote more than it may"};
    case SIGSYS: return died("It was ended by SIGSYS: it tried what a decoder has no need of.");
    default: return died("It was ended by " + signal_name(ending.signal) + ".");
  }
  switch (ending.exit_code) {
    case kExitOutOfMemory: return out_of_memory(limits);
    case kExitNotConfined: return died("The kernel refused to confine it (seccomp).");
    default: return died("It exited with code " + std::to_string(ending.exit_code) + ".");
  }
}

Error failure_of(const wire::Reply& reply, const Limits& limits) {
  std::string const message = reply.message.data();
  std::string const detail = sentence(reply.detail.data());
  auto const error = [&](ErrorKind kind, const char* otherwise) {
    return Error(kind, message.empty() ? otherwise : message, detail);
  };
  switch (reply.status) {
    case wire::Status::not_audio: return error(ErrorKind::bad_audio, "not audio in any format that is known here");
    case wire::Status::damaged: return error(ErrorKind::bad_audio, "the audio is damaged");
    case wire::Status::unsupported: return error(ErrorKind::unsupported, "the audio is of a kind that is not read");
    case wire::Status::invalid_argument: return error(ErrorKind::invalid_argument, "this does not fit the audio");
    case wire::Status::too_large: return error(ErrorKind::too_large, "the result is too large");
    case wire::Status::out_of_memory: return out_of_memory(limits);
    case wire::Status::ok:
    case wire::Status::needs_whole_input:
    case wire::Status::needs_other_reader:
    case wire::Status::failed: break;
  }
  return error(ErrorKind::decoder_died, "the audio decoder failed");
}

}  // namespace audiostore::sandbox
