// Row-wise and elementwise kernels.
#include <math.h>
#include <string.h>

#include "activation.h"
#include "level.h"

#pragma clang fp contract(fast) reassociate(on)

CK_INLINE void ck_rms_norm_body(const float *x, const float *weight, float *y, int64_t n, float epsilon) {
    float sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    float scale = 1 / sqrtf(sum / (float)n + epsilon);
    CK_ELEMENTWISE
    for (int64_t i = 0; i < n; i++) y[i] = x[i] * scale * weight[i];
}
CK_DISPATCH(void, ck_rms_norm, (const float *x, const float *weight, float *y, int64_t n, float epsilon),
            (x, weight, y, n, epsilon))

CK_INLINE void ck_layer_norm_body(const float *x, const float *weight, const float *bias, float *y, int64_t n,
                                  float epsilon, float *mean, float *inverse_deviation) {
    float sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    float m = sum / (float)n;
    for (int64_t i = 0; i < n; i++) squares += (x[i] - m) * (x[i] - m);
    float inverse = 1 / sqrtf(squares / (float)n + epsilon);
    CK_ELEMENTWISE
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - m) * inverse * weight[i];
    if (bias) {
        CK_ELEMENTWISE
        for (int64_t i = 0; i < n; i++) y[i] += bias[i];
    }
    *mean = m;
    *inverse_deviation = inverse;
}
CK_DISPATCH(void, ck_layer_norm,
            (const float *x, const float *weight, const float *bias, float *y, int64_t n, float epsilon, float *mean,
             float *inverse_deviation),
            (x, weight, bias, y, n, epsilon, mean, inverse_deviation))

CK_INLINE float row_maximum(const float *x, int64_t n) {
    float largest = x[0];
    for (int64_t i = 1; i < n; i++) largest = x[i] > largest ? x[i] : largest;
    return largest;
}

CK_INLINE void ck_softmax_body(const float *x, float *y, int64_t n) {
    float largest = row_maximum(x, n), sum = 0;
    CK_ELEMENTWISE
    for (int64_t i = 0; i < n; i++) {
        y[i] = ck_exp(x[i] - largest);
        sum += y[i];
    }
    float inverse = 1 / sum;
    for (int64_t i = 0; i < n; i++) y[i] *= inverse;
}
CK_DISPATCH(void, ck_softmax, (const float *x, float *y, int64_t n), (x, y, n))

CK_INLINE void ck_log_softmax_body(const float *x, float *y, int64_t n) {
    float largest = row_maximum(x, n), sum = 0;
    for (int64_t i = 0; i < n; i++) sum += ck_exp(x[i] - largest);
    float down = largest, log_sum = logf(sum);
    CK_ELEMENTWISE
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - down) - log_sum;
}
CK_DISPATCH(void, ck_log_softmax, (const float *x, float *y, int64_t n), (x, y, n))

CK_INLINE void ck_quantise_body(const float *x, int32_t *y, int64_t n, float scale, int32_t zero, int32_t low,
                                int32_t high) {
    for (int64_t i = 0; i < n; i++) {
        float q = __builtin_rintf(x[i] / scale) + (float)zero;
        y[i] = (int32_t)(q < (float)low ? (float)low : q > (float)high ? (float)high : q);
    }
}
CK_DISPATCH(void, ck_quantise,
            (const float *x, int32_t *y, int64_t n, float scale, int32_t zero, int32_t low, int32_t high),
            (x, y, n, scale, zero, low, high))

CK_INLINE void ck_dequantise_body(const int32_t *x, float *y, int64_t n, float scale, int32_t zero) {
    for (int64_t i = 0; i < n; i++) y[i] = (float)(x[i] - zero) * scale;
}
CK_DISPATCH(void, ck_dequantise, (const int32_t *x, float *y, int64_t n, float scale, int32_t zero),
            (x, y, n, scale, zero))

