#ifndef APUS_KERNELS_H
#define APUS_KERNELS_H

#include <stdint.h>

#include "scalar_math.h"

// Whole operations over rows of activations. An operation is a function over a range of independent *items* (rows, panels of
// outputs, row-head pairs), so that a pool of threads can share them out; how they are shared never changes a bit.
// Nothing here allocates, makes threads or keeps state.
//
// Every sum's order is part of its definition (see Docs/Design.md, "Row invariance"):
//  - products: each output is one chain over the inputs, ascending; quantized weights add exact integer sub-sums of
//    16 or 32 inputs, then fma(float(subsum), weight_scale * activation_scale, chain), then for formats with a
//    minimum fma(minimum, activation_scale * float(sum of activation codes), chain);
//  - norms: 16 lanes (element i in lane i mod 16), each ascending by fma, folded 8, 4, 2, 1;
//  - attention: blocks of 128 slots, merged ascending into spans of 512, spans merged ascending.

/// Element types; the numbers are those of the GGUF format.
enum {
    APUS_F32 = 0, APUS_F16 = 1, APUS_Q4_0 = 2, APUS_Q4_1 = 3, APUS_Q5_0 = 6, APUS_Q5_1 = 7, APUS_Q8_0 = 8,
    APUS_Q2_K = 10, APUS_Q3_K = 11, APUS_Q4_K = 12, APUS_Q5_K = 13, APUS_Q6_K = 14, APUS_IQ4_NL = 20,
    APUS_IQ4_XS = 23, APUS_BF16 = 30, APUS_MXFP4 = 39
};

/// Outputs that one panel of a product computes together; the outputs of a product are padded to whole panels.
#define APUS_PANEL 32
/// Words of 4 bytes along the inputs that a step of a product takes: 64 floats or 256 codes.
#define APUS_CHUNK_WORDS 64
/// Bytes of scratch that every operation may use for itself, one area a thread.
#define APUS_SCRATCH_BYTES (80 * 1024)

/// A weight as its file holds it: `outputs` rows of `inputs` elements, row-major.
typedef struct {
    const uint8_t *data;
    int64_t outputs, inputs, row_bytes;
    int32_t type;
} apus_weight;

/// Bytes of one panel of a weight: 32 outputs × `inputs` elements (see layout.inc).
int64_t apus_panel_bytes(int32_t type, int64_t inputs);

/// What products of this format need prepared of the activations, as a number: formats of one class share it.
int32_t apus_preparation(int32_t type);

typedef void (*apus_operation)(const void *arguments, int64_t begin, int64_t end, void *scratch);

/// Items: `activation_items`. x [rows][stride] as products read it: `quantize` makes codes in -127...127, a scale for 32 inputs and the
/// sums of 16 codes; `tile_floats` keeps the floats. Both order the rows in tiles (see tiles.inc).
typedef struct {
    const float *x;
    int64_t stride, rows, inputs;
    uint8_t *activations;
    const int32_t *order;   // [inputs] which element of a row comes where, or null: each where it is
} apus_quantize_arguments;

/// Bytes that quantized activations take for each row and 256 inputs begun.
#define APUS_ACTIVATION_BYTES 416

/// Items: `activation_items`. What products of a format need of every row and group of inputs besides codes and scales: the start of
/// the integer sum that takes the unsigned codes' zero away, or the factor of the minimum (a float's bits).
typedef struct {
    int64_t rows, inputs;
    int32_t type;
    uint8_t *activations;
} apus_prepare_arguments;

/// Items: panels. Lays a weight out for products.
typedef struct {
    apus_weight weight;
    uint8_t *panels;
    int64_t panel_bytes;
} apus_pack_arguments;

/// One weight of a product and where its outputs go.
typedef struct {
    const uint8_t *panels;
    int64_t panel_bytes, panel_count, inputs;
    int32_t type;
    float *out;             // [rows][out_stride], whole panels
    int64_t out_stride;
} apus_product_part;

#define APUS_PRODUCT_PARTS 4

/// How a gate meets the other product: x = silu(x) × other, x = gelu_tanh(x) × other.
enum { APUS_GATE_NONE = 0, APUS_GATE_SILU = 1, APUS_GATE_GELU = 2 };

/// Items: panels of all parts, one part after another; with bands, those for the first band of rows, then those for the next. out [rows][out_stride] = x · weightᵀ. The parts share their
/// activations: codes with what is prepared for quantized weights, tiled floats for float weights.
/// With a gate, items are the panels of the first of two parts of one size: its outputs are gated by the second's, which are
/// written nowhere.
typedef struct {
    apus_product_part parts[APUS_PRODUCT_PARTS];
    int32_t part_count;
    int64_t rows;
    int64_t bands;          // in which the rows are shared out, in whole tiles; 0 and 1: none
    const uint8_t *activations;
    int32_t gate;
    int64_t cached_bytes;   // of activations that should stay in a core's own cache while panels pass by
} apus_product_arguments;

/// Items: rows. Row `ids[r]` of a weight as floats, times a factor.
typedef struct {
    apus_weight weight;
    const int32_t *ids;
    float factor;
    float *out;
    int64_t out_stride;
} apus_gather_arguments;

#define APUS_CORRECTED_OUTPUTS 64

