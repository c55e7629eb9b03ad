// Matrix-vector products with the weights widened in the load path, and block widening for large products.
#include <string.h>

#include "level.h"

#pragma clang fp contract(fast) reassociate(on)

enum { BLOCK = 32, Q4_1_BYTES = 20, Q8_0_BYTES = 34, MAX_BLOCKS = 4096 };

CK_INLINE float half_at(const uint8_t *p) {
    _Float16 h;
    memcpy(&h, p, 2);
    return (float)h;
}

CK_INLINE void ck_gemv_f32_body(const float *w, const float *x, float *y, int64_t rows, int64_t k) {
    for (int64_t r = 0; r < rows; r++, w += k) {
        float sum = 0;
        for (int64_t i = 0; i < k; i++) sum += w[i] * x[i];
        y[r] = sum;
    }
}
CK_DISPATCH(void, ck_gemv_f32, (const float *w, const float *x, float *y, int64_t rows, int64_t k), (w, x, y, rows, k))

CK_INLINE void ck_gemv_f16_body(const uint16_t *bits, const float *x, float *y, int64_t rows, int64_t k) {
    const _Float16 *w = (const _Float16 *)bits;
    for (int64_t r = 0; r < rows; r++, w += k) {
        float sum = 0;
        for (int64_t i = 0; i < k; i++) sum += (float)w[i] * x[i];
        y[r] = sum;
    }
}
CK_DISPATCH(void, ck_gemv_f16, (const uint16_t *w, const float *x, float *y, int64_t rows, int64_t k),
            (w, x, y, rows, k))

typedef float f32x16 __attribute__((vector_size(64)));
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef int8_t i8x16 __attribute__((vector_size(16)));
#define LOAD(type, p)                      \
    ({                                     \
        type value;                        \
        memcpy(&value, (p), sizeof value); \
        value;                             \
    })
#define TO_F32(v) __builtin_convertvector(__builtin_convertvector((v), i32x16), f32x16)

// sum_i (d q_i + m) x_i = d sum_i q_i x_i + m sum_i x_i, so m costs one multiply-add a block.
// `sums` holds the second sum of each block, shared by all rows.
CK_INLINE void q4_1_row(const uint8_t *w, const float *x, const float *sums, float *y, int64_t blocks) {
    f32x16 total = {0};
    float minimum = 0;
    for (int64_t b = 0; b < blocks; b++, w += Q4_1_BYTES, x += BLOCK) {
        u8x16 q = LOAD(u8x16, w + 4);
        f32x16 low = TO_F32(q & 15), high = TO_F32(q >> 4);
        total += half_at(w) * (low * LOAD(f32x16, x) + high * LOAD(f32x16, x + 16));
        minimum += half_at(w + 2) * sums[b];
    }
    for (int i = 0; i < 16; i++) minimum += total[i];
    *y = minimum;
}

CK_INLINE void ck_gemv_q4_1_body(const uint8_t *w, const float *x, float *y, int64_t rows, int64_t k) {
    float sums[MAX_BLOCKS];
    int64_t blocks = k / BLOCK;
    for (int64_t r = 0; r < rows; r++) y[r] = 0;
    // Rows longer than the stack buffer are taken in pieces.
    for (int64_t start = 0; start < blocks; start += MAX_BLOCKS) {
        int64_t count = blocks - start < MAX_BLOCKS ? blocks - start : MAX_BLOCKS;
        const float *xs = x + start * BLOCK;
        for (int64_t b = 0; b < count; b++) {
            float sum = 0;
            for (int i = 0; i < BLOCK; i++) sum += xs[b * BLOCK + i];
            sums[b] = sum;
        }
        for (int64_t r = 0; r < rows; r++) {
            float part;
            q4_1_row(w + (r * blocks + start) * Q4_1_BYTES, xs, sums, &part, count);
            y[r] += part;
        }
    }
}
CK_DISPATCH(void, ck_gemv_q4_1, (const uint8_t *w, const float *x, float *y, int64_t rows, int64_t k),
            (w, x, y, rows, k))

CK_INLINE void ck_gemv_q8_0_body(const uint8_t *w, const float *x, float *y, int64_t rows, int64_t k) {
    int64_t blocks = k / BLOCK;
    for (int64_t r = 0; r < rows; r++) {
        f32x16 total = {0};
        for (int64_t b = 0; b < blocks; b++, w += Q8_0_BYTES) {
            f32x16 low = TO_F32(LOAD(i8x16, w + 2)), high = TO_F32(LOAD(i8x16, w + 18));
            total += half_at(w) * (low * LOAD(f32x16, x + b * BLOCK) + high * LOAD(f32x16, x + b * BLOCK + 16));
        }
        float sum = 0;
        for (int i = 0; i < 16; i++) sum += total[i];
        y[r] = sum;
    }
}
CK_DISPATCH(void, ck_gemv_q8_0, (const uint8_t *w, const float *x, float *y, int64_t rows, int64_t k),
            (w, x, y, rows, k))

CK_INLINE void ck_widen_f16_body(const uint16_t *bits, float *out, int64_t count) {
    const _Float16 *w = (const _Float16 *)bits;
    for (int64_t i = 0; i < count; i++) out[i] = (float)w[i];
}
CK_DISPATCH(void, ck_widen_f16, (const uint16_t *w, float *out, int64_t count), (w, out, count))

CK_INLINE void ck_widen_bf16_body(const uint16_t *w, float *out, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)w[i] << 16;
        memcpy(out + i, &bits, 4);
    }
}
CK_DISPATCH(void, ck_widen_bf16, (const uint16_t *w, float *out, int64_t count), (w, out, count))

CK_INLINE void ck_widen_q4_1_body(const uint8_t *w, float *out, int64_t count) {
    for (int64_t b = 0; b < count / BLOCK; b++, w += Q4_1_BYTES, out += BLOCK) {
        float d = half_at(w), m = half_at(w + 2);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)(w[4 + i] & 15) + m;
            out[i + 16] = d * (float)(w[4 + i] >> 4) + m;
        }
    }
}
CK_DISPATCH(void, ck_widen_q4_1, (const uint8_t *w, float *out, int64_t count), (w, out, count))

CK_INLINE void ck_widen_q8_0_body(const uint8_t *w, float *out, int64_t count) {
    for (int64_t b = 0; b < count / BLOCK; b++, w += Q8_0_BYTES, out += BLOCK) {
        float d = half_at(w);
        for (int i = 0; i < BLOCK; i++) out[i] = d * (float)(int8_t)w[2 + i];
    }
}
CK_DISPATCH(void, ck_widen_q8_0, (const uint8_t *w, float *out, int64_t count), (w, out, count))
