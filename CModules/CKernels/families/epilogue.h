// What is done to a product before it is left: bias, then activation. Part of a family.
CK_INLINE void CK_FN(activate_rows)(const ck_activation_t activation, int64_t m, int64_t n, float *c, int64_t ldc) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) c[i * ldc + j] = ck_activate(activation, c[i * ldc + j]);
}

static void CK_FN(epilogue)(const ck_epilogue_t *e, int64_t m, int64_t n, float *c, int64_t ldc) {
    if (e->bias)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) c[i * ldc + j] += e->bias[j];
    if (e->activation == CK_RELU) CK_FN(activate_rows)(CK_RELU, m, n, c, ldc);
    if (e->activation == CK_SILU) CK_FN(activate_rows)(CK_SILU, m, n, c, ldc);
    if (e->activation == CK_GELU) CK_FN(activate_rows)(CK_GELU, m, n, c, ldc);
}
