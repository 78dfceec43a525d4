// Every table that a processor has against `portable`, bit by bit, without Swift: for processors that only an emulator has here.
// See README.md.

#include "kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 1;
static uint32_t next(void) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 33);
}
static float noise(void) { return (float)((int32_t)(next() % 20001) - 10000) / 5000.0f; }

typedef struct { const char *name; int type, inputs, bytes, half, second; } format;
static const format formats[] = {
    {"Q4_0", APUS_Q4_0, 32, 18, 0, -1}, {"Q4_1", APUS_Q4_1, 32, 20, 0, 2}, {"Q5_0", APUS_Q5_0, 32, 22, 0, -1},
    {"Q5_1", APUS_Q5_1, 32, 24, 0, 2}, {"Q8_0", APUS_Q8_0, 32, 34, 0, -1}, {"Q2_K", APUS_Q2_K, 256, 84, 80, 82},
    {"Q3_K", APUS_Q3_K, 256, 110, 108, -1}, {"Q4_K", APUS_Q4_K, 256, 144, 0, 2}, {"Q5_K", APUS_Q5_K, 256, 176, 0, 2},
    {"Q6_K", APUS_Q6_K, 256, 210, 208, -1}, {"IQ4_NL", APUS_IQ4_NL, 32, 18, 0, -1},
    {"IQ4_XS", APUS_IQ4_XS, 256, 136, 0, -1}, {"MXFP4", APUS_MXFP4, 32, 17, -1, -1}, {"F32", APUS_F32, 1, 4, -1, -1},
    {"F16", APUS_F16, 1, 2, -1, -1}, {"BF16", APUS_BF16, 1, 2, -1, -1},
};
#define ROWS 17
#define OUTPUTS 70
#define INPUTS 768

static void put_half(uint8_t *p) {
    const uint16_t bits = (uint16_t)(0x2000 + next() % 0x1000 + (next() & 1) * 0x8000);
    memcpy(p, &bits, 2);
}

static int product(const apus_kernels *table, const format *f, const uint8_t *file, const float *x, int rows, float *out) {
    static uint8_t scratch[APUS_SCRATCH_BYTES] __attribute__((aligned(64)));
    const int64_t row_bytes = INPUTS / f->inputs * f->bytes, panel_bytes = apus_panel_bytes(f->type, INPUTS);
    uint8_t *panels = aligned_alloc(64, 3 * (size_t)panel_bytes + 64);
    uint8_t *activations = aligned_alloc(64, ROWS * INPUTS * 4);
    apus_pack_arguments pack = {{file, OUTPUTS, INPUTS, row_bytes, f->type}, panels, panel_bytes};
    table->pack(&pack, 0, 3, scratch);
    apus_quantize_arguments quantize = {x, INPUTS, rows, INPUTS, activations};
    const int64_t items = table->activation_items(rows, INPUTS);
    if (f->inputs > 1) {
        table->quantize(&quantize, 0, items, scratch);
        apus_prepare_arguments prepare = {rows, INPUTS, f->type, activations};
        table->prepare(&prepare, 0, items, scratch);
    } else {
        table->tile_floats(&quantize, 0, items, scratch);
    }
    apus_product_arguments arguments = {{{panels, panel_bytes, 3, INPUTS, f->type, out, 96}}, 1, rows, .activations = activations, .cached_bytes = 1 << 19};
    table->product(&arguments, 0, 3, scratch);
    free(panels);
    free(activations);
    return 0;
}

