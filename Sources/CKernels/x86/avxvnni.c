// AVX2, FMA and F16C with the byte dot product of AVX-VNNI: processors that have it without AVX-512.

#if defined(__x86_64__)

#include "group_formats.h"
#include "kernels.h"

#include <immintrin.h>

#pragma clang fp contract(off)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)

#define TABLE avxvnni
#define PANEL_VECTORS 1
#define QUERY_TILE 2
#define FOR_EACH_QUERY_TILE(DO, ...) DO(1, __VA_ARGS__) DO(2, __VA_ARGS__)
#define TILE_ROWS 4
#define FUSED_ROWS 1
#define FOR_EACH_FUSED_ROWS(DO, ...) DO(1, __VA_ARGS__)
#define FOR_EACH_TILE(DO, ...) DO(1, ##__VA_ARGS__) DO(2, ##__VA_ARGS__) DO(3, ##__VA_ARGS__) DO(4, ##__VA_ARGS__)

#include "../lanes.inc"
#include "ymm.inc"

// Unsigned weights × signed codes, four at a time, exactly.
typedef char code_run;
#define WIDE_CODES_SIGNED 0
#define NARROW_RUNS 0
#define PIN(v) (void)0
INLINE v16i dot_step(v16i sum, code_run *run, v16i weights, int32_t codes, int word, int words, int bits) {
    (void)run, (void)word, (void)words, (void)bits;
    const __m256i four = _mm256_set1_epi32(codes);
    return join_halves(_mm256_dpbusd_avx_epi32(half_of(sum, 0), half_of(weights, 0), four),
                       _mm256_dpbusd_avx_epi32(half_of(sum, 1), half_of(weights, 1), four));
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
