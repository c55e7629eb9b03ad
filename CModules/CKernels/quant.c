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

ck_quant_layout_t ck_quant_layout(ck_quant_format_t format) {
    switch (format) {
    case CK_Q4_0:
        return (ck_quant_layout_t){.low = 4, .sub = 32, .zero = 8, .block = 32, .block_bytes = 18};
    case CK_Q4_1:
        return (ck_quant_layout_t){.low = 4, .sub = 32, .has_minimum = true, .block = 32, .block_bytes = 20};
    case CK_Q5_0:
        return (ck_quant_layout_t){.low = 4, .high = 1, .sub = 32, .zero = 16, .block = 32, .block_bytes = 22};
    case CK_Q8_0:
        return (ck_quant_layout_t){.low = 8, .sub = 32, .zero = 128, .block = 32, .block_bytes = 34};
    case CK_Q4_K:
        return (ck_quant_layout_t){.low = 4, .sub = 32, .has_minimum = true, .block = 256, .block_bytes = 144};
    case CK_Q5_K:
        return (ck_quant_layout_t){
            .low = 4, .high = 1, .sub = 32, .has_minimum = true, .block = 256, .block_bytes = 176};
    case CK_Q6_K:
        return (ck_quant_layout_t){.low = 4, .high = 2, .sub = 16, .zero = 32, .block = 256, .block_bytes = 210};
    }
    return (ck_quant_layout_t){0};
}

static int sub_blocks(const ck_quant_layout_t *l) { return l->block / l->sub; }

int64_t ck_quant_panel_bytes(ck_quant_format_t format, int64_t k) {
    ck_quant_layout_t l = ck_quant_layout(format);
    int64_t scales = 2 + (sub_blocks(&l) > 1 ? sub_blocks(&l) : 0);
    return k / l.block * ck_quant_panel_columns() * (scales * (l.has_minimum ? 2 : 1) + l.block * (l.low + l.high) / 8);
}

// Six-bit factors of sub-block `j` of a Q4_K or Q5_K block: the low six bits of twelve bytes, the last four pairs
// split.
static void q4_k_factors(int j, const uint8_t *s, int8_t *scale, int8_t *minimum) {
    if (j < 4) {
        *scale = s[j] & 63;
        *minimum = s[j + 4] & 63;
    } else {
        *scale = (int8_t)((s[j + 4] & 15) | (s[j - 4] >> 6 << 4));
        *minimum = (int8_t)((s[j + 4] >> 4) | (s[j] >> 6 << 4));
    }
}

// One block of a file format: unsigned quants, f16 scale and minimum, and the factors of its sub-blocks (1 where it has
// none), so that element = scale * factor * (quant - zero) - minimum * minimum_factor.
typedef struct {
    uint8_t q[256];
    _Float16 scale, minimum;
    int8_t factors[16], minimum_factors[16];
} unpacked_t;

CK_INLINE void unpack(const ck_quant_format_t format, const uint8_t *p, unpacked_t *out) {
    uint8_t *q = out->q;
    out->minimum = 0;
    out->factors[0] = out->minimum_factors[0] = 1;
    switch (format) {
    case CK_Q4_0:
    case CK_Q4_1:
        memcpy(&out->scale, p, 2);
        if (format == CK_Q4_1) {
            memcpy(&out->minimum, p + 2, 2);
            out->minimum = -out->minimum;
        }
        p += format == CK_Q4_1 ? 4 : 2;
        for (int i = 0; i < 16; i++) q[i] = p[i] & 15, q[i + 16] = p[i] >> 4;
        return;
    case CK_Q5_0: {
        uint32_t high;
        memcpy(&high, p + 2, 4);
        memcpy(&out->scale, p, 2);
        for (int i = 0; i < 16; i++) {
            q[i] = (uint8_t)((p[6 + i] & 15) | ((high >> i & 1) << 4));
            q[i + 16] = (uint8_t)((p[6 + i] >> 4) | ((high >> (i + 16) & 1) << 4));
        }
        return;
    }
    case CK_Q8_0:
        memcpy(&out->scale, p, 2);
        for (int i = 0; i < 32; i++) q[i] = (uint8_t)(p[2 + i] ^ 0x80);
        return;
    case CK_Q4_K:
    case CK_Q5_K: {
        // scale, minimum, twelve bytes of six-bit factors; Q5_K: 32 bytes whose bit j is of sub-block j; then pairs of
        // sub-blocks in the nibbles of 32 bytes.
        memcpy(&out->scale, p, 2);
        memcpy(&out->minimum, p + 2, 2);
        const uint8_t *high = p + 16, *data = format == CK_Q5_K ? p + 48 : p + 16;
        for (int j = 0; j < 8; j++) {
            q4_k_factors(j, p + 4, &out->factors[j], &out->minimum_factors[j]);
            const uint8_t *from = data + j / 2 * 32;
            uint8_t *to = q + 32 * j;
            for (int i = 0; i < 32; i++) to[i] = j % 2 ? from[i] >> 4 : from[i] & 15;
            if (format == CK_Q5_K)
                for (int i = 0; i < 32; i++) to[i] |= (uint8_t)((high[i] >> j & 1) << 4);
        }
        return;
    }
    case CK_Q6_K:
        // 128 low nibbles, 64 pairs of high bits, 16 signed factors, scale. Half h, quarter t, 32 elements.
        memcpy(&out->scale, p + 208, 2);
        memcpy(out->factors, p + 192, 16);
        for (int h = 0; h < 2; h++)
            for (int t = 0; t < 4; t++) {
                const uint8_t *low = p + h * 64 + (t % 2) * 32, *high = p + 128 + h * 32;
                uint8_t *to = q + h * 128 + t * 32;
                for (int i = 0; i < 32; i++)
                    to[i] = (uint8_t)((t < 2 ? low[i] & 15 : low[i] >> 4) | ((high[i] >> (2 * t) & 3) << 4));
            }
        return;
    }
}

