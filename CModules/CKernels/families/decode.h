// One level's decode step: one query a head in one pass over a run of keys. Part of a family, after scores.h.
// Keys of one turn of a KV head, and how far ahead its rows of K are asked for.
#define CK_DECODE_KEYS 128
#define CK_DECODE_AHEAD 16
// KV heads with a query head each whose scores are made together.
#define CK_ABREAST (CK_LANES < 8 ? CK_LANES : 8)

// Scores s[heads][j + i] of `heads` queries (scaled) with a few keys i from j on, as many as make a vector of sums;
// room past the last key is written too. Rows are asked for ahead, of V too: they lie too far apart for the processor
// to guess, and a few of them do not keep its queues full as sixteen do.
CK_INLINE void CK_FN(key_scores)(const int heads, const ck_format_t format, const ck_attention_block_t *g,
                                 const float *q, int64_t kv, int64_t start, int64_t j, int64_t keys,
                                 float (*s)[CK_DECODE_KEYS]) {
    const int across = heads == 1 ? 1 : heads == 2 ? 2 : 4, count = CK_LANES / across;
    const int64_t d = g->d;
    CK_FN(vf) r[CK_LANES];
    int64_t rows[CK_LANES];
    const char *k_ahead =
        (const char *)g->k + CK_FN(byte_offset)(format, kv + (start + j + CK_DECODE_AHEAD) * g->k_row);
    const char *v_ahead = (const char *)g->v + CK_FN(byte_offset)(format, kv + (start + j) * g->v_row);
#pragma clang loop unroll(full)
    for (int i = 0; i < CK_LANES; i++) r[i] = (CK_FN(vf)){0};
#pragma clang loop unroll(full)
    // Rows past the end repeat the last one; nobody looks at their scores.
    for (int i = 0; i < count; i++) rows[i] = kv + (start + (j + i < keys ? j + i : keys - 1)) * g->k_row;
    int64_t l = 0;
#pragma clang loop unroll(disable)
    for (; l + CK_LANES <= d; l += CK_LANES) {
#pragma clang loop unroll(full)
        for (int i = 0; i < count && heads > 1; i++) {
            __builtin_prefetch(k_ahead + CK_FN(byte_offset)(format, i * g->k_row + l), 0, 2);
            __builtin_prefetch(v_ahead + CK_FN(byte_offset)(format, i * g->v_row + l), 0, 2);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < count; i++) {
            CK_FN(vf) x = CK_FN(load_as)(format, g->k, rows[i] + l);
#pragma clang loop unroll(full)
            for (int h = 0; h < heads; h++) r[h * count + i] += x * CK_FN(load)(q + h * d + l);
        }
    }
    float sums[CK_LANES];
    CK_FN(store)(sums, CK_FN(sum_each)(r));
#pragma clang loop unroll(full)
    for (int h = 0; h < heads; h++) __builtin_memcpy(s[h] + j, sums + h * count, (size_t)count * 4);
    for (int h = 0; h < heads && l < d; h++)
        for (int i = 0; i < count; i++)
            for (int64_t e = l; e < d; e++) s[h][j + i] += CK_FN(widened)(format, g->k, rows[i] + e) * q[h * d + e];
}

// o[heads][d] += p[heads][keys] V.
CK_INLINE void CK_FN(add_values)(const int heads, const ck_format_t format, const float (*p)[CK_DECODE_KEYS],
                                 const void *v, int64_t first, int64_t v_row, int64_t keys, int64_t d, float *o) {
    int64_t l = 0;
    for (; l + 4 * CK_LANES <= d; l += 4 * CK_LANES) {
        CK_FN(vf) acc[4][4];
#pragma clang loop unroll(full)
        for (int h = 0; h < heads; h++)
            for (int t = 0; t < 4; t++) acc[h][t] = CK_FN(load)(o + h * d + l + t * CK_LANES);
        for (int64_t j = 0; j < keys; j++) {
            const int64_t at = first + j * v_row + l;
            CK_FN(vf) row[4];
#pragma clang loop unroll(full)
            for (int t = 0; t < 4; t++) row[t] = CK_FN(load_as)(format, v, at + t * CK_LANES);
#pragma clang loop unroll(full)
            for (int h = 0; h < heads; h++)
                for (int t = 0; t < 4; t++) acc[h][t] += CK_FN(splat)(p[h][j]) * row[t];
        }
#pragma clang loop unroll(full)
        for (int h = 0; h < heads; h++)
            for (int t = 0; t < 4; t++) CK_FN(store)(o + h * d + l + t * CK_LANES, acc[h][t]);
    }
    for (; l < d; l++)
        for (int h = 0; h < heads; h++) {
            float sum = o[h * d + l];
            for (int64_t j = 0; j < keys; j++) sum += p[h][j] * CK_FN(widened)(format, v, first + j * v_row + l);
            o[h * d + l] = sum;
        }
}

