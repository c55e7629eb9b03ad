// CPU microkernels: each works on rows or ranges and knows nothing of threads or tensors.
// Every function picks AVX-512, AVX2+FMA or portable code at run time (ck_level). Float sums may be reassociated, in
// the same way on every call: the same input gives the same bits at one level.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- level ---------------------------------------------------------------------------------------------------------
// HEARTH_CPU_LEVEL = portable | avx2 | avx512 lowers the level; asking for more than the machine has is ignored.
const char *ck_level_name(void);
// Makes `name` the level from here on, for tests and comparisons; false where the machine lacks it. Packed data of
// another level must not be used afterwards.
bool ck_level_force(const char *name);
int32_t ck_level_index(void);
// The machine's instruction sets that Hearth knows, separated by blanks.
const char *ck_level_features(void);

// Bytes of one core's data cache of `level` (1 or 2) as the system reports them; a common size where it does not.
int64_t ck_cache_bytes(int32_t level);

void ck_advise_huge_pages(void *memory, int64_t byte_count);

// ---- threads -------------------------------------------------------------------------------------------------------
typedef struct ck_pool ck_pool;
// `threads` counts the caller. Pinned workers take one processor each. A pool lives as long as its process.
ck_pool *ck_pool_create(int32_t threads, bool pinned);
// Calls task(context, i) once for every i of 0..<tasks and returns when all are done.
void ck_pool_run(ck_pool *pool, int64_t tasks, void (*task)(void *, int64_t), void *context);

// ---- matrices ------------------------------------------------------------------------------------------------------
// y[r] = sum_k w[r][k] * x[k] for `rows` rows of row-major weights; quantised k is a multiple of 32.
void ck_gemv_f32(const float *w, const float *x, float *y, int64_t rows, int64_t k);
void ck_gemv_f16(const uint16_t *w, const float *x, float *y, int64_t rows, int64_t k);
void ck_gemv_q4_1(const uint8_t *w, const float *x, float *y, int64_t rows, int64_t k);
void ck_gemv_q8_0(const uint8_t *w, const float *x, float *y, int64_t rows, int64_t k);
// How the elements of a plain matrix are stored.
// CK_Q8, for keys and values only, is Q8_0: blocks of an f16 scale and 32 int8.
typedef enum { CK_F32, CK_F16, CK_BF16, CK_Q8 } ck_format_t;
// What is done to a product before it is left; zero: nothing.
typedef enum { CK_IDENTITY, CK_RELU, CK_GELU, CK_SILU } ck_activation_t;  // GELU by tanh
typedef struct {
    const float *bias;  // of column 0, added to every row; may be NULL
    ck_activation_t activation;
} ck_epilogue_t;
void ck_epilogue(const ck_epilogue_t *epilogue, int64_t m, int64_t n, float *c, int64_t ldc);
// Products with B in panels of ck_gemm_panel_columns() columns, and a tile of at most ck_gemm_strip_rows() rows; both
// depend on the level, so packed data is for this process only.
int64_t ck_gemm_strip_rows(void);
int64_t ck_gemm_panel_columns(void);
typedef struct {
    int64_t m, n, k;
    ck_format_t a_format;  // f32, or bf16 with bf16 panels where ck_bf16_dot_available()
    const void *a;         // element (i, l) is a[i * a_row + l]
    int64_t a_row;
    ck_format_t format;  // of B
    const void *b;
    int64_t b_row, b_panel;  // elements between B's rows and between its panels
    float *c;
    int64_t ldc;
    bool accumulate;  // add to C, else overwrite it
    // Memory that is read after this block and fetched meanwhile: the next A, then the next B; bytes 0: none.
    const void *next[2];
    int64_t next_bytes[2];
    ck_epilogue_t epilogue;
} ck_gemm_block_t;
// Whether the machine multiplies pairs of bf16 and adds them to f32.
bool ck_bf16_dot_available(void);
// C[m, n] (+)= A[m, k] B[k, n], then the epilogue. Each element of C is one chain of multiply-adds over ascending k.
void ck_gemm_block(const ck_gemm_block_t *block);
// Element (i, l) of A to out[i * pitch + l], scaled; pitch >= k rounded up to 16, and what lies between is overwritten.
void ck_gemm_copy_a(const float *a, int64_t a_row, int64_t a_col, int64_t m, int64_t k, float scale, float *out,
                    int64_t pitch);
// ceil(n / panel columns) panels of [k][panel columns], `panel_stride` elements apart, zero past column n; element
// (l, j) is b[l * b_row + j * b_col].
void ck_gemm_pack_b_f32(const float *b, int64_t b_row, int64_t b_col, int64_t n, int64_t k, int64_t panel_stride,
                        float *out);
