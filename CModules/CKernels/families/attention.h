// One level's flash attention: tiles of queries against blocks of keys. Scores are kept in units of log2, so that the
// softmax is an exp2.
#include "vectors.h"
//
#include "exp2.h"
#include "scores.h"
#include "transpose.h"

#define CK_NR (2 * CK_LANES)
// Keys of one block, and the row stride of their scores: one line more, so that rows fall into different cache sets.
#define CK_KEYS 256
#define CK_SCORES (CK_KEYS + 16)
#define CK_QUERIES (CK_MR * 16)

static int64_t CK_FN(attention_queries)(void) { return CK_QUERIES; }

static int64_t CK_FN(attention_scratch)(int64_t d) {
    int64_t padded = (d + CK_NR - 1) / CK_NR * CK_NR;
    return CK_QUERIES * (CK_SCORES + d + padded + 4) + CK_KEYS * (2 * padded + d) + 256;
}

// c[rows, two vectors] (+)= a[rows][k] b[k][two vectors]; `a` has constant strides.
CK_INLINE void CK_FN(product)(const int rows, const int64_t a_row, const int64_t a_col, const float *a, const float *b,
                              int64_t b_row, int64_t k, float *c, int64_t ldc, const bool accumulate) {
    CK_FN(vf) acc[CK_MR][2];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < 2; j++) acc[i][j] = accumulate ? CK_FN(load)(c + i * ldc + j * CK_LANES) : (CK_FN(vf)){0};
#pragma clang loop unroll_count(2)
    for (int64_t l = 0; l < k; l++, a += a_col, b += b_row) {
        CK_FN(vf) w0 = CK_FN(load)(b), w1 = CK_FN(load)(b + CK_LANES);
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            CK_FN(vf) x = CK_FN(splat)(a[i * a_row]);
            acc[i][0] += x * w0;
            acc[i][1] += x * w1;
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < 2; j++) CK_FN(store)(c + i * ldc + j * CK_LANES, acc[i][j]);
}

// Rows of a strip: whole strips have CK_MR, the last one any number below it, padded by the caller to an even one.
#define CK_ROWS(rows)                                                                                       \
    static void CK_FN(scores_##rows)(const float *q, const float *k, int64_t d, float *s) {                 \
        CK_FN(product)(rows, 1, rows, q, k, CK_NR, d, s, CK_SCORES, false);                                 \
    }                                                                                                       \
    static void CK_FN(values_##rows)(const float *p, const float *v, int64_t v_row, int64_t keys, float *o, \
                                     int64_t ldo) {                                                         \
        CK_FN(product)(rows, CK_SCORES, 1, p, v, v_row, keys, o, ldo, true);                                \
    }
CK_ROWS(2)
CK_ROWS(4)
CK_ROWS(6)
#if CK_MR > 6
CK_ROWS(8)
CK_ROWS(10)
CK_ROWS(12)
#endif
#if CK_MR > 12
CK_ROWS(14)
#endif
typedef void (*CK_FN(scores_fn))(const float *, const float *, int64_t, float *);
typedef void (*CK_FN(values_fn))(const float *, const float *, int64_t, int64_t, float *, int64_t);
static const CK_FN(scores_fn) CK_FN(scores)[] = {
    NULL,
    CK_FN(scores_2),
    CK_FN(scores_4),
    CK_FN(scores_6),
#if CK_MR > 6
    CK_FN(scores_8),
    CK_FN(scores_10),
    CK_FN(scores_12),
#endif
#if CK_MR > 12
    CK_FN(scores_14),
#endif
};
static const CK_FN(values_fn) CK_FN(values)[] = {
    NULL,
    CK_FN(values_2),
    CK_FN(values_4),
    CK_FN(values_6),
#if CK_MR > 6
    CK_FN(values_8),
    CK_FN(values_10),
    CK_FN(values_12),
#endif
#if CK_MR > 12
    CK_FN(values_14),
#endif
};

// Panels [keys / NR][d][NR] of K transposed; keys past `count` are zero.
static void CK_FN(pack_keys)(const ck_attention_block_t *g, int64_t first, int64_t count, float *rows, float *out) {
    const int64_t d = g->d;
    for (int64_t j = 0; j < count; j += CK_NR, out += CK_NR * d) {
        const float *from = (const float *)g->k + (first + j) * g->k_row;
        int64_t row = g->k_row, here = count - j < CK_NR ? count - j : CK_NR;
        if (g->kv_format != CK_F32 || here < CK_NR) {
            for (int64_t i = 0; i < CK_NR; i++)
                if (i < here)
                    CK_FN(widen_row)(g->kv_format, g->k, (first + j + i) * g->k_row, d, d, rows + i * d);
                else
                    __builtin_memset(rows + i * d, 0, (size_t)d * 4);
            from = rows;
            row = d;
        }
        // The left half's stores do not reach past a row; the right half's last one may, into the next panel.
        CK_FN(transpose_rows)(from, row, CK_LANES, d, 1, CK_NR, out);
        CK_FN(transpose_rows)(from + CK_LANES * row, row, CK_LANES, d, 1, CK_NR, out + CK_LANES);
    }
}