// Whether a gate within its products gives the bits of the products and the gate one after another.
static int gate_differs(const apus_kernels *table, const format *f, const uint8_t *file, const float *x, int rows) {
    static uint8_t scratch[APUS_SCRATCH_BYTES] __attribute__((aligned(64)));
    const int64_t row_bytes = INPUTS / f->inputs * f->bytes, panel_bytes = apus_panel_bytes(f->type, INPUTS);
    uint8_t *panels = aligned_alloc(64, 2 * (size_t)panel_bytes), *activations = aligned_alloc(64, ROWS * INPUTS * 4);
    float *out[3];
    for (int i = 0; i < 3; i++) out[i] = calloc(ROWS * 32, 4);
    for (int i = 0; i < 2; i++) {
        apus_pack_arguments pack = {{file + i * 32 * row_bytes, 32, INPUTS, row_bytes, f->type}, panels + i * panel_bytes, panel_bytes};
        table->pack(&pack, 0, 1, scratch);
    }
    apus_quantize_arguments quantize = {x, INPUTS, rows, INPUTS, activations};
    apus_prepare_arguments prepare = {rows, INPUTS, f->type, activations};
    const int64_t items = table->activation_items(rows, INPUTS);
    if (f->inputs > 1) table->quantize(&quantize, 0, items, scratch), table->prepare(&prepare, 0, items, scratch);
    else table->tile_floats(&quantize, 0, items, scratch);
    apus_product_arguments a = {{{panels, panel_bytes, 1, INPUTS, f->type, out[0], 32},
                                 {panels + panel_bytes, panel_bytes, 1, INPUTS, f->type, out[1], 32}}, 2, rows, .activations = activations};
    table->product(&a, 0, 2, scratch);
    apus_elementwise_arguments gate = {out[0], 32, out[1], 32, 32, 0};
    table->gated_silu(&gate, 0, rows, scratch);
    a.parts[0].out = out[2];
    a.gate = APUS_GATE_SILU;
    table->product(&a, 0, 1, scratch);
    const int differs = memcmp(out[0], out[2], (size_t)rows * 32 * 4) != 0;
    for (int i = 0; i < 3; i++) free(out[i]);
    free(panels), free(activations);
    return differs;
}

static int products(const apus_kernels *table, const apus_kernels *reference) {
    int wrong = 0;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const format *f = &formats[i];
        const size_t bytes = (size_t)OUTPUTS * INPUTS / f->inputs * f->bytes;
        uint8_t *file = malloc(bytes);
        float *x = malloc(ROWS * INPUTS * 4), *a = malloc(ROWS * 96 * 4), *b = malloc(ROWS * 96 * 4);
        for (size_t at = 0; at < bytes; at++) file[at] = (uint8_t)next();
        for (size_t block = 0; block < bytes; block += (size_t)f->bytes) {
            if (f->half >= 0) put_half(file + block + f->half);
            if (f->second >= 0) put_half(file + block + f->second);
            if (f->type == APUS_MXFP4) file[block] = (uint8_t)(120 + next() % 8);
            if (f->type == APUS_F16) put_half(file + block);
            const float value = noise();
            if (f->type == APUS_F32) memcpy(file + block, &value, 4);
            if (f->type == APUS_BF16) memcpy(file + block, (const uint8_t *)&value + 2, 2);
        }
        for (int at = 0; at < ROWS * INPUTS; at++) x[at] = noise();
        for (int rows = 1; rows <= ROWS; rows++) {
            product(reference, f, file, x, rows, a);
            product(table, f, file, x, rows, b);
            if (gate_differs(table, f, file, x, rows)) printf("%s: %s, %d rows, gate differs\n", table->name, f->name, rows), wrong++;
            for (int row = 0; row < rows; row++)
                if (memcmp(a + 96 * row, b + 96 * row, OUTPUTS * 4)) {
                    printf("%s: %s, %d rows, row %d differs\n", table->name, f->name, rows, row);
                    wrong++;
                    break;
                }
        }
        free(file), free(x), free(a), free(b);
    }
    return wrong;
}