void ck_gemm_pack_b_f16(const uint16_t *b, int64_t b_row, int64_t b_col, int64_t n, int64_t k, int64_t panel_stride,
                        uint16_t *out);
// bf16 in pairs of rows, [ceil(k / 2)][panel columns][2]; b_row of such a block is ck_gemm_panel_columns().
void ck_gemm_pack_b_bf16(const uint16_t *b, int64_t b_row, int64_t b_col, int64_t n, int64_t k, int64_t panel_stride,
                         uint16_t *out);
// `count` consecutive elements to f32.
void ck_widen_f16(const uint16_t *w, float *out, int64_t count);
void ck_widen_bf16(const uint16_t *w, float *out, int64_t count);
void ck_widen_q4_1(const uint8_t *w, float *out, int64_t count);
void ck_widen_q8_0(const uint8_t *w, float *out, int64_t count);

// ---- int8 products -------------------------------------------------------------------------------------------------
typedef struct {
    int64_t m, n, k;
    const int8_t *a;  // rows of k, a_row from row to row; zeros follow up to a multiple of four
    int64_t a_row;
    const uint8_t *b;  // packed by ck_gemm_i8_pack_b, panels of ck_gemm_panel_columns()
    int32_t *c;
    int64_t ldc;
    int32_t *scratch;  // m
} ck_gemm_i8_block_t;
// C = A B, exact in i32 for k up to 2^16.
void ck_gemm_i8_block(const ck_gemm_i8_block_t *block);
// Weights [n][k] as panels of ceil(k / 4) * 4 * columns bytes.
void ck_gemm_i8_pack_b(const int8_t *w, int64_t n, int64_t k, uint8_t *out);
// Of packed weights that were kept in a file: finds damage, not malice.
uint64_t ck_checksum(const void *bytes, int64_t size);

// ---- quantised weights with int8 activations -----------------------------------------------------------------------
typedef enum { CK_Q4_0, CK_Q4_1, CK_Q5_0, CK_Q8_0, CK_Q4_K, CK_Q5_K, CK_Q6_K } ck_quant_format_t;
// How a format is packed: blocks of `block` elements with an f16 scale (and minimum), and where sub < block, an i8
// factor of each for every `sub` elements; then unsigned quants, `low` bits each and `high` more of them in a plane of
// their own. Element = scale * (quant - zero) - minimum.
typedef struct {
    int32_t low, high, sub;
    bool has_minimum;
    int32_t zero;
    int32_t block, block_bytes;  // of the file format
} ck_quant_layout_t;
ck_quant_layout_t ck_quant_layout(ck_quant_format_t format);
int64_t ck_quant_panel_columns(void);
// Bytes of one packed panel of k elements a column.
int64_t ck_quant_panel_bytes(ck_quant_format_t format, int64_t k);
// Packs n rows (at most a panel's columns) of the file format; missing columns are zero.
void ck_quant_pack(ck_quant_format_t format, const uint8_t *rows, int64_t n, int64_t k, uint8_t *out);
// `count` consecutive elements of the file format to f32.
void ck_quant_widen(ck_quant_format_t format, const uint8_t *row, int64_t count, float *out);
// Blocks of an f16 scale, the largest magnitude / 127, and 32 int8, rounded to nearest, ties away; k is a multiple
// of 32.
void ck_quantise_q8_0(const float *x, int64_t k, void *out);
// Symmetric int8 in blocks of 32, for weights of `layout`: k / 32 scales and, a sub-block of the weights each, what its
// dot product begins with (-zero * sum of quants) and what its minimum is multiplied with (-scale * sum of quants).
void ck_quantise_row(const ck_quant_layout_t *layout, const float *x, int64_t k, int8_t *q, float *scales,
                     int32_t *starts, float *downs);
typedef struct {
    int64_t m, n, k;
    const int8_t *x;  // quantised activations, x_row bytes from row to row
    int64_t x_row;
    const float *x_scale;  // x_scale_row from row to row
    int64_t x_scale_row;
    const int32_t *x_start;  // x_sub_row from row to row
    const float *x_down;
    int64_t x_sub_row;
    ck_quant_layout_t layout;
    const uint8_t *w;  // packed panels, w_panel bytes apart
    int64_t w_panel;
    float *c;
    int64_t ldc;
    bool accumulate;
} ck_quant_block_t;
// C[m, n] (+)= X W^T. Each element is one chain over ascending sub-blocks: it does not depend on m or n.
void ck_quant_block(const ck_quant_block_t *block);

