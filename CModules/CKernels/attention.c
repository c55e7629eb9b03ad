// Flash attention; cutting the problem into blocks and handing them to threads is the caller's.
#include <float.h>
#include <math.h>
#include <stddef.h>

#pragma clang fp contract(fast)

#define CK_FAMILY "families/attention.h"
#include "each_level.h"

int64_t ck_attention_block_rows(void) { return CK_SELECT(attention_queries)(); }
int64_t ck_attention_scratch(int64_t d) { return CK_SELECT(attention_scratch)(d); }
void ck_attention_block(const ck_attention_block_t *g, int64_t first_query, int64_t queries, float *scratch) {
    CK_SELECT(attention_block)(g, first_query, queries, scratch);
}
void ck_attention_decode(const ck_attention_block_t *g, int64_t kv_heads, int64_t kv_h, int64_t first, int64_t last,
                         float *scratch, float *o, float *state) {
    CK_SELECT(attention_decode)(g, kv_heads, kv_h, first, last, scratch, o, state);
}

void ck_attention_combine(const ck_attention_block_t *g, int64_t heads, int64_t parts, const float *o,
                          const float *state) {
    for (int64_t h = 0; h < heads; h++) {
        float maximum = -FLT_MAX, sum = 0, *out = g->o + h * g->o_h;
        for (int64_t p = 0; p < parts; p++) maximum = fmaxf(maximum, state[p * 2 * heads + h]);
        for (int64_t l = 0; l < g->d; l++) out[l] = 0;
        for (int64_t p = 0; p < parts; p++) {
            const float *at = state + p * 2 * heads;
            if (at[h] <= -FLT_MAX) continue;
            float weight = exp2f(at[h] - maximum);
            sum += weight * at[heads + h];
            for (int64_t l = 0; l < g->d; l++) out[l] += weight * o[(p * heads + h) * g->d + l];
        }
        for (int64_t l = 0; l < g->d; l++) out[l] *= sum > 0 ? 1 / sum : 0;
        if (g->lse) g->lse[h * g->lse_h] = sum > 0 ? (maximum + log2f(sum)) * 0.693147181f : -FLT_MAX;
    }
}
