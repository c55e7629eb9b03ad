// What is done to a product before it is left: bias, then activation. Part of a family. Each element is treated alike,
// whatever vector or tail it falls into.
CK_INLINE float CK_FN(activate)(const ck_activation_t activation, float x) {
#pragma clang fp contract(off)
    switch (activation) {
    case CK_RELU:
        return x > 0 ? x : 0;
    case CK_SILU:
        return x / (1 + ck_exp(-x));
    case CK_GELU: {
        // tanh(u) = 1 - 2 / (e^(2u) + 1)
        float u = 0.7978845608f * (x + 0.044715f * (x * (x * x)));
        return x * (1 - 1 / (ck_exp(2 * u) + 1));
    }
    default:
        return x;
    }
}

CK_INLINE void CK_FN(activate_rows)(const ck_activation_t activation, int64_t m, int64_t n, float *c, int64_t ldc) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) c[i * ldc + j] = CK_FN(activate)(activation, c[i * ldc + j]);
}

static void CK_FN(epilogue)(const ck_epilogue_t *e, int64_t m, int64_t n, float *c, int64_t ldc) {
    if (e->bias)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) c[i * ldc + j] += e->bias[j];
    if (e->activation == CK_RELU) CK_FN(activate_rows)(CK_RELU, m, n, c, ldc);
    if (e->activation == CK_SILU) CK_FN(activate_rows)(CK_SILU, m, n, c, ldc);
    if (e->activation == CK_GELU) CK_FN(activate_rows)(CK_GELU, m, n, c, ldc);
}
