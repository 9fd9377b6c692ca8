// The operations behind perform(): each takes an opened source and fills its part of the reply.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "audio/encoder.hpp"
#include "audio/meter.hpp"
#include "audio/source.hpp"
#include "audio/wire.hpp"

namespace audiostore::audio {

struct Job {
  const wire::Request& request;
  Source& source;
  int output;
};

void measure(const Job& job, wire::Reply& reply);
void master(const Job& job, wire::Reply& reply);
void transcode(const Job& job, wire::Reply& reply);
void slice(const Job& job, wire::Reply& reply);
void trim(const Job& job, wire::Reply& reply);
void waveform(const Job& job, wire::Reply& reply);

// Gives every block of what is left of the source to visit. Throws damaged where the audio ends before the frame that
// its header promised; a quarter of a second is forgiven to lossy codecs, whose headers are inexact.
void for_each_block(Source& source, const std::function<void(std::span<float>)>& visit);

// Reads the source to its end.
Meter measure_all(Source& source);

// The source in the channels, rate and format that a request asks for.
class Converted {
 public:
  Converted(Source& source, const wire::Request& request);
  Source& source() const { return *last_; }
  bool unchanged() const { return !mixed_ && !resampled_; }
  // Ready for an encoder, but for dither and expected frames of parts.
  Target target(const wire::Request& request) const;

 private:
  Source* last_;
  wire::Info original_;
  wire::Format format_;
  std::unique_ptr<Source> mixed_;
  std::unique_ptr<Source> resampled_;
};

// What an operation wrote.
void report_output(const Encoder& encoder, wire::Reply& reply);

}  // namespace audiostore::audio
