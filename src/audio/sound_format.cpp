#include "audio/sound_format.hpp"

#include <sndfile.h>

namespace audiostore::audio {

wire::Codec codec_of(int sound_format) {
  using wire::Codec;
  if ((sound_format & SF_FORMAT_TYPEMASK) == SF_FORMAT_FLAC) return Codec::flac;
  switch (sound_format & SF_FORMAT_SUBMASK) {
    case SF_FORMAT_PCM_S8:
      // In Ogg the sample formats stand for FLAC.
      return (sound_format & SF_FORMAT_TYPEMASK) == SF_FORMAT_OGG ? Codec::flac : Codec::pcm_s8;
    case SF_FORMAT_PCM_U8: return Codec::pcm_u8;
    case SF_FORMAT_PCM_16: return (sound_format & SF_FORMAT_TYPEMASK) == SF_FORMAT_OGG ? Codec::flac : Codec::pcm_s16;
    case SF_FORMAT_PCM_24: return (sound_format & SF_FORMAT_TYPEMASK) == SF_FORMAT_OGG ? Codec::flac : Codec::pcm_s24;
    case SF_FORMAT_PCM_32: return Codec::pcm_s32;
    case SF_FORMAT_FLOAT: return Codec::pcm_f32;
    case SF_FORMAT_DOUBLE: return Codec::pcm_f64;
    case SF_FORMAT_ULAW: return Codec::ulaw;
    case SF_FORMAT_ALAW: return Codec::alaw;
    case SF_FORMAT_IMA_ADPCM: return Codec::ima_adpcm;
    case SF_FORMAT_MS_ADPCM: return Codec::ms_adpcm;
    case SF_FORMAT_GSM610: return Codec::gsm;
    case SF_FORMAT_G721_32:
    case SF_FORMAT_G723_24:
    case SF_FORMAT_G723_40: return Codec::g72x;
    case SF_FORMAT_ALAC_16:
    case SF_FORMAT_ALAC_20:
    case SF_FORMAT_ALAC_24:
    case SF_FORMAT_ALAC_32: return Codec::alac;
    case SF_FORMAT_VORBIS: return Codec::vorbis;
    case SF_FORMAT_OPUS: return Codec::opus;
    case SF_FORMAT_MPEG_LAYER_III: return Codec::mp3;
    default: return Codec::other;
  }
}

wire::Container container_of(int sound_format) {
  using wire::Container;
  switch (sound_format & SF_FORMAT_TYPEMASK) {
    case SF_FORMAT_WAV:
    case SF_FORMAT_WAVEX: return Container::wav;
    case SF_FORMAT_RF64: return Container::rf64;
    case SF_FORMAT_W64: return Container::w64;
    case SF_FORMAT_FLAC: return Container::flac;
    case SF_FORMAT_OGG: return Container::ogg;
    case SF_FORMAT_MPEG: return Container::mp3;
    case SF_FORMAT_AIFF: return Container::aiff;
    case SF_FORMAT_CAF: return Container::caf;
    case SF_FORMAT_AU: return Container::au;
    default: return Container::unknown;
  }
}

int bit_depth_of(int sound_format) {
  switch (sound_format & SF_FORMAT_SUBMASK) {
    case SF_FORMAT_PCM_S8:
    case SF_FORMAT_PCM_U8: return 8;
    case SF_FORMAT_PCM_16:
    case SF_FORMAT_ALAC_16: return 16;
    case SF_FORMAT_ALAC_20: return 20;
    case SF_FORMAT_PCM_24:
    case SF_FORMAT_ALAC_24: return 24;
    case SF_FORMAT_PCM_32:
    case SF_FORMAT_ALAC_32:
    case SF_FORMAT_FLOAT: return 32;
    case SF_FORMAT_DOUBLE: return 64;
    default: return 0;
  }
}

}  // namespace audiostore::audio
