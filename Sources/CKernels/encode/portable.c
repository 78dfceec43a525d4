// Encoders in C that any processor runs, what swift asks of them, and the choice of the fastest that this one can run.

#include "encode.h"
#include "group_formats.h"
#include "kernels.h"

#pragma clang fp contract(off)

#define TABLE portable

#include "../lanes.inc"

#include "primitives.inc"

#include "../layout.inc"
#include "../formats.inc"
#include "levels.inc"
#include "search.inc"
#include "blocks.inc"
#include "encode.inc"

#if defined(__x86_64__)
extern const apus_encoder apus_encoder_avx2, apus_encoder_avx512;

static const apus_encoder *fastest(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl"))
        return &apus_encoder_avx512;
    return __builtin_cpu_supports("avx2") ? &apus_encoder_avx2 : &apus_encoder_portable;
}
#else
static const apus_encoder *fastest(void) { return &apus_encoder_portable; }
#endif

void apus_encode(const apus_encode_arguments *a, int64_t begin, int64_t end) { fastest()->encode(a, begin, end); }
void apus_encode_portably(const apus_encode_arguments *a, int64_t begin, int64_t end) { encode(a, begin, end); }
void apus_nearest(int32_t type, const float *x, const float *scales, const float *minimums, int64_t n, uint8_t *codes, float *values) {
    fastest()->nearest(type, x, scales, minimums, n, codes, values);
}
int32_t apus_read_block(int32_t type, const uint8_t *block, uint8_t *codes, float *scales, float *minimums) {
    return read_block(type, block, codes, scales, minimums);
}
void apus_write_codes(int32_t type, const uint8_t *codes, uint8_t *block) { write_codes(type, codes, block); }
void apus_write_row(int32_t type, const uint8_t *codes, const float *scales, const uint8_t *zeros, int64_t inputs, uint8_t *out) {
    write_row(type, codes, scales, zeros, inputs, out);
}
int32_t apus_block_inputs(int32_t type) { return coder_of(type).block; }
int32_t apus_block_bytes(int32_t type) { return coder_of(type).block_bytes; }
