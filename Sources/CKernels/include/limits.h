#ifndef APUS_LIMITS_H
#define APUS_LIMITS_H

#include <stdint.h>

// What a processor can do at most with one instruction set: loops that measure it, one thread each. Their results are
// thrown away; the caller keeps the time. They are no part of any model's path.

/// Peak loops of one instruction set. An iteration's operations count a multiply-add as two.
typedef struct {
    const char *name;                 // the kernel table whose instructions these are
    int64_t fma_operations;           // of one iteration of `fma`
    int64_t dot_operations;           // of one iteration of `dot`
    /// Fused multiply-adds of floats on registers alone; the baseline of x86-64, which has none, multiplies and adds.
    void (*fma)(int64_t iterations);
    /// Products of bytes added up in 32 bits, exactly, on registers alone: the byte dot product where there is one, else
    /// the shortest run of instructions that cannot saturate with 7-bit codes.
    void (*dot)(int64_t iterations);
    /// Reads `bytes`, once each, as `streams` parts read side by side: 1, 2, 4, 8 or 16.
    /// `bytes` is a multiple of streams × 256; `ahead` is the distance of prefetches in bytes, 0 for none.
    void (*read)(const uint8_t *base, int64_t bytes, int32_t streams, int32_t ahead);
} apus_limits;

/// Loops for the tables that this machine can run, fastest first; null at the end.
const apus_limits *const *apus_available_limits(void);

#endif
