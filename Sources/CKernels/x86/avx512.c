// AVX-512 (F, BW, DQ, VL) with the byte dot product of VNNI.

#if defined(__x86_64__)

#include "kernels.h"

#include <immintrin.h>

#pragma clang fp contract(off)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))), apply_to = function)

#define TABLE avx512
#define PANEL_VECTORS 2
#define TILE_ROWS 6

#include "../lanes.inc"

INLINE float half_to_float(uint16_t bits) { return _cvtsh_ss(bits); }
INLINE v8f halves_to_floats(v8h bits) { return _mm256_cvtph_ps((__m128i)bits); }
INLINE v16f half_load(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

INLINE v32b look_up(const int8_t table[16], v32b indices) {
    const __m256i values = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
    return (v32b)_mm256_shuffle_epi8(values, (__m256i)indices);
}

// The instruction takes unsigned × signed bytes: weights enter as w + 128 and the sum starts at -128 Σ codes.
INLINE v16i dot_start(int32_t code_sum) { return splat_int(-128 * code_sum); }
INLINE v16i dot_weights(v16i words) { return words ^ splat_int((int32_t)0x80808080); }
INLINE v16i dot_step(v16i sum, v16i weights, int32_t codes) {
    return (v16i)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)weights, _mm512_set1_epi32(codes));
}

#include "../formats.inc"
#include "../product.inc"
#include "../rows.inc"
#include "../attention.inc"

#pragma clang attribute pop

#include "../table.inc"

#endif
