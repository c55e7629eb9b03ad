// Matrix products on packed panels; blocking over caches and threads is the caller's.
#include <stddef.h>

#pragma clang fp contract(fast)

#define CK_FAMILY "families/gemm.h"
#include "each_level.h"

int64_t ck_gemm_strip_rows(void) { return CK_SELECT(strip_rows)(); }
int64_t ck_gemm_panel_columns(void) { return CK_SELECT(panel_columns)(); }
void ck_gemm_block(const ck_gemm_block_t *block) { CK_SELECT(gemm_block)(block); }
void ck_gemm_pack_a(const float *a, int64_t a_row, int64_t a_col, int64_t m, int64_t k, float scale, float *out) {
    CK_SELECT(pack_a)(a, a_row, a_col, m, k, scale, out);
}
void ck_gemm_pack_b_f32(const float *b, int64_t b_row, int64_t b_col, int64_t n, int64_t k, int64_t panel_stride,
                        float *out) {
    CK_SELECT(pack_b)(b, b_row, b_col, n, k, panel_stride, out);
}
void ck_gemm_pack_b_16(const uint16_t *b, int64_t b_row, int64_t b_col, int64_t n, int64_t k, int64_t panel_stride,
                       uint16_t *out) {
    CK_SELECT(pack_b_16)(b, b_row, b_col, n, k, panel_stride, out);
}