// Rows r of the block are (t, head) = (first_query + r / heads, r % heads): the heads that share K and V go together.
static void CK_FN(attention_block)(const ck_attention_block_t *g, int64_t first_query, int64_t queries,
                                   float *scratch) {
    const int64_t d = g->d, padded = (d + CK_NR - 1) / CK_NR * CK_NR, rows = queries * g->heads;
    const int64_t strips = (rows + CK_MR - 1) / CK_MR;
    float *scores = scratch, *packed_q = scores + CK_QUERIES * CK_SCORES, *o = packed_q + CK_QUERIES * d + 64;
    float *maxima = o + CK_QUERIES * padded, *sums = maxima + CK_QUERIES, *packed_k = sums + CK_QUERIES;
    float *wide_v = packed_k + CK_KEYS * padded + 64, *line = wide_v + CK_KEYS * padded;
    const float scale = g->scale * 1.44269504f;
    // The scores' memory holds the strip's rows until they are transposed.
    for (int64_t s = 0; s < strips; s++) {
        int64_t first = s * CK_MR, count = rows - first < CK_MR ? (rows - first + 1) / 2 * 2 : CK_MR;
        for (int64_t i = 0; i < count; i++) {
            int64_t r = first + i < rows ? first + i : rows - 1, t = first_query + r / g->heads, h = r % g->heads;
            CK_FN(widen_row)(g->q_format, g->q, t * g->q_t + h * g->q_h, d, d, scores + i * d);
        }
        float *to = packed_q + first * d;
        if (CK_MR <= CK_LANES)
            CK_FN(transpose_rows)(scores, d, count, d, scale, count, to);
        else
            for (int64_t l = 0; l < d; l++)
                for (int64_t i = 0; i < count; i++) to[l * count + i] = scores[i * d + l] * scale;
    }
    for (int64_t i = 0; i < rows; i++) maxima[i] = -FLT_MAX, sums[i] = 0;
    // The last strip has an even number of rows.
    __builtin_memset(o, 0, (size_t)((rows + rows % 2) * padded) * 4);

    int64_t low, high, unused;
    CK_FN(visible)(g, first_query, &low, &unused);
    CK_FN(visible)(g, first_query + queries - 1, &unused, &high);
    for (int64_t start = low / CK_NR * CK_NR; start < high; start += CK_KEYS) {
        const int64_t keys = high - start < CK_KEYS ? high - start : CK_KEYS;
        CK_FN(pack_keys)(g, start, keys, line, packed_k);
        const float *v = (const float *)g->v + start * g->v_row;
        int64_t v_row = g->v_row;
        if (g->kv_format != CK_F32 || padded != d) {
            for (int64_t j = 0; j < keys; j++)
                CK_FN(widen_row)(g->kv_format, g->v, (start + j) * g->v_row, d, padded, wide_v + j * padded);
            v = wide_v;
            v_row = padded;
        }
        for (int64_t s = 0; s < strips; s++) {
            const int64_t first = s * CK_MR, count = rows - first < CK_MR ? (rows - first + 1) / 2 * 2 : CK_MR;
            const int64_t last = first + count < rows ? first + count - 1 : rows - 1;
            int64_t from, to;
            CK_FN(visible)(g, first_query + first / g->heads, &from, &unused);
            CK_FN(visible)(g, first_query + last / g->heads, &unused, &to);
            from = from > start ? (from - start) / CK_NR * CK_NR : 0;
            to = to - start < keys ? to - start : keys;
            if (to <= from) continue;
            float *at = scores + first * CK_SCORES;
            for (int64_t j = from; j < to; j += CK_NR)
                CK_FN(scores)[count / 2](packed_q + first * d, packed_k + j * d, d, at + j);
            for (int64_t i = 0; i < count && first + i < rows; i++) {
                int64_t t = first_query + (first + i) / g->heads, a, b;
                CK_FN(visible)(g, t, &a, &b);
                a = a - start > from ? a - start : from;
                b = b - start < to ? b - start : to;
                float *row = at + i * CK_SCORES;
                if (b <= a) {
                    for (int64_t j = from; j < to; j++) row[j] = 0;
                    continue;
                }
                if (g->softcap > 0 || g->mask) CK_FN(adjust)(g, t, (first + i) % g->heads, start + a, b - a, row + a);
                float shrink = CK_FN(softmax_step)(row + a, b - a, maxima + first + i, sums + first + i);
                for (int64_t j = from; j < a; j++) row[j] = 0;
                for (int64_t j = b; j < to; j++) row[j] = 0;
                if (shrink != 1) {
                    float *out = o + (first + i) * padded;
                    for (int64_t l = 0; l < padded; l += CK_LANES) CK_FN(store)(out + l, CK_FN(load)(out + l) * shrink);
                }
            }
            for (int64_t l = 0; l < padded; l += CK_NR) CK_FN(values)
            [count / 2](at + from, v + from * v_row + l, v_row, to - from, o + first * padded + l, padded);
        }
    }
    for (int64_t r = 0; r < rows; r++) {
        int64_t t = first_query + r / g->heads, h = r % g->heads;
        float inverse = sums[r] > 0 ? 1 / sums[r] : 0;
        float *to = g->o + t * g->o_t + h * g->o_h;
        for (int64_t l = 0; l < d; l++) to[l] = o[r * padded + l] * inverse;
        if (g->lse)
            g->lse[t * g->lse_t + h * g->lse_h] = sums[r] > 0 ? (maxima[r] + log2f(sums[r])) * 0.693147181f : -FLT_MAX;
    }
}

#include "decode.h"

#undef CK_NR
#undef CK_KEYS
#undef CK_SCORES
#undef CK_QUERIES
#undef CK_ROWS
