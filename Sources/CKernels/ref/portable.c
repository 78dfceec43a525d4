// The reference table: C that any processor runs. It defines what the others must equal.

#include "group_formats.h"
#include "kernels.h"

#pragma clang fp contract(off)

#define TABLE portable
#define PANEL_VECTORS 1
#define QUERY_TILE 2
#define FOR_EACH_QUERY_TILE(DO, ...) DO(1, __VA_ARGS__) DO(2, __VA_ARGS__)
#define TILE_ROWS 2
#define FUSED_ROWS 0

#include "../lanes.inc"

INLINE float half_to_float(uint16_t bits) { return half_bits_to_float(bits); }
INLINE v8f halves_to_floats(v8h bits) {
    v8f v;
    for (int i = 0; i < 8; i++) v[i] = half_bits_to_float(bits[i]);
    return v;
}
INLINE v16f half_load(const uint16_t *p) {
    v16f v;
    for (int i = 0; i < 16; i++) v[i] = half_bits_to_float(p[i]);
    return v;
}

INLINE v16f scale16(v16f p, v16f n, v16f shifted) {
    (void)n;
    return scale_by_bits(p, shifted);
}

INLINE v32b look_up(const int8_t table[16], v32b indices) {
    v32b values;
    for (int i = 0; i < 32; i++) values[i] = (uint8_t)table[indices[i]];
    return values;
}

INLINE v16i look_up_words(const uint8_t table[16], v16i indices) {
    uint8_t bytes[64];
    memcpy(bytes, &indices, 64);
    for (int i = 0; i < 64; i++) bytes[i] = table[bytes[i]];
    memcpy(&indices, bytes, 64);
    return indices;
}

#include "../look_ups.inc"

typedef char code_run;
#define WIDE_CODES_SIGNED 0
#define NARROW_RUNS 0
#define FOR_EACH_TILE(DO, ...) DO(1, ##__VA_ARGS__) DO(2, ##__VA_ARGS__)
#define PIN(v) (void)0
INLINE v16i dot_step(v16i sum, code_run *run, v16i weights, int32_t codes, int word, int words, int bits) {
    (void)run, (void)word, (void)words, (void)bits;
    // Four bytes of each lane, low byte first: unsigned weights, signed codes.
    for (int byte = 0; byte < 4; byte++)
        sum += (v16i)(((v16u)weights >> (uint32_t)(8 * byte)) & 255) * splat_int((int8_t)((uint32_t)codes >> (8 * byte)));
    return sum;
}

#include "../layout.inc"
#include "../formats.inc"
#include "../panels.inc"
#include "../tiles.inc"
#include "../rows.inc"
#include "../product.inc"
#include "../correct.inc"
#include "../attention.inc"
#include "../table.inc"