// ---- attention -----------------------------------------------------------------------------------------------------
enum { CK_MAX_HEAD_DIM = 512 };
// One head of K and V with the query heads that share it. Strides count elements.
typedef struct {
    int64_t keys, d, heads;
    ck_format_t q_format, kv_format;
    const void *q, *k, *v;
    int64_t q_t, q_h, k_row, v_row;
    float *o;
    int64_t o_t, o_h;
    float *lse;  // of the scaled scores, natural logarithm; may be NULL
    int64_t lse_t, lse_h;
    float scale, softcap;    // softcap 0: none
    bool is_causal;          // query t sees keys up to t + offset
    int64_t offset, window;  // window w > 0: only the last w of them
    const void *mask;  // [t][head][key], added to the scores, or bytes that are 0 where a key is hidden; may be NULL
    bool mask_is_boolean;
    int64_t mask_t, mask_h;
    const int32_t *pages;  // key j is in row j % 2^page_shift of page pages[j >> page_shift]; NULL: rows in order
    int64_t page_count;    // pages of k and v; an entry that names none stands for the last one
    int page_shift;        // at least 5: no vector of keys crosses a page; rows of k and v lie equally far apart
} ck_attention_block_t;
// Queries times heads of one call of ck_attention_block are at most ck_attention_block_rows(), which takes
// ck_attention_scratch(d) floats. A query without a key gives zeros and lse = -FLT_MAX.
int64_t ck_attention_block_rows(void);
int64_t ck_attention_scratch(int64_t d);
void ck_attention_block(const ck_attention_block_t *block, int64_t first_query, int64_t queries, float *scratch);
// Query 0 over keys first..<last: of `kv_heads` KV heads that lie kv_h elements apart, and of their g->heads query
// heads each, H in all. o[H][d] is not yet divided by the sums; state[2][H]: maxima, sums. `scratch` holds H * d
// floats.
void ck_attention_decode(const ck_attention_block_t *block, int64_t kv_heads, int64_t kv_h, int64_t first, int64_t last,
                         float *scratch, float *o, float *state);
// Joins `parts` such results, o[parts][H][d] and state[parts][2][H], into block->o and block->lse.
void ck_attention_combine(const ck_attention_block_t *block, int64_t heads, int64_t parts, const float *o,
                          const float *state);

// ---- elementwise and rows ------------------------------------------------------------------------------------------
void ck_rms_norm(const float *x, const float *weight, float *y, int64_t n, float epsilon);
// y = (x - mean) / sqrt(variance + epsilon) * weight + bias; bias may be NULL. Also the mean and 1 / sqrt(...).
void ck_layer_norm(const float *x, const float *weight, const float *bias, float *y, int64_t n, float epsilon,
                   float *mean, float *inverse_deviation);
void ck_softmax(const float *x, float *y, int64_t n);
void ck_log_softmax(const float *x, float *y, int64_t n);
// y = clamp(round_half_even(x / scale) + zero, low, high), and back: y = (x - zero) * scale.
void ck_quantise(const float *x, int32_t *y, int64_t n, float scale, int32_t zero, int32_t low, int32_t high);
void ck_dequantise(const int32_t *x, float *y, int64_t n, float scale, int32_t zero);
// y = activation(gate) * up; y may be either.
void ck_gate(ck_activation_t activation, const float *gate, const float *up, float *y, int64_t n);
void ck_add(const float *a, const float *b, float *y, int64_t n);
// Rotates one head of d elements by `cos_sin` (d/2 pairs of cosine and sine).
void ck_rope_interleaved(const float *x, const float *cos_sin, float *y, int64_t d);
void ck_rope_half(const float *x, const float *cos_sin, float *y, int64_t d);
// Rounds to nearest even.
void ck_narrow_f16(const float *x, uint16_t *y, int64_t n);
void ck_narrow_bf16(const float *x, uint16_t *y, int64_t n);
// Index of the largest element, the first of equals.
int64_t ck_argmax(const float *x, int64_t n);
// The k <= n largest, largest first, the first of equals first; NaN is smaller than all others.
void ck_top_k(const float *x, int64_t n, int64_t k, float *values, int32_t *indices);

// ---- ceilings ------------------------------------------------------------------------------------------------------
// Runs `iterations` rounds of independent multiply-adds in registers; returns the FLOPs done.
double ck_probe_fma(int64_t iterations);
// The same with dot products of int8 fours and of bf16 pairs; 0 where the level has no instruction for them.
double ck_probe_int8(int64_t iterations);
double ck_probe_bf16(int64_t iterations);
void ck_probe_copy(const float *a, float *c, int64_t n);
float ck_probe_read(const float *a, int64_t n);
void ck_probe_triad(const float *a, const float *b, float *c, float s, int64_t n);

#ifdef __cplusplus
}
#endif
