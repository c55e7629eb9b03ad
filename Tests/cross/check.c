// The microkernels against plain loops in f64, for machines that this one can only emulate: run by scripts/cross-check.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

static uint64_t state = 88172645463325252ull;
static float next(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (float)(int32_t)(state >> 20) / 2147483648.0f;
}
static float *floats(int64_t n) {
    float *x = malloc((size_t)(n + 64) * 4);
    for (int64_t i = 0; i < n + 64; i++) x[i] = next();
    return x;
}
static int cases, failures;
static void check(const char *what, int64_t m, int64_t n, int64_t k, double error, double allowed) {
    cases++;
    if (error <= allowed) return;
    failures++;
    printf("%s %ldx%ldx%ld: error %g, allowed %g\n", what, (long)m, (long)n, (long)k, error, allowed);
}
// NaN is the worst of errors, which fmax would pass over.
static double worse(double worst, double error) { return isnan(error) ? INFINITY : fmax(worst, error); }
static float narrowed(ck_format_t format, float x) {
    uint16_t bits;
    float wide;
    if (format == CK_F32) return x;
    format == CK_F16 ? ck_narrow_f16(&x, &bits, 1) : ck_narrow_bf16(&x, &bits, 1);
    format == CK_F16 ? ck_widen_f16(&bits, &wide, 1) : ck_widen_bf16(&bits, &wide, 1);
    return wide;
}

static void products(ck_format_t format, int64_t m, int64_t n, int64_t k) {
    const int64_t columns = ck_gemm_panel_columns(), panels = (n + columns - 1) / columns,
                  size = (k + 1) / 2 * 2 * columns;
    float *a = floats(m * k), *w = floats(n * k), *c = floats(m * n), *packed = floats(panels * size);
    uint16_t *narrow = malloc((size_t)(n * k) * 2);
    for (int64_t i = 0; i < n * k; i++) w[i] = narrowed(format, w[i]);
    format == CK_BF16 ? ck_narrow_bf16(w, narrow, n * k) : ck_narrow_f16(w, narrow, n * k);
    if (format == CK_F32) ck_gemm_pack_b_f32(w, 1, k, n, k, size, packed);
    if (format == CK_F16) ck_gemm_pack_b_f16(narrow, 1, k, n, k, size, (uint16_t *)packed);
    if (format == CK_BF16) ck_gemm_pack_b_bf16(narrow, 1, k, n, k, size, (uint16_t *)packed);
    ck_gemm_block_t block = {.m = m,
                             .n = n,
                             .k = k,
                             .a_format = CK_F32,
                             .a = a,
                             .a_row = k,
                             .format = format,
                             .b = packed,
                             .b_row = columns,
                             .b_panel = size,
                             .c = c,
                             .ldc = n};
    ck_gemm_block(&block);
    double worst = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++) sum += (double)a[i * k + l] * w[j * k + l];
            worst = worse(worst, fabs(sum - c[i * n + j]));
        }
    check(format == CK_F32 ? "f32" : format == CK_F16 ? "f16" : "bf16", m, n, k, worst, 1e-6 * (double)(k + 1));
    free(a), free(w), free(c), free(packed), free(narrow);
}

static void bytes(int64_t m, int64_t n, int64_t k) {
    const int64_t columns = ck_gemm_panel_columns(), panels = (n + columns - 1) / columns, whole = (k + 3) / 4 * 4;
    int8_t *a = calloc((size_t)(m * whole), 1), *w = malloc((size_t)(n * k));
    uint8_t *packed = malloc((size_t)(panels * columns * whole));
    int32_t *c = malloc((size_t)(m * n) * 4), *scratch = malloc((size_t)m * 4);
    for (int64_t i = 0; i < m; i++)
        for (int64_t l = 0; l < k; l++) a[i * whole + l] = (int8_t)(next() * 127);
    for (int64_t i = 0; i < n * k; i++) w[i] = (int8_t)(next() * 128);
    ck_gemm_i8_pack_b(w, n, k, packed);
    ck_gemm_i8_block(&(ck_gemm_i8_block_t){m, n, k, a, whole, packed, c, n, scratch});
    double worst = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            int32_t sum = 0;
            for (int64_t l = 0; l < k; l++) sum += a[i * whole + l] * w[j * k + l];
            worst = worse(worst, abs(sum - c[i * n + j]));
        }
    check("i8", m, n, k, worst, 0);
    free(a), free(w), free(packed), free(c), free(scratch);
}

