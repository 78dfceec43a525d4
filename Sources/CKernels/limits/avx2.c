// AVX2 and FMA: bytes multiply and add pairwise into 16 bits, those pairwise into 32, then to the sum: 32 products in three
// instructions.

#if defined(__x86_64__)

#include "limits.h"

#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define LIMITS avx2
#define BYTES 32
#define CHAINS 10
#define DOT_PRODUCTS 32
#define KEEP(x) __asm__ volatile("" : "+x"(x))
#define FMA_STEP(sum, factor, term) sum = (vector_float)_mm256_fmadd_ps((__m256)sum, (__m256)factor, (__m256)term)
#define DOT_STEP(sum, weights, codes)                                                                        \
    sum += (vector_int)_mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)weights, (__m256i)codes), \
                                         _mm256_set1_epi16(1))

#include "limits.inc"

#pragma clang attribute pop

#endif
