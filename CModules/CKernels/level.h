// Run-time dispatch: one body, compiled once a level.
#pragma once
#include "CKernels.h"

typedef enum { CK_PORTABLE, CK_AVX2, CK_AVX512 } ck_level_t;
ck_level_t ck_level(void);

#define CK_INLINE static inline __attribute__((always_inline))

// Before loops over elements: outputs may be an input, element for element, and nothing overlaps otherwise. Compilers
// would check that at run time and take single elements where an output is an input.
#define CK_ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)")

// Declares `ret name PARAMS`, which calls the always-inline `name##_body ARGS` compiled for the machine's level.
#if defined(__x86_64__)
#define CK_TARGET_AVX2 __attribute__((target("avx2,fma,f16c,bmi2,prfchw")))
#define CK_TARGET_AVX512 \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c,bmi2,prfchw")))
#define CK_TARGET_AVX512_BF16 \
    __attribute__((target("avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c,bmi2,prfchw")))
#define CK_DISPATCH(ret, name, PARAMS, ARGS)                                      \
    CK_TARGET_AVX512 static ret name##_avx512 PARAMS { return name##_body ARGS; } \
    CK_TARGET_AVX2 static ret name##_avx2 PARAMS { return name##_body ARGS; }     \
    static ret name##_portable PARAMS { return name##_body ARGS; }                \
    ret name PARAMS {                                                             \
        switch (ck_level()) {                                                     \
        case CK_AVX512:                                                           \
            return name##_avx512 ARGS;                                            \
        case CK_AVX2:                                                             \
            return name##_avx2 ARGS;                                              \
        default:                                                                  \
            return name##_portable ARGS;                                          \
        }                                                                         \
    }
// The function of a family (each_level.h) that this machine runs.
#define CK_SELECT(name) \
    (ck_level() == CK_AVX512 ? name##_avx512 : ck_level() == CK_AVX2 ? name##_avx2 : name##_portable)
#else
#define CK_SELECT(name) name##_portable
#define CK_DISPATCH(ret, name, PARAMS, ARGS) \
    ret name PARAMS { return name##_body ARGS; }
#endif
