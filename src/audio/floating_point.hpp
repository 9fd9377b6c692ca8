// Numbers too small to matter are taken for zero while one of these lives: recursive filters that fade into silence
// would otherwise run many times slower than on sound.
#pragma once

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace audiostore::audio {

class FlushDenormals {
 public:
#if defined(__x86_64__)
  FlushDenormals() : before_(_mm_getcsr()) {
    constexpr unsigned kFlushToZero = 0x8000;
    constexpr unsigned kDenormalsAreZero = 0x0040;
    _mm_setcsr(before_ | kFlushToZero | kDenormalsAreZero);
  }
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#else
  FlushDenormals() {}   // NOLINT(modernize-use-equals-default): the variable must not look unused
  ~FlushDenormals() {}  // NOLINT(modernize-use-equals-default)
#endif

 public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
};

}  // namespace audiostore::audio