CK_INLINE void gate_with(const ck_activation_t activation, const float *gate, const float *up, float *y, int64_t n) {
    CK_ELEMENTWISE
    for (int64_t i = 0; i < n; i++) y[i] = ck_activate(activation, gate[i]) * up[i];
}
CK_INLINE void ck_gate_body(ck_activation_t activation, const float *gate, const float *up, float *y, int64_t n) {
    if (activation == CK_SILU) gate_with(CK_SILU, gate, up, y, n);
    if (activation == CK_GELU) gate_with(CK_GELU, gate, up, y, n);
    if (activation == CK_RELU) gate_with(CK_RELU, gate, up, y, n);
    if (activation == CK_IDENTITY) gate_with(CK_IDENTITY, gate, up, y, n);
}
CK_DISPATCH(void, ck_gate, (ck_activation_t activation, const float *gate, const float *up, float *y, int64_t n),
            (activation, gate, up, y, n))

CK_INLINE void ck_add_body(const float *a, const float *b, float *y, int64_t n) {
    CK_ELEMENTWISE
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}
CK_DISPATCH(void, ck_add, (const float *a, const float *b, float *y, int64_t n), (a, b, y, n))

CK_INLINE void ck_rope_interleaved_body(const float *x, const float *cos_sin, float *y, int64_t d) {
    CK_ELEMENTWISE
    for (int64_t i = 0; i < d / 2; i++) {
        float c = cos_sin[2 * i], s = cos_sin[2 * i + 1], a = x[2 * i], b = x[2 * i + 1];
        y[2 * i] = a * c - b * s;
        y[2 * i + 1] = a * s + b * c;
    }
}
CK_DISPATCH(void, ck_rope_interleaved, (const float *x, const float *cos_sin, float *y, int64_t d), (x, cos_sin, y, d))

CK_INLINE void ck_rope_half_body(const float *x, const float *cos_sin, float *y, int64_t d) {
    CK_ELEMENTWISE
    for (int64_t i = 0; i < d / 2; i++) {
        float c = cos_sin[2 * i], s = cos_sin[2 * i + 1], a = x[i], b = x[i + d / 2];
        y[i] = a * c - b * s;
        y[i + d / 2] = a * s + b * c;
    }
}
CK_DISPATCH(void, ck_rope_half, (const float *x, const float *cos_sin, float *y, int64_t d), (x, cos_sin, y, d))

CK_INLINE int64_t ck_argmax_body(const float *x, int64_t n) {
    float best = x[0];
    for (int64_t i = 1; i < n; i++) best = x[i] > best ? x[i] : best;
    for (int64_t i = 0; i < n; i++)
        if (x[i] == best) return i;
    return 0;
}
CK_DISPATCH(int64_t, ck_argmax, (const float *x, int64_t n), (x, n))

CK_INLINE bool is_larger(float a, float b) { return a > b || (b != b && a == a); }
CK_INLINE void ck_top_k_body(const float *x, int64_t n, int64_t k, float *values, int32_t *indices) {
    for (int64_t i = 0; i < n; i++) {
        int64_t at = i < k ? i : k;
        if (at == k && !is_larger(x[i], values[--at])) continue;
        for (; at > 0 && is_larger(x[i], values[at - 1]); at--) {
            values[at] = values[at - 1];
            indices[at] = indices[at - 1];
        }
        values[at] = x[i];
        indices[at] = (int32_t)i;
    }
}
CK_DISPATCH(void, ck_top_k, (const float *x, int64_t n, int64_t k, float *values, int32_t *indices),
            (x, n, k, values, indices))

CK_INLINE void ck_narrow_f16_body(const float *x, uint16_t *y, int64_t n) {
    _Float16 *out = (_Float16 *)y;
    for (int64_t i = 0; i < n; i++) out[i] = (_Float16)x[i];
}
CK_DISPATCH(void, ck_narrow_f16, (const float *x, uint16_t *y, int64_t n), (x, y, n))

CK_INLINE void ck_narrow_bf16_body(const float *x, uint16_t *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        // A NaN stays one: rounding could carry it to infinity.
        uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
        y[i] = (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded);
    }
}
CK_DISPATCH(void, ck_narrow_bf16, (const float *x, uint16_t *y, int64_t n), (x, y, n))
