// One level's flash attention: tiles of queries against blocks of keys. Scores are kept in units of log2, so that the
// softmax is an exp2.
#include "vectors.h"
//
#include "exp2.h"
#include "transpose.h"

#define CK_NR (2 * CK_LANES)
// Keys of one block, and the row stride of their scores: one line more, so that rows fall into different cache sets.
#define CK_KEYS 256
#define CK_SCORES (CK_KEYS + 16)
// A strip's entries in an array of rows: whole vectors.
#define CK_STRIP ((CK_MR + CK_LANES - 1) / CK_LANES * CK_LANES)
#include "scores.h"

#define CK_QUERIES (CK_MR * 32)
// What lies between rows of queries beside their elements.
#define CK_PITCH 16

static int64_t CK_FN(attention_queries)(void) { return CK_QUERIES; }

// Scores of a strip, scaled queries, outputs, maxima and sums, packed keys, widened values, rows to be packed.
static int64_t CK_FN(attention_scratch)(int64_t d) {
    int64_t padded = (d + CK_NR - 1) / CK_NR * CK_NR;
    return CK_MR * CK_SCORES + CK_QUERIES * (2 * padded + CK_PITCH + CK_LANES) + (CK_QUERIES / CK_MR) * CK_STRIP +
           CK_KEYS * 2 * padded + CK_NR * d + 128;
}

// What is read next: one line of each row, so many bytes apart.
typedef struct {
    const char *line;
    int64_t row;
} CK_FN(ahead_t);

