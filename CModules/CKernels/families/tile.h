// One level's product of a few rows with panels of B: C[m, n] (+)= A B. A is read row by row where it lies; a panel of
// B is two vectors wide. Every element of C is one chain of multiply-adds over k in ascending order, whatever the tile
// and however k is blocked: results do not depend on the shape of the tile, the batch or the number of threads.
#include "vectors.h"
//
#include "epilogue.h"

#define CK_NR (2 * CK_LANES)
// Panels side by side: enough independent chains to hide the latency of two multiply-add units.
#define CK_PANELS(rows) ((rows) == 1 ? 4 : (rows) == 2 ? 3 : (rows) <= (CK_LANES == 16 ? 6 : 2) ? 2 : 1)
// What several strips read in turn stays in the second-level cache: so many rows of so many panels.
#define CK_DEPTH 512
#define CK_GROUP 4
// A panel's lines are asked for so many rows before they are multiplied: four kilobytes of a packed panel, which take
// the tallest strip about as long (450 cycles) as memory takes to answer.
#define CK_AHEAD 32

// Elements of A and how many of its columns one step takes: pairs of bf16 where the machine multiplies them.
#if defined(CK_IS_DOT)
#define CK_A uint16_t
#else
#define CK_A float
#endif

// Memory that is read after the block: every step of a tile asks for a line and goes on by `step` bytes. `left`: how
// many of the block's two pieces of it are still to come.
typedef struct {
    const char *line, *end;
    int64_t step;
    int left;
} CK_FN(ahead_t);

typedef struct {
    const CK_A *a;
    int64_t a_row;
    const void *b;
    int64_t b_row, b_panel;
    int64_t k;
    float *c;
    int64_t ldc, columns;
    bool accumulate;
    CK_FN(ahead_t) * ahead;
} CK_FN(tile_t);

// Row l of `panels` panels as f32. bf16 lies in pairs of rows: the odd one in the upper halves of 32-bit words.
CK_INLINE void CK_FN(panel_row)(const int panels, const ck_format_t format, const void *b, int64_t at, int64_t b_panel,
                                const int odd, CK_FN(vf) * w) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 2 * panels; j++) {
        const int64_t index = at + (j / 2) * b_panel + (j % 2) * CK_LANES * (format == CK_BF16 ? 2 : 1);
        if (format == CK_BF16) {
            CK_FN(vu) pair = (CK_FN(vu)) * (const CK_FN(viu) *)((const uint16_t *)b + index);
            w[j] = (CK_FN(vf))(odd ? pair & 0xffff0000u : pair << 16);
        } else {
            w[j] = CK_FN(load_as)(format, b, index);
        }
    }
}

// The registers of one step: acc += a[rows][l] * w. Rows lie three to a base, so that few registers address them all.
CK_INLINE void CK_FN(step)(const int rows, const int panels, CK_FN(vf) acc[CK_MR][8], const CK_A *const *bases,
                           int64_t a_row, int64_t l, const CK_FN(vf) * w) {
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        CK_FN(vf) x = CK_FN(splat)(bases[i / 3][(i % 3) * a_row + l]);
#pragma clang loop unroll(full)
        for (int j = 0; j < 2 * panels; j++) acc[i][j] += x * w[j];
    }
}

#if defined(CK_IS_DOT)
// Two columns of A with a pair of rows of B; `single`: the second column is past the end.
CK_INLINE void CK_FN(dot_step)(const int rows, const int panels, const bool single, CK_FN(vf) acc[CK_MR][8],
                               const CK_A *const *bases, int64_t a_row, int64_t l, const void *b, int64_t at,
                               int64_t b_panel) {
    __m512bh w[8];
#pragma clang loop unroll(full)
    for (int j = 0; j < 2 * panels; j++)
        w[j] = (__m512bh)_mm512_loadu_si512((const uint16_t *)b + at + (j / 2) * b_panel + (j % 2) * 2 * CK_LANES);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        const CK_A *p = bases[i / 3] + (i % 3) * a_row + l;
        int32_t pair = *p;
        if (!single) __builtin_memcpy(&pair, p, 4);
        __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
        // Holds the rows in order: the compiler loads all of them first, into more registers than there are.
        __asm__ volatile("" : "+v"(x));
#pragma clang loop unroll(full)
        for (int j = 0; j < 2 * panels; j++) acc[i][j] = (CK_FN(vf))_mm512_dpbf16_ps((__m512)acc[i][j], x, w[j]);
    }
}
#endif

