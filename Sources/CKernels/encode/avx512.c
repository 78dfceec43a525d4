// The encoders compiled for AVX-512. The same bytes: nothing is fused, and every sum has its order.

#if defined(__x86_64__)

#include "encode.h"
#include "group_formats.h"
#include "kernels.h"

#pragma clang fp contract(off)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)

#define TABLE avx512

#include "../lanes.inc"

#include "primitives.inc"

#include "../layout.inc"
#include "../formats.inc"
#include "levels.inc"
#include "search.inc"
#include "blocks.inc"
#include "encode.inc"

#pragma clang attribute pop

#endif
