// One level's products of quantised weights with activations quantised to int8 in blocks of 32.
// c[r, n] = sum over sub-blocks of dx * (dw * sum_i (w_i - zero) x_i) - m * dx * sum_i x_i, the inner sums exact in
// i32.
#include "vectors.h"

#define CK_NR (2 * CK_LANES)
#if CK_LANES == 16
#define CK_QR 6
#else
#define CK_QR 2
#endif

// acc + four products of unsigned weight bytes of `bits` bits with signed activation bytes a lane.
CK_INLINE CK_FN(vi) CK_FN(dot4)(const int bits, CK_FN(vi) acc, CK_FN(vi) w, int32_t x) {
#if defined(CK_IS_AVX512)
    return (CK_FN(vi))_mm512_dpbusd_epi32((__m512i)acc, (__m512i)w, _mm512_set1_epi32(x));
#elif defined(CK_IS_AVX2)
    __m256i xs = _mm256_set1_epi32(x);
    if (bits <= 6)  // 2 * 63 * 127 fits 16 bits
        return acc + (CK_FN(vi))_mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)w, xs), _mm256_set1_epi16(1));
    __m256i even = _mm256_and_si256((__m256i)w, _mm256_set1_epi16(255)), odd = _mm256_srli_epi16((__m256i)w, 8);
    __m256i x_even = _mm256_srai_epi16(_mm256_slli_epi16(xs, 8), 8), x_odd = _mm256_srai_epi16(xs, 8);
    return acc + (CK_FN(vi))_mm256_madd_epi16(even, x_even) + (CK_FN(vi))_mm256_madd_epi16(odd, x_odd);
#else
    for (int t = 0; t < 4; t++) acc += ((w >> (8 * t)) & 255) * (int32_t)(int8_t)(x >> (8 * t));
    return acc;
#endif
}

// Group `g`'s bits of the high plane, moved above its nibble.
CK_INLINE CK_FN(vi) CK_FN(high_bits)(const int bits, const int g, CK_FN(vu) plane) {
    const int from = bits * g;
    const uint32_t mask = bits == 1 ? 0x10101010 : 0x30303030;
    return (CK_FN(vi))((from <= 4 ? plane << (4 - from) : plane >> (from - 4)) & mask);
}

CK_INLINE CK_FN(vf) CK_FN(load_i8)(const uint8_t *p) {
    CK_FN(vi8) v;
    __builtin_memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, CK_FN(vf));
}

// The shape of a packed format known when compiling; fields as of ck_quant_layout_t.
typedef struct {
    int low, high, sub, block;
    bool minimum;
} CK_FN(quant_shape);

