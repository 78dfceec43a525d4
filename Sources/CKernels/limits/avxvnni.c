// AVX2 and FMA with the byte dot product of AVX-VNNI: 32 products an instruction.

#if defined(__x86_64__)

#include "limits.h"

#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni"))), apply_to = function)

#define LIMITS avxvnni
#define BYTES 32
#define CHAINS 12
#define DOT_PRODUCTS 32
#define KEEP(x) __asm__ volatile("" : "+x"(x))
#define FMA_STEP(sum, factor, term) sum = (vector_float)_mm256_fmadd_ps((__m256)sum, (__m256)factor, (__m256)term)
#define DOT_STEP(sum, weights, codes) \
    sum = (vector_int)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)weights, (__m256i)codes)

#include "limits.inc"

#pragma clang attribute pop

#endif
