// What every processor of the architecture has. x86-64: SSE2, where codes widen to 16 bits before they multiply, 8 products
// an instruction, and a float multiply-add is two instructions. Arm: NEON's fused multiply-add and long products.

#include "limits.h"

#define LIMITS portable
#define BYTES 16
#define CHAINS 10

#if defined(__x86_64__)
#include <emmintrin.h>
#define DOT_PRODUCTS 8
#define KEEP(x) __asm__ volatile("" : "+x"(x))
#define FMA_STEP(sum, factor, term) sum = sum * factor + term
#define DOT_STEP(sum, weights, codes) sum += (vector_int)_mm_madd_epi16((__m128i)weights, (__m128i)codes)
#elif defined(__aarch64__)
#include <arm_neon.h>
#define DOT_PRODUCTS 16
#define KEEP(x) __asm__ volatile("" : "+w"(x))
#define FMA_STEP(sum, factor, term) sum = (vector_float)vfmaq_f32((float32x4_t)term, (float32x4_t)sum, (float32x4_t)factor)
#define DOT_STEP(sum, weights, codes)                                                                         \
    {                                                                                                         \
        const int8x16_t w = (int8x16_t)weights, c = (int8x16_t)codes;                                         \
        const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(c));                                       \
        sum = (vector_int)vpadalq_s16((int32x4_t)sum, vmlal_s8(low, vget_high_s8(w), vget_high_s8(c)));       \
    }
#else
#define DOT_PRODUCTS 4
#define KEEP(x) __asm__ volatile("" : "+m"(x))
#define FMA_STEP(sum, factor, term) sum = sum * factor + term
#define DOT_STEP(sum, weights, codes) sum += weights * codes
#endif

#pragma clang fp contract(off)

#include "limits.inc"
