// One level's exact int8 product: C[m, n] i32 = A[m, k] B[k, n], B stored as unsigned bytes with 128 added. Four
// consecutive k of a row of A, or of a column of B, are one 32-bit lane.
#include "vectors.h"

#define CK_NR (2 * CK_LANES)

CK_INLINE CK_FN(vi) CK_FN(dot_i8)(CK_FN(vi) acc, CK_FN(vi) w, int32_t x) {
#if defined(CK_IS_AVX512)
    return (CK_FN(vi))_mm512_dpbusd_epi32((__m512i)acc, (__m512i)w, _mm512_set1_epi32(x));
#elif defined(CK_IS_AVX2)
    // 255 * 127 * 2 does not fit the 16 bits of maddubs: even and odd bytes go apart.
    __m256i even = _mm256_and_si256((__m256i)w, _mm256_set1_epi16(255)), odd = _mm256_srli_epi16((__m256i)w, 8);
    __m256i xs = _mm256_set1_epi32(x);
    __m256i x_even = _mm256_srai_epi16(_mm256_slli_epi16(xs, 8), 8), x_odd = _mm256_srai_epi16(xs, 8);
    return acc + (CK_FN(vi))_mm256_madd_epi16(even, x_even) + (CK_FN(vi))_mm256_madd_epi16(odd, x_odd);
#else
    for (int t = 0; t < 4; t++) acc += ((w >> (8 * t)) & 255) * (int32_t)(int8_t)(x >> (8 * t));
    return acc;
#endif
}

// Rows of A lie three to a base, so that few registers address them all. `start`: what each row's sums begin with.
CK_INLINE void CK_FN(tile_i8)(const int rows, const int8_t *a, int64_t a_row, const uint8_t *b, int64_t fours,
                              const int32_t *start, int32_t *c, int64_t ldc, int64_t columns) {
    CK_FN(vi) acc[CK_MR][2];
    const int8_t *bases[(CK_MR + 2) / 3];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i += 3) bases[i / 3] = a + i * a_row;
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        acc[i][0] = acc[i][1] = (CK_FN(vi)){0} + start[i];
        // The results' lines are there when the sums are.
        __builtin_prefetch(c + i * ldc, 1);
        __builtin_prefetch(c + i * ldc + CK_LANES, 1);
    }
    const char *ahead = (const char *)b + fours * 4 * CK_NR;
#pragma clang loop unroll(disable)
    for (int64_t l = 0; l < fours; l++, b += 4 * CK_NR, ahead += 4 * CK_NR) {
        // The next panel.
        __builtin_prefetch(ahead, 0, 2);
        CK_FN(vi) w0 = *(const CK_FN(viu) *)b, w1 = *(const CK_FN(viu) *)(b + 4 * CK_LANES);
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            int32_t x;
            __builtin_memcpy(&x, bases[i / 3] + (i % 3) * a_row + 4 * l, 4);
            acc[i][0] = CK_FN(dot_i8)(acc[i][0], w0, x);
            acc[i][1] = CK_FN(dot_i8)(acc[i][1], w1, x);
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        if (columns >= CK_NR) {
            *(CK_FN(viu) *)(c + i * ldc) = acc[i][0];
            *(CK_FN(viu) *)(c + i * ldc + CK_LANES) = acc[i][1];
        } else {
            for (int64_t j = 0; j < columns; j++) c[i * ldc + j] = acc[i][j / CK_LANES][j % CK_LANES];
        }
    }
}

#define CK_ROWS(rows)                                                                                  \
    static void CK_FN(tile_i8_##rows)(const int8_t *a, int64_t a_row, const uint8_t *b, int64_t fours, \
                                      const int32_t *s, int32_t *c, int64_t ldc, int64_t n) {          \
        CK_FN(tile_i8)(rows, a, a_row, b, fours, s, c, ldc, n);                                        \
    }
CK_ROWS(1)
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
typedef void (*CK_FN(tile_i8_fn))(const int8_t *, int64_t, const uint8_t *, int64_t, const int32_t *, int32_t *,
                                  int64_t, int64_t);
static const CK_FN(tile_i8_fn) CK_FN(tiles_i8)[] = {
    CK_FN(tile_i8_1),  CK_FN(tile_i8_2),  CK_FN(tile_i8_4),  CK_FN(tile_i8_6),
#if CK_MR > 6
    CK_FN(tile_i8_8),  CK_FN(tile_i8_10), CK_FN(tile_i8_12),
#endif
#if CK_MR > 12
    CK_FN(tile_i8_14),
#endif
};

// -128 times the sum of a row: what the 128 added to B's elements comes to.
static int32_t CK_FN(start_i8)(const int8_t *row, int64_t k) {
    int32_t sum = 0;
    int64_t l = 0;
#if defined(CK_IS_AVX512)
    __m512i all = _mm512_setzero_si512();
    for (; l + 64 <= k; l += 64) all = _mm512_dpbusd_epi32(all, _mm512_set1_epi8(1), _mm512_loadu_si512(row + l));
    sum = _mm512_reduce_add_epi32(all);
#endif
    for (; l < k; l++) sum += row[l];
    return -128 * sum;
}

// Whole strips, then one of the largest even number of rows left, then a last row.
CK_INLINE int64_t CK_FN(strip_i8)(int64_t left) { return left >= CK_MR ? CK_MR : left > 1 ? left / 2 * 2 : left; }

static void CK_FN(gemm_i8_block)(const ck_gemm_i8_block_t *g) {
    const int64_t fours = (g->k + 3) / 4, panel = fours * 4 * CK_NR;
    for (int64_t i = 0; i < g->m; i++) g->scratch[i] = CK_FN(start_i8)(g->a + i * g->a_row, g->k);
    for (int64_t n = 0; n < g->n; n += CK_NR)
        for (int64_t i = 0, rows; i < g->m; i += rows) {
            rows = CK_FN(strip_i8)(g->m - i);
            CK_FN(tiles_i8)
            [rows / 2](g->a + i * g->a_row, g->a_row, g->b + n / CK_NR * panel, fours, g->scratch + i,
                       g->c + i * g->ldc + n, g->ldc, g->n - n);
        }
}

// Panels [n / NR][k / 4][NR][4] of weights stored by rows [n][k].
static void CK_FN(pack_b_i8)(const int8_t *w, int64_t n, int64_t k, uint8_t *out) {
    for (int64_t j = 0; j < n; j += CK_NR)
        for (int64_t l = 0; l < k; l += 4)
            for (int64_t c = 0; c < CK_NR; c++)
                for (int64_t t = 0; t < 4; t++)
                    *out++ = j + c < n && l + t < k ? (uint8_t)w[(j + c) * k + l + t] ^ 0x80 : 0x80;
}
#undef CK_NR
#undef CK_ROWS
