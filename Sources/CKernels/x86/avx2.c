// AVX2, FMA and F16C.

#if defined(__x86_64__)

#include "kernels.h"

#include <immintrin.h>

#pragma clang fp contract(off)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define TABLE avx2
#define PANEL_VECTORS 1
#define TILE_ROWS 4

#include "../lanes.inc"

INLINE float half_to_float(uint16_t bits) { return _cvtsh_ss(bits); }
INLINE v8f halves_to_floats(v8h bits) { return _mm256_cvtph_ps((__m128i)bits); }
INLINE v16f half_load(const uint16_t *p) {
    const __m256 low = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
    const __m256 high = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)));
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

INLINE v32b look_up(const int8_t table[16], v32b indices) {
    const __m256i values = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
    return (v32b)_mm256_shuffle_epi8(values, (__m256i)indices);
}

INLINE v16i dot_start(int32_t code_sum) {
    (void)code_sum;
    return splat_int(0);
}
INLINE v16i dot_weights(v16i words) { return words; }

// |w| · sign(a): a pair of products is at most 2 · 128 · 127, which 16 bits hold, so nothing saturates.
INLINE __m256i dot_half(__m256i weights, __m256i codes) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weights), _mm256_sign_epi8(codes, weights));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
INLINE v16i dot_step(v16i sum, v16i weights, int32_t codes) {
    const __m256i four = _mm256_set1_epi32(codes);
    const __m256i low = dot_half((__m256i)__builtin_shufflevector(weights, weights, 0, 1, 2, 3, 4, 5, 6, 7), four);
    const __m256i high = dot_half((__m256i)__builtin_shufflevector(weights, weights, 8, 9, 10, 11, 12, 13, 14, 15), four);
    return sum + __builtin_shufflevector((v8i)low, (v8i)high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

#include "../formats.inc"
#include "../product.inc"
#include "../rows.inc"
#include "../attention.inc"

#pragma clang attribute pop

#include "../table.inc"

#endif
