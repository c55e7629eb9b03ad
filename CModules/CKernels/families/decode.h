// One level's decode step: one query a head in one pass over a run of keys. Part of a family, after scores.h.
#define CK_DECODE_KEYS 64
// `heads` query rows q[heads][d] (scaled), states o[heads][d], maxima, sums.
CK_INLINE void CK_FN(decode_heads)(const int heads, const ck_format_t format, const ck_attention_block_t *g,
                                   int64_t head, int64_t first, int64_t last, const float *q, float *o, float *maxima,
                                   float *sums) {
    const int64_t d = g->d;
    float s[4][CK_DECODE_KEYS];
    for (int64_t start = first; start < last; start += CK_DECODE_KEYS) {
        const int64_t keys = last - start < CK_DECODE_KEYS ? last - start : CK_DECODE_KEYS;
        for (int64_t j = 0; j < keys; j++) {
            CK_FN(vf) dot[4];
            const int64_t at = (start + j) * g->k_row;
            float rest[4];
            for (int h = 0; h < heads; h++) dot[h] = (CK_FN(vf)){0}, rest[h] = 0;
            int64_t l = 0;
            for (; l + CK_LANES <= d; l += CK_LANES) {
                CK_FN(vf) k = CK_FN(load_as)(format, g->k, at + l);
#pragma clang loop unroll(full)
                for (int h = 0; h < heads; h++) dot[h] += k * CK_FN(load)(q + h * d + l);
            }
            for (; l < d; l++)
                for (int h = 0; h < heads; h++) rest[h] += CK_FN(widened)(format, g->k, at + l) * q[h * d + l];
#pragma clang loop unroll(full)
            for (int h = 0; h < heads; h++) s[h][j] = CK_FN(sum_lanes)(dot[h]) + rest[h];
        }
        for (int h = 0; h < heads; h++) {
            if (g->softcap > 0 || g->mask) CK_FN(adjust)(g, 0, head + h, start, keys, s[h]);
            float shrink = CK_FN(softmax_step)(s[h], keys, maxima + h, sums + h);
            if (shrink != 1)
                for (int64_t l = 0; l < d; l++) o[h * d + l] *= shrink;
        }
        int64_t l = 0;
        for (; l + 4 * CK_LANES <= d; l += 4 * CK_LANES) {
            CK_FN(vf) acc[4][4];
#pragma clang loop unroll(full)
            for (int h = 0; h < heads; h++)
                for (int t = 0; t < 4; t++) acc[h][t] = CK_FN(load)(o + h * d + l + t * CK_LANES);
            for (int64_t j = 0; j < keys; j++) {
                const int64_t at = (start + j) * g->v_row + l;
                CK_FN(vf) v[4];
#pragma clang loop unroll(full)
                for (int t = 0; t < 4; t++) v[t] = CK_FN(load_as)(format, g->v, at + t * CK_LANES);
#pragma clang loop unroll(full)
                for (int h = 0; h < heads; h++)
                    for (int t = 0; t < 4; t++) acc[h][t] += CK_FN(splat)(s[h][j]) * v[t];
            }
#pragma clang loop unroll(full)
            for (int h = 0; h < heads; h++)
                for (int t = 0; t < 4; t++) CK_FN(store)(o + h * d + l + t * CK_LANES, acc[h][t]);
        }
        for (; l < d; l++)
            for (int h = 0; h < heads; h++) {
                float sum = o[h * d + l];
                for (int64_t j = 0; j < keys; j++)
                    sum += s[h][j] * CK_FN(widened)(format, g->v, (start + j) * g->v_row + l);
                o[h * d + l] = sum;
            }
    }
}

#define CK_DECODE(heads)                                                                                        \
    static void CK_FN(decode_##heads)(const ck_attention_block_t *g, int64_t head, int64_t first, int64_t last, \
                                      const float *q, float *o, float *m, float *s) {                           \
        if (g->kv_format == CK_F32)                                                                             \
            CK_FN(decode_heads)(heads, CK_F32, g, head, first, last, q, o, m, s);                               \
        else if (g->kv_format == CK_F16)                                                                        \
            CK_FN(decode_heads)(heads, CK_F16, g, head, first, last, q, o, m, s);                               \
        else                                                                                                    \
            CK_FN(decode_heads)(heads, CK_BF16, g, head, first, last, q, o, m, s);                              \
    }
CK_DECODE(1)
CK_DECODE(2)
CK_DECODE(3)
CK_DECODE(4)

static void CK_FN(attention_decode)(const ck_attention_block_t *g, int64_t first, int64_t last, float *o,
                                    float *state) {
    int64_t low, high;
    CK_FN(visible)(g, 0, &low, &high);
    low = low > first ? low : first;
    high = high < last ? high : last;
    float q[4 * CK_MAX_HEAD_DIM];
    for (int64_t h = 0; h < g->heads; h += 4) {
        const int count = g->heads - h < 4 ? (int)(g->heads - h) : 4;
        float *out = o + h * g->d, *m = state + h, *s = state + g->heads + h;
        for (int i = 0; i < count; i++) {
            CK_FN(widen_row)(g->q_format, g->q, (h + i) * g->q_h, g->d, g->d, q + i * g->d);
            for (int64_t l = 0; l < g->d; l++) q[i * g->d + l] *= g->scale * 1.44269504f;
            m[i] = -FLT_MAX;
            s[i] = 0;
        }
        __builtin_memset(out, 0, (size_t)(count * g->d) * 4);
        if (count == 1) CK_FN(decode_1)(g, h, low, high, q, out, m, s);
        if (count == 2) CK_FN(decode_2)(g, h, low, high, q, out, m, s);
        if (count == 3) CK_FN(decode_3)(g, h, low, high, q, out, m, s);
        if (count == 4) CK_FN(decode_4)(g, h, low, high, q, out, m, s);
    }
}
#undef CK_DECODE
#undef CK_DECODE_KEYS
