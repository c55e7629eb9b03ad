// e^x that compilers vectorise: |relative error| < 3e-7 on [-87, 88], clamped outside.
#pragma once
#include <string.h>

#include "level.h"

CK_INLINE float ck_exp(float x) {
#pragma clang fp reassociate(off) contract(off)
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float n = __builtin_rintf(x * 1.44269504f);
    float r = x - n * 0.693359375f - n * -2.12194440e-4f;  // Cephes' split of ln 2
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits = ((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return p * power;
}