static int attentions(const apus_kernels *table, const apus_kernels *reference) {
    enum { SLOTS = 700, HEADS = 2, GROUP = 3, PAGE = 32, PAGES = (SLOTS + PAGE - 1) / PAGE, ASKED = 29 };
    static uint8_t scratch[APUS_SCRATCH_BYTES] __attribute__((aligned(64)));
    int wrong = 0;
    const int types[] = {APUS_F32, APUS_F16, APUS_BF16};
    for (int t = 0; t < 3; t++)
        for (int width = 20; width <= 80; width += 20) {
            const int64_t key_bytes = 4 * HEADS * width * PAGE, value_bytes = 4 * HEADS * ((width + 15) & ~15) * PAGE;
            float *keys = malloc(4 * SLOTS * HEADS * width), *values = malloc(4 * SLOTS * HEADS * width);
            float *queries = malloc(4 * ASKED * HEADS * GROUP * width), *out[2];
            int32_t pages[PAGES], tiles[] = {0, 1, 9, 17, 25, ASKED};
            apus_cache_row stored[SLOTS], asked[ASKED];
            for (int i = 0; i < SLOTS * HEADS * width; i++) keys[i] = noise(), values[i] = noise();
            for (int i = 0; i < ASKED * HEADS * GROUP * width; i++) queries[i] = noise();
            for (int i = 0; i < PAGES; i++) pages[i] = (i * 7) % PAGES;
            for (int i = 0; i < SLOTS; i++) stored[i] = (apus_cache_row){pages, i, 0, i + 1};
            for (int i = 0; i < ASKED; i++) {
                const int32_t high = i < 25 ? SLOTS - 25 + i : 1 + (int32_t)(next() % SLOTS);
                asked[i] = (apus_cache_row){pages, high - 1, i % 5 == 4 ? high / 2 : 0, high};
            }
            for (int k = 0; k < 2; k++) {
                const apus_kernels *kernels = k ? table : reference;
                uint8_t *memory = aligned_alloc(64, (size_t)(PAGES * (key_bytes + value_bytes)));
                const apus_cache_layer layer = {memory, memory + key_bytes, key_bytes + value_bytes, key_bytes + value_bytes,
                                                PAGE, HEADS, width, width, types[t]};
                out[k] = malloc(4 * ASKED * HEADS * GROUP * width);
                apus_store_arguments store = {layer, stored, keys, values, HEADS * width, HEADS * width};
                kernels->store(&store, 0, SLOTS, scratch);
                apus_attention_arguments arguments = {
                    .layer = layer, .rows = asked, .tiles = tiles, .tile_count = 5, .queries = queries, .query_stride = HEADS * GROUP * width,
                    .out = out[k], .out_stride = HEADS * GROUP * width, .group = GROUP, .spans = 1, .scale = 0.3f};
                kernels->attention(&arguments, 0, 5 * HEADS, scratch);
                free(memory);
            }
            if (memcmp(out[0], out[1], 4 * ASKED * HEADS * GROUP * width)) {
                printf("%s: attention of type %d, width %d differs\n", table->name, types[t], width);
                wrong++;
            }
            free(keys), free(values), free(queries), free(out[0]), free(out[1]);
        }
    return wrong;
}

static int rows_of_numbers(const apus_kernels *table, const apus_kernels *reference) {
    static float a[300], b[300], other[300];
    const apus_operation operations[2][6] = {
        {reference->add, reference->scale, reference->gated_silu, reference->gated_gelu, reference->gelu, reference->soft_cap},
        {table->add, table->scale, table->gated_silu, table->gated_gelu, table->gelu, table->soft_cap}};
    int wrong = 0;
    for (int i = 0; i < 6; i++)
        for (int width = 1; width < 300; width += 13) {
            for (int at = 0; at < 300; at++) a[at] = b[at] = 20 * noise(), other[at] = noise();
            apus_elementwise_arguments first = {a, 300, other, 300, width, 3}, second = {b, 300, other, 300, width, 3};
            operations[0][i](&first, 0, 1, 0);
            operations[1][i](&second, 0, 1, 0);
            if (memcmp(a, b, sizeof a)) printf("%s: element-wise %d of %d differs\n", table->name, i, width), wrong++;
        }
    return wrong;
}

int main(void) {
    const apus_kernels *const *tables = apus_available_kernels(), *reference = 0;
    int wrong = 0, count = 0;
    for (int i = 0; tables[i]; i++) reference = tables[i], count++;
    for (int i = 0; i + 1 < count; i++) {
        const int found = products(tables[i], reference) + attentions(tables[i], reference)
            + rows_of_numbers(tables[i], reference);
        printf("%s: %s\n", tables[i]->name, found ? "differs" : "the bits of portable");
        wrong += found;
    }
    if (count < 2) printf("this processor has no table but portable: nothing was compared\n");
    return wrong || count < 2;
}
