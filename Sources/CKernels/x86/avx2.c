// AVX2, FMA and F16C.

#if defined(__x86_64__)

#include "group_formats.h"
#include "kernels.h"

#include <immintrin.h>

#pragma clang fp contract(off)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define TABLE avx2
#define PANEL_VECTORS 1
#define QUERY_TILE 2
#define FOR_EACH_QUERY_TILE(DO, ...) DO(1, __VA_ARGS__) DO(2, __VA_ARGS__)
#define TILE_ROWS 4
#define FUSED_ROWS 1
#define FOR_EACH_FUSED_ROWS(DO, ...) DO(1, __VA_ARGS__)

#include "../lanes.inc"

#include "ymm.inc"

// Products of narrow codes: pairs of unsigned × signed bytes are added in 16 bits, several words long where the codes'
// width allows (15 · 127 · 2 · 8, 31 · 127 · 2 · 4 and 63 · 127 · 2 · 2 all fit), then widened.
typedef v16i code_run;
// Codes of 8 bits are multiplied as signed numbers: their zero is gone before.
#define WIDE_CODES_SIGNED 1
#define NARROW_RUNS 1
#define FOR_EACH_TILE(DO, ...) DO(1, ##__VA_ARGS__) DO(2, ##__VA_ARGS__) DO(3, ##__VA_ARGS__) DO(4, ##__VA_ARGS__)
// |w| · sign(a) of codes 128 above w: a pair of products is at most 2 · 128 · 127, which 16 bits hold.
INLINE __m256i wide_pairs(__m256i weights, __m256i codes) {
    const __m256i w = _mm256_xor_si256(weights, _mm256_set1_epi8((char)0x80));
    return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(codes, w));
}
#define PIN(v) (void)0
INLINE v16i dot_step(v16i sum, code_run *run, v16i weights, int32_t codes, int word, int words, int bits) {
    const __m256i four = _mm256_set1_epi32(codes), ones = _mm256_set1_epi16(1);
    if (bits == 8) {
        const __m256i low = _mm256_madd_epi16(wide_pairs(half_of(weights, 0), four), ones);
        const __m256i high = _mm256_madd_epi16(wide_pairs(half_of(weights, 1), four), ones);
        return sum + join_halves(low, high);
    }
    const int length = bits == 4 ? 8 : bits == 5 ? 4 : 2;
    __m256i low = _mm256_maddubs_epi16(half_of(weights, 0), four), high = _mm256_maddubs_epi16(half_of(weights, 1), four);
    if (word % length) {
        low = _mm256_add_epi16(low, half_of(*run, 0));
        high = _mm256_add_epi16(high, half_of(*run, 1));
    }
    if ((word + 1) % length && word + 1 < words) {
        *run = join_halves(low, high);
        return sum;
    }
    return sum + join_halves(_mm256_madd_epi16(low, ones), _mm256_madd_epi16(high, ones));
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
