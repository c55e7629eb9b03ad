// Matrix products on packed panels; blocking over caches and threads is the caller's.
#include <stddef.h>

#include "activation.h"

#pragma clang fp contract(fast)

#define CK_FAMILY "families/gemm.h"
#include "each_level.h"

#if defined(__x86_64__)
#pragma clang attribute push(CK_TARGET_AVX512_BF16, apply_to = function)
#define CK_SUFFIX avx512bf16
#define CK_LANES 16
#define CK_MR 14
#define CK_IS_AVX512 1
#define CK_IS_DOT 1
#include "families/tile.h"
#pragma clang attribute pop

bool ck_bf16_dot_available(void) { return ck_level() == CK_AVX512 && __builtin_cpu_supports("avx512bf16"); }
void ck_gemm_block(const ck_gemm_block_t *block) {
    (block->a_format == CK_BF16 ? gemm_block_avx512bf16 : CK_SELECT(gemm_block))(block);
}
#else
bool ck_bf16_dot_available(void) { return false; }
void ck_gemm_block(const ck_gemm_block_t *block) { CK_SELECT(gemm_block)(block); }
#endif

int64_t ck_gemm_strip_rows(void) { return CK_SELECT(strip_rows)(); }
int64_t ck_gemm_panel_columns(void) { return CK_SELECT(panel_columns)(); }
void ck_epilogue(const ck_epilogue_t *epilogue, int64_t m, int64_t n, float *c, int64_t ldc) {
    CK_SELECT(epilogue)(epilogue, m, n, c, ldc);
}
void ck_gemm_copy_a(const float *a, int64_t a_row, int64_t a_col, int64_t m, int64_t k, float scale, float *out,
                    int64_t pitch) {
    CK_SELECT(copy_a)(a, a_row, a_col, m, k, scale, out, pitch);
}
void ck_gemm_pack_b_f32(const float *b, int64_t b_row, int64_t b_col, int64_t n, int64_t k, int64_t panel_stride,
                        float *out) {
    CK_SELECT(pack_b)(b, b_row, b_col, n, k, panel_stride, out);
}
void ck_gemm_pack_b_f16(const uint16_t *b, int64_t b_row, int64_t b_col, int64_t n, int64_t k, int64_t panel_stride,
                        uint16_t *out) {
    CK_SELECT(pack_b_16)(b, b_row, b_col, n, k, panel_stride, out);
}
void ck_gemm_pack_b_bf16(const uint16_t *b, int64_t b_row, int64_t b_col, int64_t n, int64_t k, int64_t panel_stride,
                         uint16_t *out) {
    CK_SELECT(pack_b_pairs)(b, b_row, b_col, n, k, panel_stride, out);
}
