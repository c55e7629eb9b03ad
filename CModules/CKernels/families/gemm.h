// One level's matrix product: the tile, and the layouts of operands that are not read where they lie.
#include "tile.h"
//
#include "transpose.h"

#define CK_NR (2 * CK_LANES)

// Rows of A with `pitch` elements from one to the next, scaled; whole vectors are written, up to the pitch.
static void CK_FN(copy_a)(const float *a, int64_t a_row, int64_t a_col, int64_t m, int64_t k, float scale, float *out,
                          int64_t pitch) {
    if (a_col == 1) {
        for (int64_t i = 0; i < m; i++, a += a_row, out += pitch)
            if (scale == 1)
                __builtin_memcpy(out, a, (size_t)k * 4);
            else
                for (int64_t l = 0; l < k; l++) out[l] = a[l] * scale;
        return;
    }
    for (int64_t l = 0; a_row == 1 && l < k; l += CK_LANES) CK_FN(transpose_rows)
    (a + l * a_col, a_col, k - l < CK_LANES ? k - l : CK_LANES, m, scale, pitch, out + l);
    for (int64_t i = 0; a_row != 1 && i < m; i++)
        for (int64_t l = 0; l < k; l++) out[i * pitch + l] = a[i * a_row + l * a_col] * scale;
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

// Panels [n / NR][ceil(k / 2)][NR][2]: rows in pairs; a row past k and columns past n are zero.
static void CK_FN(pack_b_pairs)(const uint16_t *b, int64_t b_row, int64_t b_col, int64_t n, int64_t k, int64_t stride,
                                uint16_t *out) {
    for (int64_t j = 0; j < n; j += CK_NR, out += stride)
        for (int64_t l = 0; l < (k + 1) / 2 * 2; l++)
            for (int64_t i = 0; i < CK_NR; i++)
                out[(l / 2 * CK_NR + i) * 2 + l % 2] = j + i < n && l < k ? b[(j + i) * b_col + l * b_row] : 0;
}

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
#undef CK_NR
