// The activations, an element each: the same value whatever vector or tail it falls into.
#pragma once
#include "exp.h"

CK_INLINE float ck_activate(const ck_activation_t activation, float x) {
#pragma clang fp reassociate(off) contract(off)
    switch (activation) {
    case CK_RELU:
        return x > 0 ? x : 0;
    case CK_SILU:
        return x / (1 + ck_exp(-x));
    case CK_GELU: {
        // (1 + tanh(u)) / 2 = 1 - 1 / (e^(2u) + 1)
        float u = 0.7978845608f * (x + 0.044715f * (x * (x * x)));
        return x * (1 - 1 / (ck_exp(2 * u) + 1));
    }
    default:
        return x;
    }
}