// The rows' activations lie `x_row` bytes apart.
CK_INLINE void CK_FN(quant_tile)(const int rows, const CK_FN(quant_shape) l, const ck_quant_block_t *g,
                                 const uint8_t *w, int64_t row, float *c, int64_t columns) {
    const int groups = l.sub / 4, words = l.low == 4 ? groups / 2 : groups, bits = l.low + l.high;
    const int subs = l.block / l.sub, word = 4 * CK_LANES;
    CK_FN(vf) acc[CK_QR][2];
    float edge[CK_QR * CK_NR];
    const bool whole = columns >= CK_NR;
    float *out = whole ? c : edge;
    const int64_t ld = whole ? g->ldc : CK_NR;
    if (!whole)
        for (int i = 0; i < rows; i++)
            for (int64_t j = 0; j < CK_NR; j++)
                edge[i * CK_NR + j] = g->accumulate && j < columns ? c[i * g->ldc + j] : 0;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < 2; j++)
            acc[i][j] = g->accumulate ? CK_FN(load)(out + i * ld + j * CK_LANES) : (CK_FN(vf)){0};
    const int8_t *x = g->x + row * g->x_row;
    const float *dx = g->x_scale + row * g->x_scale_row;
    const int32_t *starts = g->x_start + row * g->x_sub_row;
    const float *downs = g->x_down + row * g->x_sub_row;
    for (int64_t s = 0; s < g->k / l.sub;) {
        CK_FN(vf) d[2], m[2];
        const uint8_t *factors = w;
        for (int j = 0; j < 2; j++) {
            d[j] = CK_FN(load_f16)((const uint16_t *)w + j * CK_LANES);
            if (l.minimum) m[j] = CK_FN(load_f16)((const uint16_t *)w + CK_NR + j * CK_LANES);
        }
        w += CK_NR * (l.minimum ? 4 : 2);
        for (int64_t end = s + subs; s < end; s++) {
            if (subs > 1 && s * l.sub % 32 == 0) {
                factors = w;
                w += 32 / l.sub * CK_NR * (l.minimum ? 2 : 1);
            }
            CK_FN(vf) dw[2], mw[2];
            CK_FN(vu) plane[2];
            for (int j = 0; j < 2; j++) {
                dw[j] = subs > 1 ? d[j] * CK_FN(load_i8)(factors + j * CK_LANES) : d[j];
                if (l.minimum) mw[j] = subs > 1 ? m[j] * CK_FN(load_i8)(factors + CK_NR + j * CK_LANES) : m[j];
                if (l.high) plane[j] = (CK_FN(vu)) * (const CK_FN(viu) *)(w + j * word);
            }
            factors += CK_NR * (l.minimum ? 2 : 1);
            if (l.high) w += 2 * word;
            CK_FN(vi) dot[CK_QR][2];
#pragma clang loop unroll(full)
            for (int i = 0; i < rows; i++) dot[i][0] = dot[i][1] = (CK_FN(vi)){0} + starts[i * g->x_sub_row + s];
#pragma clang loop unroll(full)
            for (int t = 0; t < words; t++) {
                CK_FN(vi) first[2], second[2];
#pragma clang loop unroll(full)
                for (int j = 0; j < 2; j++) {
                    CK_FN(vi) bytes = *(const CK_FN(viu) *)(w + (t * 2 + j) * word);
                    first[j] = l.low == 4 ? bytes & 0x0f0f0f0f : bytes;
                    second[j] = (CK_FN(vi))(((CK_FN(vu))bytes >> 4) & 0x0f0f0f0f);
                    if (l.high) {
                        first[j] |= CK_FN(high_bits)(l.high, t, plane[j]);
                        second[j] |= CK_FN(high_bits)(l.high, t + words, plane[j]);
                    }
                }
#pragma clang loop unroll(full)
                for (int i = 0; i < rows; i++) {
                    int32_t four;
                    __builtin_memcpy(&four, x + i * g->x_row + s * l.sub + 4 * t, 4);
                    for (int j = 0; j < 2; j++) dot[i][j] = CK_FN(dot4)(bits, dot[i][j], first[j], four);
                    if (l.low == 4) {
                        __builtin_memcpy(&four, x + i * g->x_row + s * l.sub + 4 * (t + words), 4);
                        for (int j = 0; j < 2; j++) dot[i][j] = CK_FN(dot4)(bits, dot[i][j], second[j], four);
                    }
                }
            }
            w += (int64_t)words * 2 * word;
#pragma clang loop unroll(full)
            for (int i = 0; i < rows; i++) {
                float scale = dx[i * g->x_scale_row + s * l.sub / 32];
#pragma clang loop unroll(full)
                for (int j = 0; j < 2; j++) {
                    acc[i][j] += __builtin_convertvector(dot[i][j], CK_FN(vf)) * (dw[j] * scale);
                    if (l.minimum) acc[i][j] += mw[j] * downs[i * g->x_sub_row + s];
                }
            }
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < 2; j++) CK_FN(store)(out + i * ld + j * CK_LANES, acc[i][j]);
    if (!whole)
        for (int i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) c[i * g->ldc + j] = edge[i * CK_NR + j];
}

