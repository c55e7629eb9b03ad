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

// `start`: what each row's sums begin with.
CK_INLINE void CK_FN(tile_i8)(const int rows, const int32_t *a, const uint8_t *b, int64_t fours, const int32_t *start,
                              int32_t *c, int64_t ldc, int64_t columns) {
    CK_FN(vi) acc[CK_MR][2];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) acc[i][0] = acc[i][1] = (CK_FN(vi)){0} + start[i];
#pragma clang loop unroll_count(2)
    for (int64_t l = 0; l < fours; l++, a += rows, b += 4 * CK_NR) {
        CK_FN(vi) w0 = *(const CK_FN(viu) *)b, w1 = *(const CK_FN(viu) *)(b + 4 * CK_LANES);
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            acc[i][0] = CK_FN(dot_i8)(acc[i][0], w0, a[i]);
            acc[i][1] = CK_FN(dot_i8)(acc[i][1], w1, a[i]);
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

#define CK_ROWS(rows)                                                                                              \
    static void CK_FN(tile_i8_##rows)(const int32_t *a, const uint8_t *b, int64_t k, const int32_t *s, int32_t *c, \
                                      int64_t ldc, int64_t n) {                                                    \
        CK_FN(tile_i8)(rows, a, b, k, s, c, ldc, n);                                                               \
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
typedef void (*CK_FN(tile_i8_fn))(const int32_t *, const uint8_t *, int64_t, const int32_t *, int32_t *, int64_t,
                                  int64_t);
static const CK_FN(tile_i8_fn) CK_FN(tiles_i8)[] = {
    CK_FN(tile_i8_1),  CK_FN(tile_i8_2),  CK_FN(tile_i8_4),  CK_FN(tile_i8_6),
#if CK_MR > 6
    CK_FN(tile_i8_8),  CK_FN(tile_i8_10), CK_FN(tile_i8_12),
#endif
#if CK_MR > 12
    CK_FN(tile_i8_14),
#endif
};

// A strip of `rows` rows as [k / 4][rows] lanes, and what its sums begin with: -128 times the row's sum.
static void CK_FN(pack_i8_strip)(const int8_t *a, int64_t a_row, int64_t rows, int64_t k, int32_t *out,
                                 int32_t *start) {
    int64_t fours = (k + 3) / 4, whole = k / 4;
    for (int64_t i = 0; i < rows; i++) {
        const int8_t *row = a + i * a_row;
        int32_t sum = 0;
        for (int64_t l = 0; l < k; l++) sum += row[l];
        start[i] = -128 * sum;
    }
    int64_t l = 0;
    for (; l + 4 <= whole; l += 4) {
        typedef int32_t i4 __attribute__((vector_size(16), aligned(1)));
        int64_t i = 0;
        for (; i + 4 <= rows; i += 4) {
            const int8_t *p = a + i * a_row + 4 * l;
            i4 r0 = *(const i4 *)p, r1 = *(const i4 *)(p + a_row), r2 = *(const i4 *)(p + 2 * a_row),
               r3 = *(const i4 *)(p + 3 * a_row);
            i4 t0 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), t1 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5),
               t2 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7), t3 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
            int32_t *to = out + l * rows + i;
            *(i4 *)to = __builtin_shufflevector(t0, t1, 0, 1, 4, 5);
            *(i4 *)(to + rows) = __builtin_shufflevector(t0, t1, 2, 3, 6, 7);
            *(i4 *)(to + 2 * rows) = __builtin_shufflevector(t2, t3, 0, 1, 4, 5);
            *(i4 *)(to + 3 * rows) = __builtin_shufflevector(t2, t3, 2, 3, 6, 7);
        }
        for (; i < rows; i++)
            for (int64_t t = 0; t < 4; t++) __builtin_memcpy(out + (l + t) * rows + i, a + i * a_row + 4 * (l + t), 4);
    }
    for (; l < fours; l++)
        for (int64_t i = 0; i < rows; i++) {
            int8_t four[4] = {0};
            for (int64_t t = 0; t < 4 && 4 * l + t < k; t++) four[t] = a[i * a_row + 4 * l + t];
            __builtin_memcpy(out + l * rows + i, four, 4);
        }
}

// Whole strips, then one of the largest even number of rows left, then a last row.
CK_INLINE int64_t CK_FN(strip_i8)(int64_t left) { return left >= CK_MR ? CK_MR : left > 1 ? left / 2 * 2 : left; }

static void CK_FN(gemm_i8_block)(const ck_gemm_i8_block_t *g) {
    const int64_t fours = (g->k + 3) / 4, panel = fours * 4 * CK_NR;
    int32_t *packed = g->scratch + g->m;
    for (int64_t i = 0, rows; i < g->m; i += rows) {
        rows = CK_FN(strip_i8)(g->m - i);
        CK_FN(pack_i8_strip)(g->a + i * g->a_row, g->a_row, rows, g->k, packed + i * fours, g->scratch + i);
    }
    for (int64_t n = 0; n < g->n; n += CK_NR)
        for (int64_t i = 0, rows; i < g->m; i += rows) {
            rows = CK_FN(strip_i8)(g->m - i);
            CK_FN(tiles_i8)
            [rows / 2](packed + i * fours, g->b + n / CK_NR * panel, fours, g->scratch + i, g->c + i * g->ldc + n,
                       g->ldc, g->n - n);
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
