#include <float.h>
#include <math.h>

#include "exp.h"
#include "level.h"

#pragma clang fp contract(fast) reassociate(on)

enum { KEYS = 64 };

CK_INLINE void ck_attention_row_body(const float *q, const float *k, const float *v, float *out, float *lse,
                                     int64_t count, int64_t k_stride, int64_t v_stride, int64_t head_dim, float scale) {
    float sum = 0, maximum = -FLT_MAX, p[KEYS];
    for (int64_t i = 0; i < head_dim; i++) out[i] = 0;
    for (int64_t start = 0; start < count; start += KEYS) {
        int64_t keys = count - start < KEYS ? count - start : KEYS;
        float block_maximum = maximum;
        for (int64_t j = 0; j < keys; j++) {
            const float *kj = k + (start + j) * k_stride;
            float dot = 0;
            for (int64_t i = 0; i < head_dim; i++) dot += q[i] * kj[i];
            p[j] = dot * scale;
            block_maximum = p[j] > block_maximum ? p[j] : block_maximum;
        }
        // What came before was scaled by the old maximum.
        float correction = ck_exp(maximum - block_maximum), block_sum = 0;
        maximum = block_maximum;
        for (int64_t j = 0; j < keys; j++) {
            p[j] = ck_exp(p[j] - maximum);
            block_sum += p[j];
        }
        sum = sum * correction + block_sum;
        for (int64_t i = 0; i < head_dim; i++) out[i] *= correction;
        for (int64_t j = 0; j < keys; j++) {
            const float *vj = v + (start + j) * v_stride;
            for (int64_t i = 0; i < head_dim; i++) out[i] += p[j] * vj[i];
        }
    }
    if (count > 0) {
        float inverse = 1 / sum;
        for (int64_t i = 0; i < head_dim; i++) out[i] *= inverse;
    }
    if (lse) *lse = count > 0 ? maximum + logf(sum) : -FLT_MAX;
}
CK_DISPATCH(void, ck_attention_row,
            (const float *q, const float *k, const float *v, float *out, float *lse, int64_t count, int64_t k_stride,
             int64_t v_stride, int64_t head_dim, float scale),
            (q, k, v, out, lse, count, k_stride, v_stride, head_dim, scale))
