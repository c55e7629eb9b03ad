// One level's register tile, two vectors wide for each panel of B: C[rows, panels * NR] (+)= A B.
// Every element of C is one chain of multiply-adds over k in ascending order, whatever the tile and however k is
// blocked: results do not depend on the shape of the tile, the batch or the number of threads.
#include "vectors.h"
//
#include "transpose.h"

#define CK_NR (2 * CK_LANES)
#define CK_WIDE_DEPTH 512
// Panels side by side: enough independent chains to hide the latency of two multiply-add units.
#define CK_PANELS(rows) ((rows) == 1 ? 4 : (rows) == 2 ? 3 : (rows) <= (CK_LANES == 16 ? 6 : 2) ? 2 : 1)

CK_INLINE void CK_FN(tile)(const int rows, const int panels, const ck_format_t format, const float *a, const void *b,
                           int64_t b_row, int64_t b_panel, int64_t k, float *c, int64_t ldc, int64_t columns,
                           bool accumulate) {
    // Of constant size, so that they live in registers.
    CK_FN(vf) acc[CK_MR][8];
    float edge[CK_MR * CK_NR];
    const bool whole = columns >= panels * CK_NR;
    float *out = c;
    int64_t ld = ldc;
    if (!whole) {
        for (int i = 0; i < rows; i++)
            for (int64_t j = 0; j < CK_NR; j++) edge[i * CK_NR + j] = accumulate && j < columns ? c[i * ldc + j] : 0;
        out = edge;
        ld = CK_NR;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
        for (int j = 0; j < 2 * panels; j++)
            acc[i][j] = accumulate ? CK_FN(load)(out + i * ld + j * CK_LANES) : (CK_FN(vf)){0};
    int64_t at = 0;
#pragma clang loop unroll_count(2)
    for (int64_t l = 0; l < k; l++, at += b_row, a += rows) {
        // One or two rows leave the prefetcher of the processor time enough. Under a few more, weights stream from
        // beyond the second-level cache: ask for them sixteen rows ahead. Under many the next panel is brought into it
        // while this one is used.
#pragma clang loop unroll(full)
        for (int j = 0; j < panels && rows > 2; j++) {
            const int64_t ahead = at + (rows <= 8 ? j * b_panel + 16 * b_row : b_panel);
            const char *line = (const char *)b + ahead * (format == CK_F32 ? 4 : 2);
            if (rows <= 8) {
                __builtin_prefetch(line);
                if (format == CK_F32) __builtin_prefetch(line + 4 * CK_LANES);
            } else {
                __builtin_prefetch(line, 0, 2);
                if (format == CK_F32) __builtin_prefetch(line + 4 * CK_LANES, 0, 2);
            }
        }
        CK_FN(vf) w[8];
#pragma clang loop unroll(full)
        for (int j = 0; j < 2 * panels; j++)
            w[j] = CK_FN(load_as)(format, b, at + (j / 2) * b_panel + (j % 2) * CK_LANES);
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            CK_FN(vf) x = CK_FN(splat)(a[i]);
#pragma clang loop unroll(full)
            for (int j = 0; j < 2 * panels; j++) acc[i][j] += x * w[j];
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
        for (int j = 0; j < 2 * panels; j++) CK_FN(store)(out + i * ld + j * CK_LANES, acc[i][j]);
    if (!whole)
        for (int i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) c[i * ldc + j] = edge[i * CK_NR + j];
}

// All panels of one strip of rows, whose A is [k][rows].
CK_INLINE void CK_FN(strip)(const int rows, const ck_format_t format, const ck_gemm_block_t *g, const float *a,
                            float *c) {
    int64_t n = 0;
    const char *b = g->b;
    const int64_t bytes = (format == CK_F32 ? 4 : 2) * g->b_panel;
    const int panels = CK_PANELS(rows);
    for (; n + panels * CK_NR <= g->n; n += panels * CK_NR, b += panels * bytes) CK_FN(tile)
    (rows, panels, format, a, b, g->b_row, g->b_panel, g->k, c + n, g->ldc, panels * CK_NR, g->accumulate);
    for (; n < g->n; n += CK_NR, b += bytes)
        CK_FN(tile)(rows, 1, format, a, b, g->b_row, g->b_panel, g->k, c + n, g->ldc, g->n - n, g->accumulate);
}

#define CK_STRIP(rows)                                                                    \
    static void CK_FN(strip_##rows)(const ck_gemm_block_t *g, const float *a, float *c) { \
        if (g->format == CK_F16)                                                          \
            CK_FN(strip)(rows, CK_F16, g, a, c);                                          \
        else if (g->format == CK_BF16)                                                    \
            CK_FN(strip)(rows, CK_BF16, g, a, c);                                         \
        else                                                                              \
            CK_FN(strip)(rows, CK_F32, g, a, c);                                          \
    }
CK_STRIP(1)
CK_STRIP(2)
CK_STRIP(3)
CK_STRIP(4)
CK_STRIP(5)
CK_STRIP(6)
#if CK_MR > 6
CK_STRIP(7)
CK_STRIP(8)
CK_STRIP(9)
CK_STRIP(10)
CK_STRIP(11)
CK_STRIP(12)
#endif
#if CK_MR > 12
CK_STRIP(13)
CK_STRIP(14)
#endif
typedef void (*CK_FN(strip_fn))(const ck_gemm_block_t *, const float *, float *);
static const CK_FN(strip_fn) CK_FN(strips)[] = {
    NULL,
    CK_FN(strip_1),
    CK_FN(strip_2),
    CK_FN(strip_3),
    CK_FN(strip_4),
    CK_FN(strip_5),
    CK_FN(strip_6),
#if CK_MR > 6
    CK_FN(strip_7),
    CK_FN(strip_8),
    CK_FN(strip_9),
    CK_FN(strip_10),
    CK_FN(strip_11),
    CK_FN(strip_12),
#endif
#if CK_MR > 12
    CK_FN(strip_13),
    CK_FN(strip_14),
#endif
};

// Rows are dealt evenly over the strips, so that no strip is left with a row or two.
CK_INLINE int64_t CK_FN(strip_start)(int64_t m, int64_t strip, int64_t strips) { return m * strip / strips; }

static void CK_FN(gemm_block)(const ck_gemm_block_t *g) {
    int64_t strips = (g->m + CK_MR - 1) / CK_MR;
    // The panel of B stays in the first-level cache while every strip passes over it.
    const int64_t bytes = (g->format == CK_F32 ? 4 : 2) * g->b_panel;
    int64_t width = strips == 1 ? g->n : CK_NR;
    // 16-bit panels that several strips pass over are widened once.
    const bool widens = g->format != CK_F32 && strips > 2 && g->k <= CK_WIDE_DEPTH;
    _Alignas(64) float wide[widens ? CK_WIDE_DEPTH * CK_NR : 1];
    for (int64_t n = 0; n < g->n; n += width) {
        ck_gemm_block_t panel = *g;
        panel.b = (const char *)g->b + n / CK_NR * bytes;
        panel.n = g->n - n < width ? g->n - n : width;
        if (widens) {
            for (int64_t l = 0; l < g->k; l++)
                for (int j = 0; j < CK_NR; j += CK_LANES)
                    CK_FN(store)(wide + l * CK_NR + j, CK_FN(load_as)(g->format, panel.b, l * g->b_row + j));
            panel.b = wide;
            panel.b_row = CK_NR;
            panel.b_panel = 0;
            panel.format = CK_F32;
        }
        for (int64_t s = 0; s < strips; s++) {
            int64_t first = CK_FN(strip_start)(g->m, s, strips), next = CK_FN(strip_start)(g->m, s + 1, strips);
            CK_FN(strips)[next - first](&panel, g->a + first * g->k, g->c + first * g->ldc + n);
        }
    }
}

// A block of A as strips of [k][rows], scaled.
static void CK_FN(pack_a)(const float *a, int64_t a_row, int64_t a_col, int64_t m, int64_t k, float scale, float *out) {
    int64_t strips = (m + CK_MR - 1) / CK_MR;
    for (int64_t s = 0; s < strips; s++) {
        int64_t first = CK_FN(strip_start)(m, s, strips), rows = CK_FN(strip_start)(m, s + 1, strips) - first;
        const float *from = a + first * a_row;
        float *to = out + first * k;
        // A strip of no more rows than lanes; the next strip, packed later, overwrites what spills into it.
        if (a_col == 1 && rows <= CK_LANES) {
            CK_FN(transpose_rows)(from, a_row, rows, k, scale, rows, to);
            continue;
        }
        for (int64_t l = 0; l < k; l++)
            for (int64_t i = 0; i < rows; i++) to[l * rows + i] = from[i * a_row + l * a_col] * scale;
    }
}

// Panels [n / NR][k][NR] of B; columns past n are zero.
#define CK_PACK_B(name, element)                                                                                  \
    static void CK_FN(name)(const element *b, int64_t b_row, int64_t b_col, int64_t n, int64_t k, int64_t stride, \
                            element *out) {                                                                       \
        for (int64_t j = 0; j < n; j += CK_NR, out += stride) {                                                   \
            int64_t columns = n - j < CK_NR ? n - j : CK_NR;                                                      \
            const element *from = b + j * b_col;                                                                  \
            if (b_col == 1 && columns == CK_NR) {                                                                 \
                for (int64_t l = 0; l < k; l++)                                                                   \
                    __builtin_memcpy(out + l * CK_NR, from + l * b_row, CK_NR * sizeof(element));                 \
                continue;                                                                                         \
            }                                                                                                     \
            /* Sixteen rows at a time: the panel's lines are written whole before they leave the cache. */        \
            for (int64_t l0 = 0; l0 < k; l0 += 16) {                                                              \
                int64_t l1 = l0 + 16 < k ? l0 + 16 : k;                                                           \
                for (int64_t i = 0; i < CK_NR; i++)                                                               \
                    for (int64_t l = l0; l < l1; l++)                                                             \
                        out[l * CK_NR + i] = i < columns ? from[i * b_col + l * b_row] : 0;                       \
            }                                                                                                     \
        }                                                                                                         \
    }
CK_PACK_B(pack_b_f32, float)
CK_PACK_B(pack_b_16, uint16_t)

// Whole panels of weights stored by rows, through registers.
static void CK_FN(pack_rows)(const float *b, int64_t b_col, int64_t n, int64_t k, int64_t stride, float *out) {
    for (int64_t j = 0; j < n; j += CK_NR, out += stride)
        for (int half = 0; half < 2; half++) CK_FN(transpose_rows)
    (b + (j + half * CK_LANES) * b_col, b_col, CK_LANES, k, 1, CK_NR, out + half * CK_LANES);
}

static void CK_FN(pack_b)(const float *b, int64_t b_row, int64_t b_col, int64_t n, int64_t k, int64_t stride,
                          float *out) {
    const int64_t whole = b_row == 1 ? n / CK_NR * CK_NR : 0;
    CK_FN(pack_rows)(b, b_col, whole, k, stride, out);
    CK_FN(pack_b_f32)(b + whole * b_col, b_row, b_col, n - whole, k, stride, out + whole / CK_NR * stride);
}

static int64_t CK_FN(strip_rows)(void) { return CK_MR; }
static int64_t CK_FN(panel_columns)(void) { return CK_NR; }
#undef CK_PACK_B
#undef CK_STRIP
#undef CK_PANELS
#undef CK_WIDE_DEPTH
#undef CK_NR
