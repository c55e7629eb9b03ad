// Quantised weights: unpacking of the file formats, packing for the microkernel, and the products themselves.
#include <math.h>
#include <string.h>

#pragma clang fp contract(fast)

#define CK_FAMILY "families/quant.h"
#include "each_level.h"

void ck_quant_block(const ck_quant_block_t *block) { CK_SELECT(quant_block)(block); }
void ck_quantise_row(const ck_quant_layout_t *layout, const float *x, int64_t k, int8_t *q, float *scales,
                     int32_t *starts, float *downs) {
    CK_SELECT(quantise_row)(layout, x, k, q, scales, starts, downs);
}
int64_t ck_quant_panel_columns(void) { return CK_SELECT(quant_columns)(); }

void ck_quantise_q8_0(const float *x, int64_t k, void *out) {
    uint8_t *to = out;
    for (int64_t i = 0; i < k; i += 32, x += 32, to += 34) {
        float most = 0;
        for (int j = 0; j < 32; j++) most = fmaxf(most, fabsf(x[j]));
        const float scale = most / 127, inverse = scale > 0 ? 1 / scale : 0;
        const _Float16 half = (_Float16)scale;
        memcpy(to, &half, 2);
        for (int j = 0; j < 32; j++) to[2 + j] = (uint8_t)(int8_t)roundf(x[j] * inverse);
    }
}

static float half_at(const uint8_t *p) {
    _Float16 h;
    memcpy(&h, p, 2);
    return (float)h;
}

ck_quant_layout_t ck_quant_layout(ck_quant_format_t format) {
    switch (format) {
    case CK_Q4_0:
        return (ck_quant_layout_t){.bits = 4, .sub = 32, .is_half = true, .zero = 8, .block = 32, .block_bytes = 18};
    case CK_Q4_1:
        return (ck_quant_layout_t){
            .bits = 4, .sub = 32, .is_half = true, .has_minimum = true, .block = 32, .block_bytes = 20};
    case CK_Q5_0:
        return (ck_quant_layout_t){.bits = 8, .sub = 32, .is_half = true, .zero = 16, .block = 32, .block_bytes = 22};
    case CK_Q8_0:
        return (ck_quant_layout_t){.bits = 8, .sub = 32, .is_half = true, .zero = 128, .block = 32, .block_bytes = 34};
    case CK_Q4_K:
        return (ck_quant_layout_t){.bits = 4, .sub = 32, .has_minimum = true, .block = 256, .block_bytes = 144};
    case CK_Q6_K:
        return (ck_quant_layout_t){.bits = 8, .sub = 16, .zero = 32, .block = 256, .block_bytes = 210};
    }
    return (ck_quant_layout_t){0};
}

int64_t ck_quant_panel_bytes(ck_quant_format_t format, int64_t k) {
    ck_quant_layout_t l = ck_quant_layout(format);
    int64_t scales = (l.is_half ? 2 : 4) * (l.has_minimum ? 2 : 1), data = l.sub * l.bits / 8;
    return k / l.sub * ck_quant_panel_columns() * (scales + data);
}

// Six-bit scale and minimum of sub-block `j` of a Q4_K block: the low six bits of twelve bytes, the last four pairs
// split.
static void q4_k_scale(int j, const uint8_t *s, uint8_t *scale, uint8_t *minimum) {
    if (j < 4) {
        *scale = s[j] & 63;
        *minimum = s[j + 4] & 63;
    } else {
        *scale = (uint8_t)((s[j + 4] & 15) | (s[j - 4] >> 6 << 4));
        *minimum = (uint8_t)((s[j + 4] >> 4) | (s[j] >> 6 << 4));
    }
}

