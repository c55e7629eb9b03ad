// What the machine can do at most: the ceilings that kernels are a share of.
#include "level.h"

#pragma clang fp contract(fast) reassociate(on)

// Twelve independent chains hide the latency of two multiply-add units.
enum { CHAINS = 12 };
#define FMA_LOOP(WIDTH)                                                       \
    typedef float vector __attribute__((vector_size(4 * WIDTH)));             \
    vector a = {0}, b = {0}, c[CHAINS];                                       \
    for (int i = 0; i < WIDTH; i++) a[i] = 0.999f, b[i] = 1e-3f;              \
    for (int i = 0; i < CHAINS; i++) c[i] = b;                                \
    for (int64_t n = 0; n < iterations; n++) {                                \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) { \
            c[i] = c[i] * a + b;                                              \
            __asm__ volatile("" : "+x"(c[i]));                                \
        }                                                                     \
    }                                                                         \
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" ::"x"(c[i]));        \
    return (double)iterations * CHAINS * WIDTH * 2;

#if defined(__x86_64__)
CK_TARGET_AVX512 static double fma_avx512(int64_t iterations){FMA_LOOP(16)} CK_TARGET_AVX2
    static double fma_avx2(int64_t iterations) {
    FMA_LOOP(8)
}
static double fma_portable(int64_t iterations) { FMA_LOOP(4) }
double ck_probe_fma(int64_t iterations) {
    switch (ck_level()) {
    case CK_AVX512:
        return fma_avx512(iterations);
    case CK_AVX2:
        return fma_avx2(iterations);
    default:
        return fma_portable(iterations);
    }
}
#else
double ck_probe_fma(int64_t iterations) {
    typedef float vector __attribute__((vector_size(16)));
    vector a, b, c[CHAINS];
    for (int i = 0; i < 4; i++) a[i] = 0.999f, b[i] = 1e-3f;
    for (int i = 0; i < CHAINS; i++) c[i] = b;
    for (int64_t n = 0; n < iterations; n++)
        for (int i = 0; i < CHAINS; i++) {
            c[i] = c[i] * a + b;
            __asm__ volatile("" : "+w"(c[i]));
        }
    return (double)iterations * CHAINS * 4 * 2;
}
#endif

#if defined(__x86_64__)
#include <immintrin.h>

// As FMA_LOOP: `ops` a lane and step.
#define DOT_LOOP(type, zero, step, ops)                                       \
    type c[CHAINS];                                                           \
    for (int i = 0; i < CHAINS; i++) c[i] = zero;                             \
    for (int64_t n = 0; n < iterations; n++) {                                \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) { \
            c[i] = step;                                                      \
            __asm__ volatile("" : "+x"(c[i]));                                \
        }                                                                     \
    }                                                                         \
    return (double)iterations * CHAINS * (ops);

CK_TARGET_AVX512 static double int8_avx512(int64_t iterations) {
    const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-2);
    DOT_LOOP(__m512i, _mm512_setzero_si512(), _mm512_dpbusd_epi32(c[i], a, b), 128)
}
CK_TARGET_AVX512_BF16 static double bf16_avx512(int64_t iterations) {
    const __m512bh a = (__m512bh)_mm512_set1_epi32(0x3c003c00);
    DOT_LOOP(__m512, _mm512_setzero_ps(), _mm512_dpbf16_ps(c[i], a, a), 64)
}
double ck_probe_int8(int64_t iterations) { return ck_level() == CK_AVX512 ? int8_avx512(iterations) : 0; }
double ck_probe_bf16(int64_t iterations) { return ck_bf16_dot_available() ? bf16_avx512(iterations) : 0; }
#else
double ck_probe_int8(int64_t iterations) { return iterations < 0; }
double ck_probe_bf16(int64_t iterations) { return iterations < 0; }
#endif

// Streaming stores: a copy that is not read again soon need not pass through the caches.
CK_INLINE void ck_probe_copy_body(const float *a, float *c, int64_t n) {
    typedef float vector __attribute__((vector_size(32), aligned(4)));
    typedef float aligned_vector __attribute__((vector_size(32)));
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        __builtin_nontemporal_store((aligned_vector) * (const vector *)(a + i), (aligned_vector *)(c + i));
    for (; i < n; i++) c[i] = a[i];
}
CK_DISPATCH(void, ck_probe_copy, (const float *a, float *c, int64_t n), (a, c, n))

CK_INLINE float ck_probe_read_body(const float *a, int64_t n) {
    float sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i];
    return sum;
}
CK_DISPATCH(float, ck_probe_read, (const float *a, int64_t n), (a, n))

CK_INLINE void ck_probe_triad_body(const float *a, const float *b, float *c, float s, int64_t n) {
    typedef float vector __attribute__((vector_size(32)));
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        __builtin_nontemporal_store(*(const vector *)(a + i) + *(const vector *)(b + i) * s, (vector *)(c + i));
    for (; i < n; i++) c[i] = a[i] + b[i] * s;
}
CK_DISPATCH(void, ck_probe_triad, (const float *a, const float *b, float *c, float s, int64_t n), (a, b, c, s, n))
