// Includes CK_FAMILY once for every level this architecture has. The family sees:
//   CK_FN(name)  the level's own name for a type or function      CK_LANES  f32 lanes of a vector
//   CK_MR        rows of a register tile (two vectors wide)       CK_IS_*   1 for the level being compiled
// and is compiled with the level's instruction set. No include guard: each family includes this once.
#include "level.h"

#define CK_PASTE(a, b) a##_##b
#define CK_EXPAND(a, b) CK_PASTE(a, b)
#define CK_FN(name) CK_EXPAND(name, CK_SUFFIX)

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(CK_TARGET_AVX512, apply_to = function)
#define CK_SUFFIX avx512
#define CK_LANES 16
#define CK_MR 14
#define CK_IS_AVX512 1
#include CK_FAMILY
#undef CK_SUFFIX
#undef CK_LANES
#undef CK_MR
#undef CK_IS_AVX512
#pragma clang attribute pop

#pragma clang attribute push(CK_TARGET_AVX2, apply_to = function)
#define CK_SUFFIX avx2
#define CK_LANES 8
#define CK_MR 6
#define CK_IS_AVX2 1
#include CK_FAMILY
#undef CK_SUFFIX
#undef CK_LANES
#undef CK_MR
#undef CK_IS_AVX2
#pragma clang attribute pop
#endif

// Four lanes are a vector of SSE2 and of NEON.
#define CK_SUFFIX portable
#define CK_LANES 4
#if defined(__aarch64__)
#define CK_MR 12
#else
#define CK_MR 6
#endif
#define CK_IS_PORTABLE 1
#include CK_FAMILY
#undef CK_SUFFIX
#undef CK_LANES
#undef CK_MR
#undef CK_IS_PORTABLE