static void quantised(ck_quant_format_t format, int64_t m, int64_t n, int64_t k) {
    const ck_quant_layout_t layout = ck_quant_layout(format);
    const int64_t columns = ck_quant_panel_columns(), row = k / layout.block * layout.block_bytes;
    const int64_t panels = (n + columns - 1) / columns, panel = ck_quant_panel_bytes(format, k), subs = k / layout.sub;
    uint8_t *w = malloc((size_t)(n * row)), *packed = malloc((size_t)(panels * panel));
    const _Float16 scale = (_Float16)0.01f;
    for (int64_t i = 0; i < n * row; i++) w[i] = (uint8_t)(128 + 127 * next());
    for (int64_t i = 0; i < n * row; i += layout.block_bytes) {
        memcpy(w + i + (format == CK_Q6_K ? 208 : 0), &scale, 2);
        if (layout.has_minimum) memcpy(w + i + 2, &scale, 2);
    }
    float *x = floats(m * k), *wide = floats(n * k), *scales = floats(m * k / 32), *downs = floats(m * subs);
    float *c = floats(m * n);
    int8_t *q = malloc((size_t)(m * k));
    int32_t *starts = malloc((size_t)(m * subs) * 4);
    for (int64_t i = 0; i < m; i++)
        ck_quantise_row(&layout, x + i * k, k, q + i * k, scales + i * k / 32, starts + i * subs, downs + i * subs);
    for (int64_t j = 0; j < n; j++) ck_quant_widen(format, w + j * row, k, wide + j * k);
    for (int64_t p = 0; p < panels; p++)
        ck_quant_pack(format, w + p * columns * row, n - p * columns < columns ? n - p * columns : columns, k,
                      packed + p * panel);
    ck_quant_block(
        &(ck_quant_block_t){m, n, k, q, k, scales, k / 32, starts, downs, subs, layout, packed, panel, c, n, false});
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++) sum += (double)q[i * k + l] * scales[(i * k + l) / 32] * wide[j * k + l];
            worst = worse(worst, fabs(sum - c[i * n + j]));
            largest = fmax(largest, fabs(sum));
        }
    check("quantised", m, n, k, worst, 1e-5 * (largest + 1));
    free(w), free(packed), free(x), free(wide), free(scales), free(downs), free(c), free(q), free(starts);
}