void ck_quant_widen(ck_quant_format_t format, const uint8_t *row, int64_t count, float *out) {
    const ck_quant_layout_t l = ck_quant_layout(format);
    for (; count > 0; count -= l.block, row += l.block_bytes) {
        unpacked_t block;
        unpack(format, row, &block);
        for (int s = 0; s < sub_blocks(&l); s++) {
            const float scale = (float)block.scale * (float)block.factors[s];
            const float minimum = (float)block.minimum * (float)block.minimum_factors[s];
            for (int i = 0; i < l.sub; i++)
                *out++ = scale * (float)((int32_t)block.q[s * l.sub + i] - l.zero) - minimum;
        }
    }
}

// One column's block into its panel of `columns`: f16 scale and minimum; then, every 32 elements, the factors of their
// sub-blocks and for each of these the high plane and the nibbles (or bytes), in groups of four elements.
CK_INLINE void pack_block(const ck_quant_layout_t *l, const unpacked_t *block, int64_t columns, int64_t c,
                          uint8_t *out) {
    const int groups = l->sub / 4, words = l->low == 4 ? groups / 2 : groups, parts = 32 / l->sub;
    memcpy(out + 2 * c, &block->scale, 2), out += 2 * columns;
    if (l->has_minimum) memcpy(out + 2 * c, &block->minimum, 2), out += 2 * columns;
    for (int s = 0; s < sub_blocks(l); s++) {
        for (int i = s; sub_blocks(l) > 1 && s % parts == 0 && i < s + parts; i++) {
            out[c] = (uint8_t)block->factors[i], out += columns;
            if (l->has_minimum) out[c] = (uint8_t)block->minimum_factors[i], out += columns;
        }
        uint32_t q[8], plane = 0;
        memcpy(q, block->q + s * l->sub, (size_t)l->sub);
        for (int g = 0; l->high && g < groups; g++)
            plane |= (q[g] >> 4 & (l->high == 1 ? 0x01010101 : 0x03030303)) << (l->high * g);
        if (l->high) memcpy(out + 4 * c, &plane, 4), out += 4 * columns;
        for (int t = 0; t < words; t++, out += 4 * columns) {
            const uint32_t word = l->low == 8 ? q[t] : (q[t] & 0x0f0f0f0f) | (q[t + words] & 0x0f0f0f0f) << 4;
            memcpy(out + 4 * c, &word, 4);
        }
    }
}

CK_INLINE void pack(const ck_quant_format_t format, const uint8_t *rows, int64_t n, int64_t k, uint8_t *out) {
    const ck_quant_layout_t l = ck_quant_layout(format);
    const int64_t columns = ck_quant_panel_columns(), blocks = k / l.block,
                  bytes = ck_quant_panel_bytes(format, l.block);
    if (n < columns) memset(out, 0, (size_t)(blocks * bytes));
    for (int64_t b = 0; b < blocks; b++, out += bytes)
        for (int64_t c = 0; c < n; c++) {
            unpacked_t block;
            unpack(format, rows + (c * blocks + b) * l.block_bytes, &block);
            pack_block(&l, &block, columns, c, out);
        }
}

void ck_quant_pack(ck_quant_format_t format, const uint8_t *rows, int64_t n, int64_t k, uint8_t *out) {
    switch (format) {  // a copy of the loops for each
#define CK_PACK(f)                \
    case f:                       \
        pack(f, rows, n, k, out); \
        return;
        CK_PACK(CK_Q4_0)
        CK_PACK(CK_Q4_1)
        CK_PACK(CK_Q5_0)
        CK_PACK(CK_Q8_0)
        CK_PACK(CK_Q4_K)
        CK_PACK(CK_Q5_K)
        CK_PACK(CK_Q6_K)
#undef CK_PACK
    }
}
