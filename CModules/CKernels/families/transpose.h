// One level's transpose of a square of vectors in registers; part of a family, after vectors.h.
// Stage s exchanges blocks of s lanes between rows that lie s apart; log2(lanes) stages transpose.
#if CK_LANES == 16
#define CK_LOW_8(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define CK_HIGH_8(a, b) __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define CK_LOW_4(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
#define CK_HIGH_4(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31)
#define CK_LOW_2(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define CK_HIGH_2(a, b) __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define CK_LOW_1(a, b) __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30)
#define CK_HIGH_1(a, b) __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31)
#elif CK_LANES == 8
#define CK_LOW_4(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define CK_HIGH_4(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)
#define CK_LOW_2(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define CK_HIGH_2(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define CK_LOW_1(a, b) __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14)
#define CK_HIGH_1(a, b) __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15)
#else
#define CK_LOW_2(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define CK_HIGH_2(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#define CK_LOW_1(a, b) __builtin_shufflevector(a, b, 0, 4, 2, 6)
#define CK_HIGH_1(a, b) __builtin_shufflevector(a, b, 1, 5, 3, 7)
#endif

// A step for every distance at which lanes are exchanged, farthest first.
#define CK_UNROLLED(step, s) _Pragma("clang loop unroll(full)") step(s)
#if CK_LANES == 16
#define CK_STAGES(step) CK_UNROLLED(step, 8) CK_UNROLLED(step, 4) CK_UNROLLED(step, 2) CK_UNROLLED(step, 1)
#elif CK_LANES == 8
#define CK_STAGES(step) CK_UNROLLED(step, 4) CK_UNROLLED(step, 2) CK_UNROLLED(step, 1)
#else
#define CK_STAGES(step) CK_UNROLLED(step, 2) CK_UNROLLED(step, 1)
#endif

#define CK_EXCHANGE(s)                        \
    for (int i = 0; i < CK_LANES; i++)        \
        if (!(i & s)) {                       \
            CK_FN(vf) a = r[i], b = r[i + s]; \
            r[i] = CK_LOW_##s(a, b);          \
            r[i + s] = CK_HIGH_##s(a, b);     \
        }
CK_INLINE void CK_FN(transpose)(CK_FN(vf) r[CK_LANES]) { CK_STAGES(CK_EXCHANGE); }

// Lane i: the sum of r[i]'s lanes. As much of a transpose as sums need; lanes are added that lie half of them apart,
// then a quarter, and so on.
#define CK_ADD(s) \
    for (int i = 0; i < s; i++) r[i] = CK_LOW_##s(r[i], r[i + s]) + CK_HIGH_##s(r[i], r[i + s]);
CK_INLINE CK_FN(vf) CK_FN(sum_each)(CK_FN(vf) r[CK_LANES]) {
    CK_STAGES(CK_ADD);
    return r[0];
}

// out[l * width + i] = in[i * row + l] * scale for i < rows and l < k; each store is a whole vector, so `out` needs
// room for one more after its last element, and rows <= lanes.
CK_INLINE void CK_FN(transpose_rows)(const float *in, int64_t row, int64_t rows, int64_t k, float scale, int64_t width,
                                     float *out) {
    int64_t l = 0;
    for (; l + CK_LANES <= k; l += CK_LANES) {
        CK_FN(vf) r[CK_LANES];
#pragma clang loop unroll(full)
        for (int i = 0; i < CK_LANES; i++) r[i] = CK_FN(load)(in + (i < rows ? i : rows - 1) * row + l) * scale;
        CK_FN(transpose)(r);
#pragma clang loop unroll(full)
        for (int i = 0; i < CK_LANES; i++) CK_FN(store)(out + (l + i) * width, r[i]);
    }
    for (; l < k; l++)
        for (int64_t i = 0; i < rows; i++) out[l * width + i] = in[i * row + l] * scale;
}
#undef CK_UNROLLED
#undef CK_STAGES
#undef CK_EXCHANGE
#undef CK_ADD
#undef CK_LOW_8
#undef CK_HIGH_8
#undef CK_LOW_4
#undef CK_HIGH_4
#undef CK_LOW_2
#undef CK_HIGH_2
#undef CK_LOW_1
#undef CK_HIGH_1