/// Items: blocks of APUS_CORRECTED_OUTPUTS outputs. out += up · thin + sparse · x.
typedef struct {
    float *out;
    int64_t out_stride, rows, outputs;
    const float *thin;      // [rows][thin_stride], `rank` of each
    int64_t thin_stride, rank;
    const float *up;        // [rank][outputs]
    const float *x;
    int64_t x_stride;
    const int32_t *starts;  // [outputs + 1], or null: where each output's numbers begin
    const int32_t *columns;
    const float *values;
} apus_correct_arguments;

/// Items: rows × segments. RMSNorm (no bias, no mean) or LayerNorm of `width` elements. x and out may be the same.
typedef struct {
    const float *x;
    int64_t stride;
    float *out;
    int64_t out_stride;
    int64_t width, segments;   // segment s of a row begins at s * width
    const float *weight;       // [width]
    const float *bias;         // [width] or null
    float epsilon;
    int32_t subtract_mean;     // 1: LayerNorm
} apus_norm_arguments;

/// Items: rows. Rotates the first 2 × `half` elements of every head in place.
typedef struct {
    float *x;
    int64_t stride;
    int64_t heads, head_dim, half;
    const float *cosines, *sines;  // [rows][half]
    int32_t interleaved;           // 1: pairs (2i, 2i+1); 0: pairs (i, i + half)
} apus_rotate_arguments;

/// Items: rows. cos and sin of position × frequency, the product rounded to a float, times a factor. A row's
/// variant says which row of frequencies it takes; a variant beyond the last takes the last.
typedef struct {
    const int32_t *positions;
    const int32_t *variants;
    const float *frequencies;  // [variant_count][half]
    int64_t variant_count;
    int64_t half;
    float factor;
    float *cosines, *sines;    // [rows][half]
} apus_angles_arguments;

/// What one layer's cache looks like in memory.
typedef struct {
    uint8_t *keys;     // page p at keys + p * key_page_bytes: [heads][key_dim][page_size]
    uint8_t *values;   // page p at values + p * value_page_bytes: [heads][page_size][value_dim rounded up to 16]
    int64_t key_page_bytes, value_page_bytes;
    int32_t page_size; // slots, a multiple of 16
    int32_t heads, key_dim, value_dim;
    int32_t type;      // APUS_F32, APUS_F16 or APUS_BF16
} apus_cache_layer;

/// One row of a batch as the cache sees it: its page table, its own slot, the slots [low, high) it may read.
typedef struct {
    const int32_t *pages;
    int32_t slot, low, high;
} apus_cache_row;

/// Items: rows. Writes a row's keys and values into its slot.
typedef struct {
    apus_cache_layer layer;
    const apus_cache_row *rows;
    const float *keys, *values;
    int64_t key_stride, value_stride;
} apus_store_arguments;

/// Slots of a span: what attention may compute apart and then merge.
#define APUS_SPAN_SLOTS 512
/// Queries that attention takes through the cache together.
#define APUS_ITEM_QUERIES 48

/// Items: cache heads × tiles × spans. out [rows][out_stride]: heads × value_dim. A tile is some successive rows that share
/// pages. With more than one span, `attention` writes partials and `attention_merge` (items: rows × query heads) the output.
typedef struct {
    apus_cache_layer layer;
    const apus_cache_row *rows;
    const int32_t *tiles;   // first row of each tile, and one past the last tile's last
    int64_t tile_count;
    const float *queries;
    int64_t query_stride;
    float *out;
    int64_t out_stride;
    int32_t group;          // query heads that share a cache head
    int32_t spans;          // 1, or all that the rows may read
    float *partials;        // [rows][query heads][spans][16 + value_dim rounded up to 16]
    float scale;            // on the product of query and key
    float soft_cap;         // cap × tanh(score / cap), 0 for none
} apus_attention_arguments;

/// Items: rows. Element-wise work on `width` elements of a row.
typedef struct {
    float *x;
    int64_t stride;
    const float *other;        // [rows][other_stride], or [width] with stride 0
    int64_t other_stride;
    int64_t width;
    float factor;
} apus_elementwise_arguments;

/// Every operation for one instruction set. All tables compute the same bits.
typedef struct {
    const char *name;
    apus_operation quantize, prepare, tile_floats, pack, product, correct, gather, norm, rotate, angles, store, attention, attention_merge;
    apus_operation add;            // x += other
    apus_operation scale;          // x *= factor
    apus_operation gated_silu;     // x = silu(x) × other
    apus_operation gated_gelu;     // x = gelu_tanh(x) × other
    apus_operation gelu;           // x = gelu_tanh(x)
    apus_operation soft_cap;       // x = factor × tanh(x / factor)
    int64_t (*activation_items)(int64_t rows, int64_t inputs);
    void (*dequantize)(const apus_weight *weight, int64_t row, float *out);
    float (*row_max)(const float *x, int64_t n);
    double (*row_exp)(const float *x, int64_t n, float shift, float *weights);
    // The largest element, as row_max, and in *magnitude the largest bits of an element without its sign: those of infinity
    // and NaN lie above all numbers'.
    float (*row_scan)(const float *x, int64_t n, int32_t *magnitude);
    // The first element that equals value; n where there is none.
    int64_t (*row_find)(const float *x, int64_t n, float value);
} apus_kernels;

/// Tells the processor that the thread waits in a loop.
static inline void apus_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/// Processors that this process may run on; not declared where Swift could ask for it.
int apus_processors(void);

/// The tables this machine can run, fastest first; null at the end. `portable` is always last.
const apus_kernels *const *apus_available_kernels(void);

#endif
