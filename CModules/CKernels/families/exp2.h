// 2^x of a vector for x <= 127: |relative error| < 2e-7; below -126 it stays 2^-126. Part of a family.
CK_INLINE CK_FN(vf) CK_FN(exp2)(CK_FN(vf) x) {
#pragma clang fp reassociate(off)
    CK_FN(vf) low = CK_FN(splat)(-126.0f), magic = CK_FN(splat)(12582912.0f);  // 1.5 * 2^23: rounds to integers
    x = __builtin_elementwise_max(x, low);
    CK_FN(vf) t = x + magic;
    CK_FN(vf) r = x - (t - magic);
    CK_FN(vf) p = r * 1.32763e-3f + 9.67548e-3f;
    p = p * r + 5.550713e-2f;
    p = p * r + 2.4022121e-1f;
    p = p * r + 6.9314697e-1f;
    p = p * r + 1.0f;
    return (CK_FN(vf))((CK_FN(vi))p + ((CK_FN(vi))t << 23));
}
