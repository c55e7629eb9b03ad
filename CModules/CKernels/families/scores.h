// One level's rows of scores: which keys a query sees, soft caps and masks, the online softmax. Part of a family, after
// vectors.h and exp2.h.
CK_INLINE float CK_FN(widened)(ck_format_t format, const void *p, int64_t index) {
    if (format == CK_F32) return ((const float *)p)[index];
    if (format == CK_Q8) {
        const uint8_t *block = (const uint8_t *)p + index / 32 * 34;
        _Float16 scale;
        __builtin_memcpy(&scale, block, 2);
        return (float)scale * (float)(int8_t)block[2 + index % 32];
    }
    uint16_t bits = ((const uint16_t *)p)[index];
    if (format == CK_F16) {
        _Float16 h;
        __builtin_memcpy(&h, &bits, 2);
        return (float)h;
    }
    uint32_t wide = (uint32_t)bits << 16;
    float f;
    __builtin_memcpy(&f, &wide, 4);
    return f;
}

// `count` elements to f32, zeros after them up to `padded`.
CK_INLINE void CK_FN(widen_row)(ck_format_t format, const void *p, int64_t index, int64_t count, int64_t padded,
                                float *out) {
    int64_t i = 0;
    for (; i + CK_LANES <= count; i += CK_LANES) CK_FN(store)(out + i, CK_FN(load_as)(format, p, index + i));
    for (; i < count; i++) out[i] = CK_FN(widened)(format, p, index + i);
    for (; i < padded; i++) out[i] = 0;
}

// Query t of a head, scaled so that scores are in units of log2.
CK_INLINE void CK_FN(scaled_query)(const ck_attention_block_t *g, int64_t t, int64_t h, float *out) {
    const float scale = g->scale * 1.44269504f;  // read once: for all the compiler knows, `out` may lie over it
    const int64_t d = g->d, at = t * g->q_t + h * g->q_h;
    const float *q = out;
    if (g->q_format == CK_F32)
        q = (const float *)g->q + at;
    else
        CK_FN(widen_row)(g->q_format, g->q, at, d, d, out);
    CK_ELEMENTWISE
    for (int64_t l = 0; l < d; l++) out[l] = q[l] * scale;
}

// Which row of k and v holds key j.
CK_INLINE int64_t CK_FN(key_row)(const ck_attention_block_t *g, int64_t j) {
    if (!g->pages) return j;
    uint32_t page = (uint32_t)g->pages[j >> g->page_shift], last = (uint32_t)g->page_count - 1;
    return (int64_t)(page < last ? page : last) << g->page_shift | (j & ((INT64_C(1) << g->page_shift) - 1));
}

// Where element `index` of k or v begins, in bytes.
CK_INLINE int64_t CK_FN(byte_offset)(ck_format_t format, int64_t index) {
    return format == CK_F32 ? 4 * index : format == CK_Q8 ? index / 32 * 34 : 2 * index;
}

// The keys [*low, *high) of 0..<keys that query t sees.
CK_INLINE void CK_FN(visible)(const ck_attention_block_t *g, int64_t t, int64_t *low, int64_t *high) {
    *low = 0;
    *high = g->keys;
    if (g->is_causal && t + g->offset + 1 < *high) *high = t + g->offset + 1;
    if (*high < 0) *high = 0;
    if (g->window > 0 && t + g->offset + 1 - g->window > *low) *low = t + g->offset + 1 - g->window;
    if (*low > *high) *low = *high;
}

// Soft cap and mask on scores that stand for keys first..<first + count of one query row.
static void CK_FN(adjust)(const ck_attention_block_t *g, int64_t t, int64_t head, int64_t first, int64_t count,
                          float *s) {
    const float log2e = 1.44269504f;
    if (g->softcap > 0)
        for (int64_t i = 0; i < count; i++) s[i] = g->softcap * log2e * tanhf(s[i] / (g->softcap * log2e));
    if (!g->mask) return;
    int64_t at = t * g->mask_t + head * g->mask_h + first;
    for (int64_t i = 0; i < count; i++)
        if (g->mask_is_boolean)
            s[i] = ((const uint8_t *)g->mask)[at + i] ? s[i] : -FLT_MAX;
        else
            s[i] = __builtin_fmaxf(s[i] + ((const float *)g->mask)[at + i] * log2e, -FLT_MAX);
}

// Lanes by fours, then pairs: short chains.
CK_INLINE float CK_FN(sum_lanes)(CK_FN(vf) v) {
    typedef float f4 __attribute__((vector_size(16), aligned(4)));
    float part[CK_LANES];
    CK_FN(store)(part, v);
    f4 four = *(f4 *)part;
    for (int i = 4; i < CK_LANES; i += 4) four += *(f4 *)(part + i);
    return (four[0] + four[2]) + (four[1] + four[3]);
}