// Sub-block `index` of a row: unsigned quants, scale and minimum, so that element = scale * (quant - zero) - minimum.
static void unpack(ck_quant_format_t format, const uint8_t *row, int64_t index, uint8_t *q, float *scale,
                   float *minimum) {
    const ck_quant_layout_t l = ck_quant_layout(format);
    const int64_t each = l.block / l.sub;
    const uint8_t *p = row + index / each * l.block_bytes;
    const int j = (int)(index % each);
    *minimum = 0;
    switch (format) {
    case CK_Q4_0:
    case CK_Q4_1:
        *scale = half_at(p);
        if (format == CK_Q4_1) *minimum = -half_at(p + 2);
        p += format == CK_Q4_1 ? 4 : 2;
        for (int i = 0; i < 16; i++) q[i] = p[i] & 15, q[i + 16] = p[i] >> 4;
        return;
    case CK_Q5_0: {
        uint32_t high;
        memcpy(&high, p + 2, 4);
        *scale = half_at(p);
        for (int i = 0; i < 16; i++) {
            q[i] = (uint8_t)((p[6 + i] & 15) | ((high >> i & 1) << 4));
            q[i + 16] = (uint8_t)((p[6 + i] >> 4) | ((high >> (i + 16) & 1) << 4));
        }
        return;
    }
    case CK_Q8_0:
        *scale = half_at(p);
        for (int i = 0; i < 32; i++) q[i] = (uint8_t)(p[2 + i] ^ 0x80);
        return;
    case CK_Q4_K: {
        uint8_t s, m;
        q4_k_scale(j, p + 4, &s, &m);
        *scale = half_at(p) * s;
        *minimum = half_at(p + 2) * m;
        const uint8_t *data = p + 16 + j / 2 * 32;
        for (int i = 0; i < 32; i++) q[i] = j % 2 ? data[i] >> 4 : data[i] & 15;
        return;
    }
    case CK_Q6_K: {
        // 128 low nibbles, 64 pairs of high bits, 16 signed scales, d. Half h, quarter t, sixteen elements from o.
        const int h = j / 8, t = j % 8 / 2, o = j % 2 * 16;
        const uint8_t *low = p + h * 64 + (t % 2) * 32 + o, *high = p + 128 + h * 32 + o;
        *scale = half_at(p + 208) * (float)(int8_t)p[192 + j];
        for (int i = 0; i < 16; i++)
            q[i] = (uint8_t)((t < 2 ? low[i] & 15 : low[i] >> 4) | ((high[i] >> (2 * t) & 3) << 4));
        return;
    }
    }
}

void ck_quant_widen(ck_quant_format_t format, const uint8_t *row, int64_t count, float *out) {
    const ck_quant_layout_t l = ck_quant_layout(format);
    for (int64_t s = 0; s < count / l.sub; s++) {
        uint8_t q[32];
        float scale, minimum;
        unpack(format, row, s, q, &scale, &minimum);
        for (int i = 0; i < l.sub; i++) *out++ = scale * (float)((int32_t)q[i] - l.zero) - minimum;
    }
}

static void put_scale(bool half, uint8_t *at, int64_t column, float value) {
    _Float16 narrow = (_Float16)value;
    if (half)
        memcpy(at + 2 * column, &narrow, 2);
    else
        memcpy(at + 4 * column, &value, 4);
}

void ck_quant_pack(ck_quant_format_t format, const uint8_t *rows, int64_t n, int64_t k, uint8_t *out) {
    const ck_quant_layout_t l = ck_quant_layout(format);
    const int64_t columns = ck_quant_panel_columns(), row_bytes = k / l.block * l.block_bytes;
    const int64_t scale_bytes = columns * (l.is_half ? 2 : 4), groups = l.sub / 4;
    memset(out, 0, (size_t)ck_quant_panel_bytes(format, k));
    for (int64_t s = 0; s < k / l.sub; s++) {
        uint8_t *data = out + scale_bytes * (l.has_minimum ? 2 : 1);
        for (int64_t c = 0; c < n; c++) {
            uint8_t q[32];
            float scale, minimum;
            unpack(format, rows + c * row_bytes, s, q, &scale, &minimum);
            put_scale(l.is_half, out, c, scale);
            if (l.has_minimum) put_scale(l.is_half, out + scale_bytes, c, minimum);
            for (int64_t g = 0; g < groups; g++) {
                bool high = l.bits == 4 && g >= groups / 2;
                uint8_t *to = data + (high ? g - groups / 2 : g) * columns * 4 + c * 4;
                for (int i = 0; i < 4; i++) to[i] |= (uint8_t)(high ? q[4 * g + i] << 4 : q[4 * g + i]);
            }
        }
        out = data + l.sub * l.bits / 8 * columns;
    }
}
