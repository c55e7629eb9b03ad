// The vector types of one level; part of a family, after each_level.h has set the level. No include guard.
typedef float CK_FN(vf) __attribute__((vector_size(4 * CK_LANES)));
typedef float CK_FN(vfu) __attribute__((vector_size(4 * CK_LANES), aligned(4)));
typedef int32_t CK_FN(vi) __attribute__((vector_size(4 * CK_LANES)));
typedef int32_t CK_FN(viu) __attribute__((vector_size(4 * CK_LANES), aligned(1)));
typedef uint32_t CK_FN(vu) __attribute__((vector_size(4 * CK_LANES)));
typedef uint16_t CK_FN(vu16) __attribute__((vector_size(2 * CK_LANES)));
typedef int8_t CK_FN(vi8) __attribute__((vector_size(CK_LANES)));
typedef _Float16 CK_FN(vh) __attribute__((vector_size(2 * CK_LANES)));

CK_INLINE CK_FN(vf) CK_FN(load)(const float *p) { return *(const CK_FN(vfu) *)p; }
CK_INLINE void CK_FN(store)(float *p, CK_FN(vf) v) { *(CK_FN(vfu) *)p = v; }
CK_INLINE CK_FN(vf) CK_FN(splat)(float x) { return x - (CK_FN(vf)){0}; }

// The larger of each pair; b's where either is no number. One instruction on x86, where fmax takes three.
CK_INLINE CK_FN(vf) CK_FN(larger)(CK_FN(vf) a, CK_FN(vf) b) {
    CK_FN(vi) is_a = a > b;
    return (CK_FN(vf))(((CK_FN(vi))a & is_a) | ((CK_FN(vi))b & ~is_a));
}

CK_INLINE CK_FN(vf) CK_FN(load_f16)(const uint16_t *p) {
    CK_FN(vh) v;
    __builtin_memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, CK_FN(vf));
}

// The upper half of an f32.
CK_INLINE CK_FN(vf) CK_FN(load_bf16)(const uint16_t *p) {
    CK_FN(vu16) v;
    __builtin_memcpy(&v, p, sizeof v);
    return (CK_FN(vf))(__builtin_convertvector(v, CK_FN(vu)) << 16);
}

// Within one block of Q8_0.
CK_INLINE CK_FN(vf) CK_FN(load_q8_0)(const uint8_t *p, int64_t index) {
    const uint8_t *block = p + index / 32 * 34;
    _Float16 scale;
    CK_FN(vi8) v;
    __builtin_memcpy(&scale, block, 2);
    __builtin_memcpy(&v, block + 2 + index % 32, sizeof v);
    return __builtin_convertvector(v, CK_FN(vf)) * CK_FN(splat)((float)scale);
}

CK_INLINE CK_FN(vf) CK_FN(load_as)(ck_format_t format, const void *p, int64_t index) {
    switch (format) {
    case CK_F16:
        return CK_FN(load_f16)((const uint16_t *)p + index);
    case CK_BF16:
        return CK_FN(load_bf16)((const uint16_t *)p + index);
    case CK_Q8:
        return CK_FN(load_q8_0)((const uint8_t *)p, index);
    default:
        return CK_FN(load)((const float *)p + index);
    }
}
