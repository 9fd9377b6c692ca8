// Hot loops are compiled for several instruction sets and chosen when the program is loaded, before it is confined.
// Such a function is written out in one piece: what it calls would be compiled for the oldest processor.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define AUDIOSTORE_MULTIVERSION __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define AUDIOSTORE_MULTIVERSION
#endif
