// AVX-512 with the byte dot product of VNNI: 64 products an instruction.

#if defined(__x86_64__)

#include "limits.h"

#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)

#define LIMITS avx512
#define BYTES 64
#define CHAINS 16
#define DOT_PRODUCTS 64
#define KEEP(x) __asm__ volatile("" : "+v"(x))
#define FMA_STEP(sum, factor, term) sum = (vector_float)_mm512_fmadd_ps((__m512)sum, (__m512)factor, (__m512)term)
#define DOT_STEP(sum, weights, codes) \
    sum = (vector_int)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)weights, (__m512i)codes)

#include "limits.inc"

#pragma clang attribute pop

#endif