CK_INLINE float CK_FN(max_lanes)(CK_FN(vf) v) {
    typedef float f4 __attribute__((vector_size(16), aligned(4)));
    float part[CK_LANES];
    CK_FN(store)(part, v);
    f4 four = *(f4 *)part;
    for (int i = 4; i < CK_LANES; i += 4) four = __builtin_elementwise_max(four, *(f4 *)(part + i));
    return __builtin_fmaxf(__builtin_fmaxf(four[0], four[2]), __builtin_fmaxf(four[1], four[3]));
}

// Scores of a strip of rows, CK_SCORES apart, to probabilities relative to each row's running maximum. Columns
// from..<to are whole vectors, -FLT_MAX where a row sees no key. `sums` are kept a vector a row; `shrinks`: what the
// rows' earlier results are scaled by. The arrays of rows are padded to whole vectors.
CK_INLINE void CK_FN(softmax_strip)(float *s, int64_t rows, int64_t from, int64_t to, float *maxima, float *sums,
                                    float *shrinks) {
    for (int64_t first = 0; first < rows; first += CK_LANES) {
        CK_FN(vf) r[CK_LANES];
        for (int64_t i = 0; i < CK_LANES; i++) {
            const float *row = s + (first + i < rows ? first + i : rows - 1) * CK_SCORES;
            CK_FN(vf) m = CK_FN(splat)(-FLT_MAX), m2 = m;
            for (int64_t j = from; j < to; j += 2 * CK_LANES) {
                m = CK_FN(larger)(CK_FN(load)(row + j), m);
                m2 = CK_FN(larger)(CK_FN(load)(row + j + CK_LANES), m2);
            }
            r[i] = CK_FN(larger)(m, m2);
        }
        CK_FN(transpose)(r);
        CK_FN(vf) old = CK_FN(load)(maxima + first), top = old;
#pragma clang loop unroll(full)
        for (int i = 0; i < CK_LANES; i++) top = CK_FN(larger)(r[i], top);
        CK_FN(store)(maxima + first, top);
        // A row whose keys are all hidden weighs nothing.
        CK_FN(vf) down = (CK_FN(vf))((CK_FN(vi))top & (top > -FLT_MAX));
        CK_FN(store)(shrinks + first, CK_FN(exp2)(old - down));
        float downs[CK_LANES];
        CK_FN(store)(downs, down);
        for (int64_t i = first; i < rows && i < first + CK_LANES; i++) {
            float *row = s + i * CK_SCORES;
            CK_FN(vf) d = CK_FN(splat)(downs[i - first]), all = {0}, all2 = {0};
            for (int64_t j = from; j < to; j += 2 * CK_LANES) {
                CK_FN(vf)
                p = CK_FN(exp2)(CK_FN(load)(row + j) - d), p2 = CK_FN(exp2)(CK_FN(load)(row + j + CK_LANES) - d);
                CK_FN(store)(row + j, p);
                CK_FN(store)(row + j + CK_LANES, p2);
                all += p;
                all2 += p2;
            }
            CK_FN(store)(sums + i * CK_LANES, CK_FN(load)(sums + i * CK_LANES) * shrinks[i] + (all + all2));
        }
    }
}

// Scores to probabilities relative to the row's running maximum; returns what the row's earlier sums are scaled by.
CK_INLINE float CK_FN(softmax_step)(float *s, int64_t count, float *maximum, float *sum) {
    CK_FN(vf) m = CK_FN(splat)(*maximum), m2 = m;
    int64_t i = 0;
    for (; i + 2 * CK_LANES <= count; i += 2 * CK_LANES) {
        m = __builtin_elementwise_max(m, CK_FN(load)(s + i));
        m2 = __builtin_elementwise_max(m2, CK_FN(load)(s + i + CK_LANES));
    }
    float top = CK_FN(max_lanes)(__builtin_elementwise_max(m, m2));
    for (; i < count; i++) top = s[i] > top ? s[i] : top;
    // Every key hidden so far: nothing to weigh.
    if (top <= -FLT_MAX) {
        for (i = 0; i < count; i++) s[i] = 0;
        return 1;
    }
    float scale = 1;
    if (top != *maximum) {
        scale = CK_FN(exp2)(CK_FN(splat)(*maximum - top))[0];
        if (*maximum <= -FLT_MAX) scale = 0;
        *maximum = top;
    }
    CK_FN(vf) all = {0}, down = CK_FN(splat)(top);
    for (i = 0; i + CK_LANES <= count; i += CK_LANES) {
        CK_FN(vf) p = CK_FN(exp2)(CK_FN(load)(s + i) - down);
        CK_FN(store)(s + i, p);
        all += p;
    }
    float total = CK_FN(sum_lanes)(all);
    if (i < count) {
        float tail[CK_LANES];
        for (int j = 0; j < CK_LANES; j++) tail[j] = i + j < count ? s[i + j] : -FLT_MAX;
        CK_FN(store)(tail, CK_FN(exp2)(CK_FN(load)(tail) - down));
        for (int j = 0; i + j < count; j++) total += s[i + j] = tail[j];
    }
    *sum = *sum * scale + total;
    return scale;
}