// Scores s[h][j + i] of CK_ABREAST KV heads with a query head each: rows of K, in which these lie side by side `kv_h`
// elements apart, are read forwards. d is whole vectors; otherwise as `key_scores`, with the same bits.
CK_INLINE void CK_FN(scores_abreast)(const ck_format_t format, const ck_attention_block_t *g, const float *q,
                                     int64_t kv, int64_t kv_h, int64_t start, int64_t j, int64_t keys,
                                     float (*s)[CK_DECODE_KEYS]) {
    const int count = CK_LANES / CK_ABREAST;
    const int64_t d = g->d;
    CK_FN(vf) r[CK_LANES];
    int64_t rows[CK_LANES / CK_ABREAST];
#pragma clang loop unroll(full)
    for (int i = 0; i < count; i++) rows[i] = kv + (start + (j + i < keys ? j + i : keys - 1)) * g->k_row;
#pragma clang loop unroll(full)
    for (int h = 0; h < CK_ABREAST; h++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < count; i++) r[h * count + i] = (CK_FN(vf)){0};
#pragma clang loop unroll_count(4)
        for (int64_t l = 0; l < d; l += CK_LANES) {
            CK_FN(vf) x = CK_FN(load)(q + h * d + l);
#pragma clang loop unroll(full)
            for (int i = 0; i < count; i++)
                r[h * count + i] += CK_FN(load_as)(format, g->k, rows[i] + h * kv_h + l) * x;
        }
    }
    float sums[CK_LANES];
    CK_FN(store)(sums, CK_FN(sum_each)(r));
#pragma clang loop unroll(full)
    for (int h = 0; h < CK_ABREAST; h++) __builtin_memcpy(s[h] + j, sums + h * count, (size_t)count * 4);
}

// Scores of a head to weights, and its earlier results to their scale.
CK_INLINE void CK_FN(weigh)(const ck_attention_block_t *g, int64_t head, int64_t start, int64_t keys, float *s,
                            float *o, float *maximum, float *sum) {
    if (g->softcap > 0 || g->mask) CK_FN(adjust)(g, 0, head, start, keys, s);
    const float shrink = CK_FN(softmax_step)(s, keys, maximum, sum);
    if (shrink != 1)
        for (int64_t l = 0; l < g->d; l++) o[l] *= shrink;
}

// `heads` query heads of one KV head, whose rows begin at element `kv`, over keys start..<start + keys.
CK_INLINE void CK_FN(decode_turn)(const int heads, const ck_format_t format, const ck_attention_block_t *g,
                                  int64_t head, int64_t kv, int64_t start, int64_t keys, const float *q, float *o,
                                  float *maxima, float *sums) {
    const int64_t d = g->d;
    float s[4][CK_DECODE_KEYS];
    const int across = heads == 1 ? 1 : heads == 2 ? 2 : 4;
    for (int64_t j = 0; j < keys; j += CK_LANES / across) CK_FN(key_scores)(heads, format, g, q, kv, start, j, keys, s);
    for (int h = 0; h < heads; h++) CK_FN(weigh)(g, head + h, start, keys, s[h], o + h * d, maxima + h, sums + h);
    CK_FN(add_values)(heads, format, s, g->v, kv + start * g->v_row, g->v_row, keys, d, o);
}

// The same of CK_ABREAST KV heads with a query head each.
CK_INLINE void CK_FN(turn_abreast)(const int heads, const ck_format_t format, const ck_attention_block_t *g,
                                   int64_t head, int64_t kv, int64_t kv_h, int64_t start, int64_t keys, const float *q,
                                   float *o, float *maxima, float *sums) {
    const int64_t d = g->d;
    float s[CK_ABREAST][CK_DECODE_KEYS];
    for (int64_t j = 0; j < keys; j += CK_LANES / CK_ABREAST)
        CK_FN(scores_abreast)(format, g, q, kv, kv_h, start, j, keys, s);
    for (int h = 0; h < heads; h++) {
        CK_FN(weigh)(g, head + h, start, keys, s[h], o + h * d, maxima + h, sums + h);
        CK_FN(add_values)(1, format, s + h, g->v, kv + h * kv_h + start * g->v_row, g->v_row, keys, d, o + h * d);
    }
}

