#include "decoder_call.hpp"

#include <sndfile.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "audio/av/reader.hpp"
#include "audio/virtual_file.hpp"

namespace audiostore::audio {

namespace {

class MemoryFile {
 public:
  explicit MemoryFile(const std::string& bytes = {}) : descriptor_(::memfd_create("test", MFD_CLOEXEC)) {
    if (!bytes.empty() && ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) < 0) std::abort();
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }
  int descriptor() const { return descriptor_; }
  std::string bytes() const {
    std::string all(static_cast<std::size_t>(::lseek(descriptor_, 0, SEEK_END)), '\0');
    if (::pread(descriptor_, all.data(), all.size(), 0) < 0) std::abort();
    return all;
  }

 private:
  int descriptor_;
};

}  // namespace

wire::Request request(wire::Operation operation, wire::Format format) {
  wire::Request made{};
  made.magic = wire::kRequestMagic;
  made.version = wire::kVersion;
  made.operation = operation;
  made.format = format;
  made.max_output = 1 << 30;
  made.target_lufs = -16;
  made.max_true_peak_dbtp = -1;
  made.end_seconds = INFINITY;
  made.threshold_dbfs = -50;
  made.padding_seconds = 0.1;
  made.points = 100;
  return made;
}

Answer call(const std::string& bytes, const wire::Request& request) {
  const MemoryFile input(bytes);
  const MemoryFile output;
  wire::Request whole = request;
  whole.input = {bytes.size(), bytes.size(), 0};
  Answer answer{perform(whole, input.descriptor(), output.descriptor(), open_av), {}};
  answer.output = output.bytes();
  return answer;
}

wire::Reply call_window(const std::string& bytes, wire::Request request, std::uint64_t head, std::uint64_t tail) {
  std::string window = bytes;
  if (head + tail < bytes.size())
    std::fill(window.begin() + static_cast<long>(head), window.end() - static_cast<long>(tail), '\0');
  const MemoryFile input(window);
  const MemoryFile output;
  request.input = {bytes.size(), head, tail};
  return perform(request, input.descriptor(), output.descriptor(), nullptr);
}

std::string wav(const Signal& signal, int bit_depth) {
  const MemoryFile file;
  VirtualOutput bytes(file.descriptor(), UINT64_MAX);
  SF_VIRTUAL_IO callbacks = VirtualOutput::callbacks();
  SF_INFO format{};
  format.samplerate = signal.sample_rate;
  format.channels = signal.channels;
  format.format = SF_FORMAT_WAV | (bit_depth == 16   ? SF_FORMAT_PCM_16
                                   : bit_depth == 24 ? SF_FORMAT_PCM_24
                                                     : SF_FORMAT_FLOAT);
  const SoundFileHandle handle(sf_open_virtual(&callbacks, SFM_WRITE, &format, &bytes));
  sf_command(handle.get(), SFC_SET_CLIPPING, nullptr, SF_TRUE);
  sf_writef_float(handle.get(), signal.samples.data(), static_cast<sf_count_t>(signal.frames()));
  sf_write_sync(handle.get());
  sf_command(handle.get(), SFC_UPDATE_HEADER_NOW, nullptr, 0);
  return file.bytes();
}

Signal decoded(const std::string& bytes) {
  const MemoryFile file(bytes);
  const Input input(file.descriptor(), {bytes.size(), bytes.size(), 0});
  VirtualInput reader(input);
  SF_VIRTUAL_IO callbacks = VirtualInput::callbacks();
  SF_INFO format{};
  const SoundFileHandle handle(sf_open_virtual(&callbacks, SFM_READ, &format, &reader));
  if (handle == nullptr) return {};
  Signal signal{format.samplerate, format.channels, {}};
  std::vector<float> block(4096 * static_cast<std::size_t>(format.channels));
  while (const sf_count_t frames = sf_readf_float(handle.get(), block.data(), 4096))
    signal.samples.insert(signal.samples.end(), block.begin(), block.begin() + frames * format.channels);
  return signal;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string run_with_input(const std::string& command, const std::string& bytes) {
  std::array<char, 32> path{"/tmp/audio-test-XXXXXX"};
  const int descriptor = ::mkstemp(path.data());
  if (descriptor < 0 || ::write(descriptor, bytes.data(), bytes.size()) < 0) std::abort();
  ::close(descriptor);
  const std::string line = std::string("INPUT=") + path.data() + "; " + command;
  std::string printed;
  FILE* pipe = ::popen(line.c_str(), "r");
  std::array<char, 65536> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) printed.append(buffer.data(), got);
  const int status = ::pclose(pipe);
  ::unlink(path.data());
  return status == 0 ? printed : "";
}

bool has_ffmpeg() {
  static const bool found = std::system("ffmpeg -version > /dev/null 2>&1") == 0;
  return found;
}

}  // namespace audiostore::audio