// c[rows, two vectors] (+)= a[rows][k] b[k][two vectors]. Rows of a lie three to a base register. Products with values,
// which are long, ask for a line of what comes next at every step.
CK_INLINE void CK_FN(product)(const int rows, const float *a, int64_t a_row, const float *b, int64_t b_row, int64_t k,
                              float *c, int64_t ldc, bool accumulate, const bool asks, CK_FN(ahead_t) ahead) {
    CK_FN(vf) acc[CK_MR][2];
    const float *bases[(CK_MR + 2) / 3];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i += 3) bases[i / 3] = a + i * a_row;
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < 2; j++) acc[i][j] = accumulate ? CK_FN(load)(c + i * ldc + j * CK_LANES) : (CK_FN(vf)){0};
#pragma clang loop unroll(disable)
    for (int64_t l = 0; l < k; l++, b += b_row, ahead.line += ahead.row) {
        if (asks) __builtin_prefetch(ahead.line, 0, 2);
        CK_FN(vf) w0 = CK_FN(load)(b), w1 = CK_FN(load)(b + CK_LANES);
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            CK_FN(vf) x = CK_FN(splat)(bases[i / 3][(i % 3) * a_row + l]);
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
    static void CK_FN(scores_##rows)(const float *q, int64_t q_row, const float *k, int64_t d, float *s) {  \
        CK_FN(product)(rows, q, q_row, k, CK_NR, d, s, CK_SCORES, false, false, (CK_FN(ahead_t)){0});       \
    }                                                                                                       \
    static void CK_FN(values_##rows)(const float *p, const float *v, int64_t v_row, int64_t keys, float *o, \
                                     int64_t ldo, bool accumulate, CK_FN(ahead_t) ahead) {                  \
        CK_FN(product)(rows, p, CK_SCORES, v, v_row, keys, o, ldo, accumulate, true, ahead);                \
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
typedef void (*CK_FN(scores_fn))(const float *, int64_t, const float *, int64_t, float *);
typedef void (*CK_FN(values_fn))(const float *, const float *, int64_t, int64_t, float *, int64_t, bool,
                                 CK_FN(ahead_t));
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
        const int64_t at = CK_FN(key_row)(g, first + j);
        const float *from = (const float *)g->k + at * g->k_row;
        int64_t row = g->k_row, here = count - j < CK_NR ? count - j : CK_NR;
        if (g->kv_format != CK_F32 || here < CK_NR) {
            for (int64_t i = 0; i < CK_NR; i++)
                if (i < here)
                    CK_FN(widen_row)(g->kv_format, g->k, (at + i) * g->k_row, d, d, rows + i * d);
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

// Whether a block of V is read where it lies: once, or by several strips of queries in turn, unless its rows are 4 KiB
// or more apart and so share few sets of the caches.
CK_INLINE bool CK_FN(reads_values)(const ck_attention_block_t *g, int64_t strips) {
    return !g->pages && g->kv_format == CK_F32 && g->d % CK_NR == 0 && (strips == 1 || g->v_row < 1024);
}

// Line `index`, and then in turn, of the rows of K and of V that begin with key `first`.
CK_INLINE CK_FN(ahead_t) CK_FN(next_line)(const ck_attention_block_t *g, int64_t first, int64_t index) {
    const int64_t lines = (CK_FN(byte_offset)(g->kv_format, g->d) + 63) / 64;
    const int64_t row = CK_FN(byte_offset)(g->kv_format, index % 2 ? g->v_row : g->k_row);
    const char *base = index % 2 ? g->v : g->k;
    return (CK_FN(ahead_t)){.line = base + CK_FN(key_row)(g, first) * row + index / 2 % lines * 64, .row = row};
}

// Panels [padded / NR][CK_KEYS][NR] of V.
static void CK_FN(pack_values)(const ck_attention_block_t *g, int64_t first, int64_t count, int64_t padded,
                               float *out) {
    for (int64_t l = 0; l < padded; l += CK_NR)
        for (int64_t j = 0; j < count; j++) {
            float *to = out + l * CK_KEYS + j * CK_NR;
            const int64_t at = CK_FN(key_row)(g, first + j) * g->v_row + l;
            if (l + CK_NR <= g->d)
                for (int i = 0; i < CK_NR; i += CK_LANES)
                    CK_FN(store)(to + i, CK_FN(load_as)(g->kv_format, g->v, at + i));
            else
                CK_FN(widen_row)(g->kv_format, g->v, at, g->d - l, CK_NR, to);
        }
}

// Strips get even numbers of rows, dealt evenly; the last row may be one too many.
CK_INLINE int64_t CK_FN(strip_first)(int64_t rows, int64_t s, int64_t strips) {
    return (rows + 1) / 2 * s / strips * 2;
}

// Scaled queries of a block's rows; the last one is repeated where their number is odd.
static void CK_FN(scale_queries)(const ck_attention_block_t *g, int64_t first_query, int64_t rows, int64_t pitch,
                                 float *out) {
    int64_t t = first_query, h = 0;
    for (int64_t r = 0; r < rows + rows % 2; r++, out += pitch) {
        CK_FN(scaled_query)(g, t, h, out);
        if (r + 1 < rows && ++h == g->heads) t++, h = 0;
    }
}

// Rows r of the block are (t, head) = (first_query + r / heads, r % heads): the heads that share K and V go together.
static void CK_FN(attention_block)(const ck_attention_block_t *g, int64_t first_query, int64_t queries,
                                   float *scratch) {
    const int64_t d = g->d, padded = (d + CK_NR - 1) / CK_NR * CK_NR, rows = queries * g->heads;
    const int64_t strips = (rows + CK_MR - 1) / CK_MR, q_row = padded + CK_PITCH;
    float *scores = scratch, *scaled_q = scores + CK_MR * CK_SCORES, *o = scaled_q + CK_QUERIES * q_row;
    float *maxima = o + CK_QUERIES * padded, *sums = maxima + strips * CK_STRIP;
    float *packed_k = sums + CK_QUERIES * CK_LANES;
    float *packed_v = packed_k + CK_KEYS * padded + 64, *line = packed_v + CK_KEYS * padded;
    for (int64_t i = 0; i < strips * CK_STRIP; i++) maxima[i] = -FLT_MAX;
    __builtin_memset(sums, 0, (size_t)((rows + rows % 2) * CK_LANES) * 4);
    bool has_begun[CK_QUERIES / CK_MR] = {false};  // strips whose outputs hold sums already

    CK_FN(scale_queries)(g, first_query, rows, q_row, scaled_q);
    const bool reads_v = CK_FN(reads_values)(g, strips);
    const int64_t v_row = reads_v ? g->v_row : CK_NR, v_panel = reads_v ? CK_NR : CK_KEYS * CK_NR;
    int64_t low, high, unused;
    CK_FN(visible)(g, first_query, &low, &unused);
    CK_FN(visible)(g, first_query + queries - 1, &unused, &high);
    // Blocks begin at fixed keys: a row's sums do not depend on the queries beside it.
    for (int64_t start = low / CK_KEYS * CK_KEYS; start < high; start += CK_KEYS) {
        const int64_t keys = high - start < CK_KEYS ? high - start : CK_KEYS;
        CK_FN(pack_keys)(g, start, keys, line, packed_k);
        const float *v = packed_v;
        if (reads_v)
            v = (const float *)g->v + start * v_row;
        else
            CK_FN(pack_values)(g, start, keys, padded, packed_v);
        const int64_t after = start + CK_KEYS < high ? start + CK_KEYS : start;
        int64_t asked = 0;
        for (int64_t s = 0; s < strips; s++) {
            const int64_t first = CK_FN(strip_first)(rows, s, strips);
            const int64_t count = CK_FN(strip_first)(rows, s + 1, strips) - first;
            const int64_t last = first + count < rows ? first + count - 1 : rows - 1;
            int64_t from, to, latest, earliest;
            CK_FN(visible)(g, first_query + first / g->heads, &from, &earliest);
            CK_FN(visible)(g, first_query + last / g->heads, &latest, &to);
            from = from > start ? (from - start) / CK_NR * CK_NR : 0;
            to = to - start < keys ? to - start : keys;
            if (to <= from) continue;
            for (int64_t j = from; j < to; j += CK_NR)
                CK_FN(scores)[count / 2](scaled_q + first * q_row, q_row, packed_k + j * d, d, scores + j);
            const int64_t whole = from + (to - from + CK_NR - 1) / CK_NR * CK_NR;
            const bool is_plain = !(g->softcap > 0 || g->mask) && latest - start <= from && earliest - start >= to;
            for (int64_t i = 0; i < count; i++) {
                float *row = scores + i * CK_SCORES;
                int64_t a = from, b = to;
                if (!is_plain) {
                    const int64_t r = first + i < rows ? first + i : rows - 1, t = first_query + r / g->heads;
                    CK_FN(visible)(g, t, &a, &b);
                    a = a - start > from ? a - start : from;
                    b = b - start < to ? b - start : to;
                    if (b < a) a = b = from;
                    if (g->softcap > 0 || g->mask) CK_FN(adjust)(g, t, r % g->heads, start + a, b - a, row + a);
                }
                for (int64_t j = from; j < a; j++) row[j] = -FLT_MAX;
                for (int64_t j = b; j < whole; j++) row[j] = -FLT_MAX;
            }
            float shrinks[CK_STRIP];
            CK_FN(softmax_strip)
            (scores, count, from, whole, maxima + s * CK_STRIP, sums + first * CK_LANES, shrinks);
            if (has_begun[s])
                for (int64_t i = 0; i < count; i++) {
                    if (shrinks[i] == 1) continue;
                    float *out = o + (first + i) * padded;
                    for (int64_t l = 0; l < padded; l += CK_LANES)
                        CK_FN(store)(out + l, CK_FN(load)(out + l) * shrinks[i]);
                }
            for (int64_t l = 0; l < padded; l += CK_NR) CK_FN(values)
            [count / 2](scores + from, v + from * v_row + l / CK_NR * v_panel, v_row, to - from, o + first * padded + l,
                        padded, has_begun[s], CK_FN(next_line)(g, after, asked++));
            has_begun[s] = true;
        }
    }
    for (int64_t s = 0; s < strips; s++) {
        const int64_t first = CK_FN(strip_first)(rows, s, strips), next = CK_FN(strip_first)(rows, s + 1, strips);
        if (!has_begun[s]) __builtin_memset(o + first * padded, 0, (size_t)((next - first) * padded) * 4);
        for (int64_t r = first; r < next && r < rows; r++) {
            int64_t t = first_query + r / g->heads, h = r % g->heads;
            float sum = CK_FN(sum_lanes)(CK_FN(load)(sums + r * CK_LANES)), inverse = sum > 0 ? 1 / sum : 0;
            float *to = g->o + t * g->o_t + h * g->o_h;
            CK_ELEMENTWISE
            for (int64_t l = 0; l < d; l++) to[l] = o[r * padded + l] * inverse;
            if (g->lse)
                g->lse[t * g->lse_t + h * g->lse_h] =
                    sum > 0 ? (maxima[s * CK_STRIP + r - first] + log2f(sum)) * 0.693147181f : -FLT_MAX;
        }
    }
}

#include "decode.h"

#undef CK_NR
#undef CK_KEYS
#undef CK_SCORES
#undef CK_STRIP
#undef CK_QUERIES
#undef CK_PITCH
#undef CK_ROWS
