// AVX-512 (F, BW, DQ, VL) with the byte dot product of VNNI.

#if defined(__x86_64__)

#include "group_formats.h"
#include "kernels.h"

#include <immintrin.h>

#pragma clang fp contract(off)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))), apply_to = function)

#define TABLE avx512
#define PANEL_VECTORS 2
#define QUERY_TILE 6
#define FOR_EACH_QUERY_TILE(DO, ...) DO(1, __VA_ARGS__) DO(2, __VA_ARGS__) DO(3, __VA_ARGS__) DO(4, __VA_ARGS__) DO(5, __VA_ARGS__) DO(6, __VA_ARGS__)
#define TILE_ROWS 6
#define FUSED_ROWS 6
#define FOR_EACH_FUSED_ROWS(DO, ...) DO(1, __VA_ARGS__) DO(2, __VA_ARGS__) DO(3, __VA_ARGS__) DO(4, __VA_ARGS__) DO(5, __VA_ARGS__) DO(6, __VA_ARGS__)

#include "../lanes.inc"

INLINE float half_to_float(uint16_t bits) { return _cvtsh_ss(bits); }
INLINE v8f halves_to_floats(v8h bits) { return _mm256_cvtph_ps((__m128i)bits); }
INLINE v16f half_load(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

// p · 2^n, rounded once: the same as two factors.
INLINE v16f scale16(v16f p, v16f n, v16f shifted) {
    (void)shifted;
    return (v16f)_mm512_scalef_ps((__m512)p, (__m512)n);
}

INLINE v32b look_up(const int8_t table[16], v32b indices) {
    const __m256i values = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
    return (v32b)_mm256_shuffle_epi8(values, (__m256i)indices);
}

INLINE v16i look_up_words(const uint8_t table[16], v16i indices) {
    const __m512i values = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
    return (v16i)_mm512_shuffle_epi8(values, (__m512i)indices);
}

INLINE v16f look_up_floats(const float table[16], v16i indices) {
    return (v16f)_mm512_permutexvar_ps((__m512i)indices, _mm512_loadu_ps(table));
}
// Output o of 16 has its 16 values at 64 × (o mod 4) + 16 × (o div 4). Of 8 values, those of two outputs share a look-up.
typedef struct { __m512i tables[4]; } own_values;
INLINE own_values own_values_of(const uint8_t *tables, const int bits) {
    own_values own;
    for (int i = 0; i < 4; i++) own.tables[i] = _mm512_loadu_si512(tables + 64 * i);
    if (bits < 4) {
        own.tables[0] = _mm512_unpacklo_epi64(own.tables[0], own.tables[1]);
        own.tables[1] = _mm512_unpacklo_epi64(own.tables[2], own.tables[3]);
    }
    return own;
}
INLINE v16i look_up_own(const own_values *own, v16i indices, const int bits) {
    __m512i codes = (__m512i)indices;
    if (bits < 4) {
        codes = _mm512_or_si512(codes, _mm512_set1_epi64(0x0808080800000000));
        const __m512i first = _mm512_maskz_shuffle_epi8(0x00FF00FF00FF00FFull, own->tables[0], codes);
        return (v16i)_mm512_mask_shuffle_epi8(first, 0xFF00FF00FF00FF00ull, own->tables[1], codes);
    }
    __m512i found = _mm512_maskz_shuffle_epi8(0x000F000F000F000Full, own->tables[0], codes);
    found = _mm512_mask_shuffle_epi8(found, 0x00F000F000F000F0ull, own->tables[1], codes);
    found = _mm512_mask_shuffle_epi8(found, 0x0F000F000F000F00ull, own->tables[2], codes);
    return (v16i)_mm512_mask_shuffle_epi8(found, 0xF000F000F000F000ull, own->tables[3], codes);
}

// Unsigned weights × signed codes, four at a time, exactly.
typedef char code_run;
#define WIDE_CODES_SIGNED 0
#define NARROW_RUNS 0
#define FOR_EACH_TILE(DO, ...) \
    DO(1, ##__VA_ARGS__) DO(2, ##__VA_ARGS__) DO(3, ##__VA_ARGS__) DO(4, ##__VA_ARGS__) DO(5, ##__VA_ARGS__) DO(6, ##__VA_ARGS__)
#define PIN(v) __asm__ volatile("" : "+v"(v))
INLINE v16i dot_step(v16i sum, code_run *run, v16i weights, int32_t codes, int word, int words, int bits) {
    (void)run, (void)word, (void)words, (void)bits;
    return (v16i)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)weights, _mm512_set1_epi32(codes));
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
