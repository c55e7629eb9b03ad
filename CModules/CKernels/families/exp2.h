// 2^x of a vector for x <= 127: |relative error| < 2e-7; 0 below -126. Part of a family.
CK_INLINE CK_FN(vf) CK_FN(exp2)(CK_FN(vf) x) {
#pragma clang fp reassociate(off)
#if defined(CK_IS_AVX512)
    CK_FN(vf) n = (CK_FN(vf))_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    CK_FN(vf) r = x - n;
#else
    CK_FN(vf) low = CK_FN(splat)(-126.0f), magic = CK_FN(splat)(12582912.0f);  // 1.5 * 2^23: rounds to integers
    CK_FN(vi) kept = x >= low;
    x = __builtin_elementwise_max(x, low);
    CK_FN(vf) t = x + magic;
    CK_FN(vf) r = x - (t - magic);
#endif
    CK_FN(vf) p = r * 1.32763e-3f + 9.67548e-3f;
    p = p * r + 5.550713e-2f;
    p = p * r + 2.4022121e-1f;
    p = p * r + 6.9314697e-1f;
    p = p * r + 1.0f;
#if defined(CK_IS_AVX512)
    return (CK_FN(vf))_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    return (CK_FN(vf))(((CK_FN(vi))p + ((CK_FN(vi))t << 23)) & kept);
#endif
}
