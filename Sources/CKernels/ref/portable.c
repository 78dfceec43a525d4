// The reference table: C that any processor runs. It defines what the others must equal.

#include "kernels.h"

#pragma clang fp contract(off)

#define TABLE portable
#define PANEL_VECTORS 1
#define TILE_ROWS 2

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

INLINE v32b look_up(const int8_t table[16], v32b indices) {
    v32b values;
    for (int i = 0; i < 32; i++) values[i] = (uint8_t)table[indices[i]];
    return values;
}

INLINE v16i dot_start(int32_t code_sum) {
    (void)code_sum;
    return splat_int(0);
}
INLINE v16i dot_weights(v16i words) { return words; }
INLINE v16i dot_step(v16i sum, v16i weights, int32_t codes) {
    // Four signed bytes of each lane, low byte first.
    for (int byte = 0; byte < 4; byte++)
        sum += ((weights << (24 - 8 * byte)) >> 24) * splat_int((int8_t)((uint32_t)codes >> (8 * byte)));
    return sum;
}

#include "../formats.inc"
#include "../product.inc"
#include "../rows.inc"
#include "../attention.inc"
#include "../table.inc"