CK_INLINE void CK_FN(tile)(const int rows, const int panels, const ck_format_t format, CK_FN(tile_t) t) {
    // Of constant size, so that they live in registers.
    CK_FN(vf) acc[CK_MR][8];
    const CK_A *bases[(CK_MR + 2) / 3];
    float edge[CK_MR * CK_NR];
    const bool whole = t.columns >= panels * CK_NR;
    float *out = t.c;
    int64_t ld = t.ldc;
    if (!whole) {
        for (int i = 0; i < rows; i++)
            for (int64_t j = 0; j < CK_NR; j++)
                edge[i * CK_NR + j] = t.accumulate && j < t.columns ? t.c[i * t.ldc + j] : 0;
        out = edge;
        ld = CK_NR;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i += 3) bases[i / 3] = t.a + i * t.a_row;
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
        for (int j = 0; j < 2 * panels; j++)
            acc[i][j] = t.accumulate ? CK_FN(load)(out + i * ld + j * CK_LANES) : (CK_FN(vf)){0};
    const int each = format == CK_BF16 ? 2 : 1;  // rows of one load
    int64_t at = 0, l = 0;
    CK_FN(ahead_t) ahead = *t.ahead;
#if !defined(CK_IS_DOT)
    CK_FN(vf) w[8];
#endif
    // Unrolled, the compiler gathers neighbours in a row and shuffles them.
#pragma clang loop unroll(disable)
    for (; l + each <= t.k; l += each, at += each * t.b_row) {
        if (rows > 2) {  // one or two rows leave the processor's own prefetcher time enough
            __builtin_prefetch(ahead.line, 0, 2);
            ahead.line += ahead.step;
#pragma clang loop unroll(full)
            for (int j = 0; j < panels; j++) {
                const char *line =
                    (const char *)t.b + (at + j * t.b_panel + CK_AHEAD * t.b_row) * (format == CK_F32 ? 4 : 2);
                __builtin_prefetch(line);
                if (format != CK_F16) __builtin_prefetch(line + 4 * CK_LANES);
            }
        }
#if defined(CK_IS_DOT)
        CK_FN(dot_step)(rows, panels, false, acc, bases, t.a_row, l, t.b, at, t.b_panel);
#else
        CK_FN(panel_row)(panels, format, t.b, at, t.b_panel, 0, w);
        CK_FN(step)(rows, panels, acc, bases, t.a_row, l, w);
        if (format == CK_BF16) {
            CK_FN(panel_row)(panels, format, t.b, at, t.b_panel, 1, w);
            CK_FN(step)(rows, panels, acc, bases, t.a_row, l + 1, w);
        }
#endif
    }
    *t.ahead = ahead;
    if (l < t.k) {
#if defined(CK_IS_DOT)
        CK_FN(dot_step)(rows, panels, true, acc, bases, t.a_row, l, t.b, at, t.b_panel);
#else
        CK_FN(panel_row)(panels, format, t.b, at, t.b_panel, 0, w);
        CK_FN(step)(rows, panels, acc, bases, t.a_row, l, w);
#endif
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
        for (int j = 0; j < 2 * panels; j++) CK_FN(store)(out + i * ld + j * CK_LANES, acc[i][j]);
    if (!whole)
        for (int i = 0; i < rows; i++)
            for (int64_t j = 0; j < t.columns; j++) t.c[i * t.ldc + j] = edge[i * CK_NR + j];
}

#define CK_BYTES(format) ((format) == CK_F32 ? 4 : 2)

// One strip of rows over every panel of t.columns.
CK_INLINE void CK_FN(stream)(const int rows, const ck_format_t format, CK_FN(tile_t) t) {
    const int panels = CK_PANELS(rows);
    const int64_t n = t.columns;
    int64_t j = 0;
    for (; j + panels * CK_NR <= n; j += panels * CK_NR) {
        t.columns = panels * CK_NR;
        CK_FN(tile)(rows, panels, format, t);
        t.b = (const char *)t.b + panels * t.b_panel * CK_BYTES(format);
        t.c += t.columns;
    }
    for (; j < n; j += CK_NR) {
        t.columns = n - j;
        CK_FN(tile)(rows, 1, format, t);
        t.b = (const char *)t.b + t.b_panel * CK_BYTES(format);
        t.c += CK_NR;
    }
}

#if defined(CK_IS_DOT)
#define CK_STREAM(rows, format, t) \
    (void)format;                  \
    CK_FN(stream)(rows, CK_BF16, t)
#define CK_TILE_FORMAT CK_BF16
#else
#define CK_STREAM(rows, format, t)       \
    if (format == CK_F16)                \
        CK_FN(stream)(rows, CK_F16, t);  \
    else if (format == CK_BF16)          \
        CK_FN(stream)(rows, CK_BF16, t); \
    else                                 \
        CK_FN(stream)(rows, CK_F32, t)
#define CK_TILE_FORMAT CK_F32  // others are widened before more than two strips meet them
#endif
#define CK_ROWS(rows) \
    static void CK_FN(stream_##rows)(ck_format_t format, CK_FN(tile_t) t) { CK_STREAM(rows, format, t); }
CK_ROWS(1)
CK_ROWS(2)
CK_ROWS(3)
CK_ROWS(4)
CK_ROWS(5)
CK_ROWS(6)
#define CK_MORE
#if CK_MR > 6
CK_ROWS(7)
CK_ROWS(8)
CK_ROWS(9)
CK_ROWS(10)
CK_ROWS(11)
CK_ROWS(12)
#undef CK_MORE
#define CK_MORE \
    , CK_FN(stream_7), CK_FN(stream_8), CK_FN(stream_9), CK_FN(stream_10), CK_FN(stream_11), CK_FN(stream_12)
#endif
#if CK_MR > 12
CK_ROWS(13)
CK_ROWS(14)
#undef CK_MORE
#define CK_MORE                                                                                                \
    , CK_FN(stream_7), CK_FN(stream_8), CK_FN(stream_9), CK_FN(stream_10), CK_FN(stream_11), CK_FN(stream_12), \
        CK_FN(stream_13), CK_FN(stream_14)
#endif
static void (*const CK_FN(streams)[])(ck_format_t, CK_FN(tile_t)) = {
    NULL, CK_FN(stream_1), CK_FN(stream_2), CK_FN(stream_3), CK_FN(stream_4), CK_FN(stream_5), CK_FN(stream_6) CK_MORE};

// Part of the block: `columns` from column j on, rows [k0, k0 + k) of B.
CK_INLINE CK_FN(tile_t)
    CK_FN(part)(const ck_gemm_block_t *g, int64_t j, int64_t columns, int64_t k0, int64_t k, CK_FN(ahead_t) * ahead) {
    return (CK_FN(tile_t)){.a = (const CK_A *)g->a + k0,
                           .a_row = g->a_row,
                           .b = (const char *)g->b + (j / CK_NR * g->b_panel + k0 * g->b_row) * CK_BYTES(g->format),
                           .b_row = g->b_row,
                           .b_panel = g->b_panel,
                           .k = k,
                           .c = g->c + j,
                           .ldc = g->ldc,
                           .columns = columns,
                           .accumulate = k0 > 0 || g->accumulate,
                           .ahead = ahead};
}

// The part's panel as f32.
static void CK_FN(widen_panel)(ck_format_t format, const CK_FN(tile_t) * t, float *out) {
    for (int64_t l = 0; l < t->k; l++, out += CK_NR) {
        CK_FN(vf) w[2];
        const bool odd = format == CK_BF16 && l % 2;
        CK_FN(panel_row)(1, format, t->b, (l - odd) * t->b_row, 0, odd, w);
        for (int j = 0; j < 2; j++) CK_FN(store)(out + j * CK_LANES, w[j]);
    }
}

// Goes on to the next piece where one is done: B, of which everything is needed first, then A, then a line that is
// there.
CK_INLINE void CK_FN(go_on)(const ck_gemm_block_t *g, CK_FN(ahead_t) * ahead) {
    if (ahead->line < ahead->end) return;
    const int i = ahead->left - 1;
    const bool is_more = i >= 0 && g->next_bytes[i] > 0;
    const char *line = is_more ? g->next[i] : g->a;
    *ahead = (CK_FN(ahead_t)){
        .line = line, .end = line + (is_more ? g->next_bytes[i] : 1), .step = is_more ? 64 : 0, .left = i};
}

// Every strip of rows over a group of panels, a piece of k after the other. The first strip is the tallest: B comes
// from memory while it computes, and from the cache for the others.
static void CK_FN(group)(const ck_gemm_block_t *g, int64_t j, int64_t columns, int64_t strips, CK_FN(ahead_t) * ahead) {
    // Two strips widen B as they load it.
    const bool widens = g->format != CK_TILE_FORMAT && strips > 2;
    _Alignas(64) float wide[widens ? CK_DEPTH * CK_NR : 1];
    for (int64_t k0 = 0; k0 == 0 || k0 < g->k; k0 += CK_DEPTH) {
        CK_FN(tile_t) t = CK_FN(part)(g, j, columns, k0, g->k - k0 < CK_DEPTH ? g->k - k0 : CK_DEPTH, ahead);
        if (widens) {
            CK_FN(widen_panel)(g->format, &t, wide);
            t.b = wide;
            t.b_row = CK_NR;
        }
        for (int64_t s = 0; s < strips; s++) {
            const int64_t dealt = g->m - CK_MR, after = strips - 1;
            const int64_t rows = s == 0 ? CK_MR : dealt * s / after - dealt * (s - 1) / after;
            CK_FN(go_on)(g, ahead);
            CK_FN(streams)[rows](widens ? CK_TILE_FORMAT : g->format, t);
            t.a += rows * g->a_row;
            t.c += rows * g->ldc;
        }
    }
    ck_epilogue_t epilogue = g->epilogue;
    if (epilogue.bias) epilogue.bias += j;
    CK_FN(epilogue)(&epilogue, g->m, columns, g->c + j, g->ldc);
}

static void CK_FN(gemm_block)(const ck_gemm_block_t *g) {
    const int64_t strips = (g->m + CK_MR - 1) / CK_MR;
    CK_FN(ahead_t) ahead = {.left = 2};
    CK_FN(go_on)(g, &ahead);
    if (strips == 1) {
        CK_FN(streams)[g->m](g->format, CK_FN(part)(g, 0, g->n, 0, g->k, &ahead));
        CK_FN(epilogue)(&g->epilogue, g->m, g->n, g->c, g->ldc);
        return;
    }
    const int64_t most = (g->format == CK_TILE_FORMAT || strips == 2 ? CK_GROUP : 1) * CK_NR;
    for (int64_t j = 0; j < g->n; j += most) CK_FN(group)(g, j, g->n - j < most ? g->n - j : most, strips, &ahead);
}

#undef CK_A
#undef CK_STREAM
#undef CK_TILE_FORMAT
#undef CK_ROWS
#undef CK_MORE
#undef CK_BYTES
#undef CK_PANELS
#undef CK_DEPTH
#undef CK_GROUP
#undef CK_AHEAD
#undef CK_NR
