// Exact int8 products.
#define CK_FAMILY "families/gemm_i8.h"
#include "each_level.h"

void ck_gemm_i8_block(const ck_gemm_i8_block_t *block) { CK_SELECT(gemm_i8_block)(block); }
void ck_gemm_i8_pack_b(const int8_t *w, int64_t n, int64_t k, uint8_t *out) { CK_SELECT(pack_b_i8)(w, n, k, out); }
