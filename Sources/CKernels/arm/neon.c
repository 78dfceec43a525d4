// Arm's Advanced SIMD with the byte dot product (Armv8.2 and later).

#if defined(__aarch64__)

#include "group_formats.h"
#include "kernels.h"

#include <arm_neon.h>

#pragma clang fp contract(off)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#define TABLE neon
#define PANEL_VECTORS 1
// 32 registers of 4 lanes: four rows of 16 outputs leave as many for weights and activations.
#define QUERY_TILE 2
#define FOR_EACH_QUERY_TILE(DO, ...) DO(1, __VA_ARGS__) DO(2, __VA_ARGS__)
#define TILE_ROWS 4
#define FUSED_ROWS 0
#define FOR_EACH_TILE(DO, ...) DO(1, ##__VA_ARGS__) DO(2, ##__VA_ARGS__) DO(3, ##__VA_ARGS__) DO(4, ##__VA_ARGS__)

#include "../lanes.inc"

INLINE float half_to_float(uint16_t bits) { return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits))), 0); }
INLINE v8f halves_to_floats(v8h bits) {
    const float16x8_t halves = vreinterpretq_f16_u16((uint16x8_t)bits);
    const float32x4_t parts[2] = {vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)};
    v8f values;
    memcpy(&values, parts, sizeof values);
    return values;
}
INLINE v16f half_load(const uint16_t *p) {
    const float16x8_t low = vreinterpretq_f16_u16(vld1q_u16(p)), high = vreinterpretq_f16_u16(vld1q_u16(p + 8));
    const float32x4_t parts[4] = {vcvt_f32_f16(vget_low_f16(low)), vcvt_high_f32_f16(low),
                                  vcvt_f32_f16(vget_low_f16(high)), vcvt_high_f32_f16(high)};
    v16f values;
    memcpy(&values, parts, sizeof values);
    return values;
}

INLINE v16f scale16(v16f p, v16f n, v16f shifted) {
    (void)n;
    return scale_by_bits(p, shifted);
}

INLINE v32b look_up(const int8_t table[16], v32b indices) {
    const uint8x16_t values = vld1q_u8((const uint8_t *)table);
    uint8x16_t halves[2];
    memcpy(halves, &indices, sizeof halves);
    for (int i = 0; i < 2; i++) halves[i] = vqtbl1q_u8(values, halves[i]);
    memcpy(&indices, halves, sizeof halves);
    return indices;
}
INLINE v16i look_up_words(const uint8_t table[16], v16i indices) {
    const uint8x16_t values = vld1q_u8(table);
    uint8x16_t quarters[4];
    memcpy(quarters, &indices, sizeof quarters);
    for (int i = 0; i < 4; i++) quarters[i] = vqtbl1q_u8(values, quarters[i]);
    memcpy(&indices, quarters, sizeof quarters);
    return indices;
}

#include "../look_ups.inc"

// The instruction multiplies signed bytes: codes of fewer than 8 bits are positive as they stand, those of 8 lose their zero.
typedef char code_run;
#define WIDE_CODES_SIGNED 1
#define NARROW_RUNS 1
#define PIN(v) (void)0
INLINE v16i dot_step(v16i sum, code_run *run, v16i weights, int32_t codes, int word, int words, int bits) {
    (void)run, (void)word, (void)words;
    const int8x16_t four = vreinterpretq_s8_s32(vdupq_n_s32(codes));
    int8x16_t w[4];
    int32x4_t s[4];
    memcpy(w, &weights, sizeof w);
    memcpy(s, &sum, sizeof s);
    for (int i = 0; i < 4; i++) {
        if (bits == 8) w[i] = veorq_s8(w[i], vdupq_n_s8((int8_t)0x80));
        s[i] = vdotq_s32(s[i], w[i], four);
    }
    memcpy(&sum, s, sizeof s);
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

#pragma clang attribute pop

#include "../table.inc"

#endif