static void attention(int64_t t, int64_t keys, int64_t heads, int64_t d) {
    float *q = floats(t * heads * d), *k = floats(keys * d), *v = floats(keys * d), *o = floats(t * heads * d);
    const int64_t scratch_count = ck_attention_scratch(d);
    float *lse = floats(t * heads), *scratch = floats(scratch_count), after[64];
    memcpy(after, scratch + scratch_count, sizeof after);
    for (int64_t i = 0; i < scratch_count; i++) scratch[i] = NAN;
    ck_attention_block_t block = {.keys = keys,
                                  .d = d,
                                  .heads = heads,
                                  .q = q,
                                  .k = k,
                                  .v = v,
                                  .q_t = heads * d,
                                  .q_h = d,
                                  .k_row = d,
                                  .v_row = d,
                                  .o = o,
                                  .o_t = heads * d,
                                  .o_h = d,
                                  .lse = lse,
                                  .lse_t = heads,
                                  .lse_h = 1,
                                  .scale = 0.3f,
                                  .is_causal = true,
                                  .offset = keys - t};
    if (t == 1) {
        const int64_t parts = (keys + 63) / 64;
        float *sums = floats(parts * heads * d), *states = floats(parts * 2 * heads);
        for (int64_t p = 0; p < parts; p++)
            ck_attention_decode(&block, 1, d, p * 64, p * 64 + 64 < keys ? p * 64 + 64 : keys, scratch,
                                sums + p * heads * d, states + p * 2 * heads);
        ck_attention_combine(&block, heads, parts, sums, states);
        free(sums), free(states);
    } else {
        ck_attention_block(&block, 0, t, scratch);
    }
    double worst = 0;
    for (int64_t i = 0; i < t; i++)
        for (int64_t h = 0; h < heads; h++) {
            double sum = 0, out[512] = {0};
            for (int64_t j = 0; j <= i + keys - t; j++) {
                double dot = 0;
                for (int64_t l = 0; l < d; l++) dot += (double)q[(i * heads + h) * d + l] * k[j * d + l];
                double weight = exp(dot * 0.3f);
                sum += weight;
                for (int64_t l = 0; l < d; l++) out[l] += weight * v[j * d + l];
            }
            for (int64_t l = 0; l < d; l++)
                worst = worse(worst, fabs((sum > 0 ? out[l] / sum : 0) - o[(i * heads + h) * d + l]));
            worst = worse(worst, fabs((sum > 0 ? log(sum) : -FLT_MAX) - lse[i * heads + h]));
        }
    check("attention", t, keys, d, worst, 2e-5);
    check("attention beyond its scratch", t, keys, d, memcmp(after, scratch + scratch_count, sizeof after) != 0, 0);
    free(q), free(k), free(v), free(o), free(lse), free(scratch);
}

static void rows(int64_t n) {
    float *x = floats(n), *y = floats(n), *weight = floats(n);
    double squares = 0, sum = 0, worst = 0;
    for (int64_t i = 0; i < n; i++) squares += (double)x[i] * x[i], sum += exp(x[i]);
    ck_rms_norm(x, weight, y, n, 1e-5f);
    for (int64_t i = 0; i < n; i++)
        worst = worse(worst, fabs(x[i] / sqrt(squares / (double)n + 1e-5) * weight[i] - y[i]));
    check("rms norm", 1, n, 1, worst, 1e-5);
    ck_softmax(x, y, n);
    worst = 0;
    for (int64_t i = 0; i < n; i++) worst = worse(worst, fabs(exp(x[i]) / sum - y[i]));
    check("softmax", 1, n, 1, worst, 1e-6);
    free(x), free(y), free(weight);
}

int main(void) {
    const int64_t shapes[][3] = {{1, 1, 1},     {1, 70, 33},   {3, 31, 64}, {6, 16, 7},
                                 {13, 65, 130}, {29, 40, 257}, {60, 33, 0}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (ck_format_t f = CK_F32; f <= CK_BF16; f++) products(f, shapes[s][0], shapes[s][1], shapes[s][2]);
        bytes(shapes[s][0], shapes[s][1], shapes[s][2]);
    }
    for (ck_quant_format_t f = CK_Q4_0; f <= CK_Q6_K; f++)
        for (int64_t m = 1; m <= 9; m += 4) quantised(f, m, 37, 512);
    attention(1, 1, 1, 64), attention(1, 333, 4, 64), attention(1, 70, 3, 40), attention(40, 40, 1, 64);
    attention(23, 300, 2, 80), attention(2, 7, 5, 33), attention(50, 3, 2, 64);
    // As many queries as a block takes, and one fewer: all of the scratch is used.
    const int64_t most = ck_attention_block_rows();
    attention(most, most, 1, 64), attention(most - 1, most, 1, 33), attention(most / 2, 300, 2, 500);
    for (int64_t n = 1; n < 300; n += 37) rows(n);
    printf("%s: %d of %d cases right\n", ck_level_name(), cases - failures, cases);
    return failures > 0;
}