// Every strip of rows over one panel, the panel after it next.
CK_INLINE void CK_FN(quant_panels)(const CK_FN(quant_shape) l, const ck_quant_block_t *g) {
    const uint8_t *w = g->w;
    for (int64_t n = 0; n < g->n; n += CK_NR, w += g->w_panel) {
        int64_t i = 0;
        for (; i + CK_QR <= g->m; i += CK_QR) CK_FN(quant_tile)(CK_QR, l, g, w, i, g->c + i * g->ldc + n, g->n - n);
        for (; i < g->m; i++) CK_FN(quant_tile)(1, l, g, w, i, g->c + i * g->ldc + n, g->n - n);
    }
}

static void CK_FN(quant_block)(const ck_quant_block_t *g) {
    const ck_quant_layout_t *l = &g->layout;
    if (l->low == 8)  // Q8_0
        CK_FN(quant_panels)((CK_FN(quant_shape)){8, 0, 32, 32, false}, g);
    else if (l->high == 2)  // Q6_K
        CK_FN(quant_panels)((CK_FN(quant_shape)){4, 2, 16, 256, false}, g);
    else if (l->block == 32 && l->high)  // Q5_0
        CK_FN(quant_panels)((CK_FN(quant_shape)){4, 1, 32, 32, false}, g);
    else if (l->high)  // Q5_K
        CK_FN(quant_panels)((CK_FN(quant_shape)){4, 1, 32, 256, true}, g);
    else if (l->block == 256)  // Q4_K
        CK_FN(quant_panels)((CK_FN(quant_shape)){4, 0, 32, 256, true}, g);
    else if (l->has_minimum)  // Q4_1
        CK_FN(quant_panels)((CK_FN(quant_shape)){4, 0, 32, 32, true}, g);
    else  // Q4_0
        CK_FN(quant_panels)((CK_FN(quant_shape)){4, 0, 32, 32, false}, g);
}

static int64_t CK_FN(quant_columns)(void) { return CK_NR; }

// Symmetric int8, one scale a block of 32: d = max |x| / 127, rounded to nearest.
CK_INLINE void CK_FN(quantise_blocks)(const int sub, int32_t zero, const float *x, int64_t k, int8_t *q, float *scales,
                                      int32_t *starts, float *downs) {
    const int vectors = 32 / CK_LANES, part = sub / CK_LANES;
    for (int64_t b = 0; b < k / 32; b++, x += 32, q += 32) {
        // Magnitudes order as their bits do, NaN above all: as floats their maximum is a chain of comparisons.
        CK_FN(vf) v[32 / CK_LANES];
        CK_FN(vi) most = {0};
        for (int i = 0; i < vectors; i++) {
            v[i] = CK_FN(load)(x + CK_LANES * i);
            most = __builtin_elementwise_max(most, (CK_FN(vi))v[i] & 0x7fffffff);
        }
        const int32_t bits = __builtin_reduce_max(most);
        float largest;
        __builtin_memcpy(&largest, &bits, 4);
        const float inverse = largest > 0 ? 127 / largest : 0;
        scales[b] = largest / 127;
        for (int i = 0; i < vectors; i += part) {
            CK_FN(vi) sums = {0};
            for (int j = i; j < i + part; j++) {
                // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
                const CK_FN(vi) values = (CK_FN(vi))(v[j] * inverse + 12582912.0f) - 0x4B400000;
                const CK_FN(vi8) bytes = __builtin_convertvector(values, CK_FN(vi8));
                __builtin_memcpy(q + CK_LANES * j, &bytes, sizeof bytes);
                sums += values;
            }
            const int32_t sum = __builtin_reduce_add(sums);
            *starts++ = -zero * sum;
            *downs++ = -scales[b] * (float)sum;
        }
    }
}

static void CK_FN(quantise_row)(const ck_quant_layout_t *layout, const float *x, int64_t k, int8_t *q, float *scales,
                                int32_t *starts, float *downs) {
    if (layout->sub == 32)
        CK_FN(quantise_blocks)(32, layout->zero, x, k, q, scales, starts, downs);
    else
        CK_FN(quantise_blocks)(16, layout->zero, x, k, q, scales, starts, downs);
}
#undef CK_NR
#undef CK_QR