#define CK_BY_FORMAT(turn, heads, ...)               \
    switch (g->kv_format) {                          \
    case CK_F16:                                     \
        CK_FN(turn)(heads, CK_F16, g, __VA_ARGS__);  \
        break;                                       \
    case CK_BF16:                                    \
        CK_FN(turn)(heads, CK_BF16, g, __VA_ARGS__); \
        break;                                       \
    case CK_Q8:                                      \
        CK_FN(turn)(heads, CK_Q8, g, __VA_ARGS__);   \
        break;                                       \
    default:                                         \
        CK_FN(turn)(heads, CK_F32, g, __VA_ARGS__);  \
    }
#define CK_DECODE(heads)                                                                                      \
    static void CK_FN(decode_##heads)(const ck_attention_block_t *g, int64_t head, int64_t kv, int64_t start, \
                                      int64_t keys, const float *q, float *o, float *m, float *s) {           \
        CK_BY_FORMAT(decode_turn, heads, head, kv, start, keys, q, o, m, s)                                   \
    }
CK_DECODE(1)
CK_DECODE(2)
CK_DECODE(3)
CK_DECODE(4)
static void CK_FN(decode_abreast)(const ck_attention_block_t *g, int64_t head, int64_t kv, int64_t kv_h, int64_t start,
                                  int64_t keys, const float *q, float *o, float *m, float *s) {
    CK_BY_FORMAT(turn_abreast, CK_ABREAST, head, kv, kv_h, start, keys, q, o, m, s)
}
static void (*const CK_FN(decodes)[])(const ck_attention_block_t *, int64_t, int64_t, int64_t, int64_t, const float *,
                                      float *, float *, float *) = {
    NULL, CK_FN(decode_1), CK_FN(decode_2), CK_FN(decode_3), CK_FN(decode_4),
};

static void CK_FN(attention_decode)(const ck_attention_block_t *g, int64_t kv_heads, int64_t kv_h, int64_t first,
                                    int64_t last, float *scratch, float *o, float *state) {
    int64_t low, high;
    const int64_t heads = kv_heads * g->heads, d = g->d;
    CK_FN(visible)(g, 0, &low, &high);
    low = low > first ? low : first;
    high = high < last ? high : last;
    for (int64_t h = 0; h < heads; h++) {
        CK_FN(scaled_query)(g, 0, h, scratch + h * d);
        state[h] = -FLT_MAX;
        state[heads + h] = 0;
    }
    __builtin_memset(o, 0, (size_t)(heads * d) * 4);
    // A turn ends where its page does; its rows lie `moved` elements from where they would without pages.
    const int64_t page = g->pages ? INT64_C(1) << g->page_shift : CK_DECODE_KEYS;
    const int64_t turn = page < CK_DECODE_KEYS ? page : CK_DECODE_KEYS;
    for (int64_t start = low, end; start < high; start = end) {
        const int64_t moved = (CK_FN(key_row)(g, start) - start) * g->k_row;
        end = start + (g->pages ? turn - start % turn : turn);
        end = end < high ? end : high;
        int64_t kv = 0;
        for (; g->heads == 1 && d % CK_LANES == 0 && kv + CK_ABREAST <= kv_heads; kv += CK_ABREAST)
            CK_FN(decode_abreast)
        (g, kv, kv * kv_h + moved, kv_h, start, end - start, scratch + kv * d, o + kv * d, state + kv,
         state + heads + kv);
        for (; kv < kv_heads; kv++)
            for (int64_t i = 0; i < g->heads; i += 4) {
                const int64_t count = g->heads - i < 4 ? g->heads - i : 4, h = kv * g->heads + i;
                CK_FN(decodes)
                [count](g, h, kv * kv_h + moved, start, end - start, scratch + h * d, o + h * d, state + h,
                        state + heads + h);
            }
    }
}
#undef CK_BY_FORMAT
#undef CK_DECODE
#undef CK_DECODE_KEYS
#undef CK_DECODE_AHEAD
#undef CK_ABREAST
