// AVX-512.

#if defined(__x86_64__)

#include "encode.h"
#include "solve.h"

#pragma clang fp contract(off)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)

#define SOLVER avx512
#define SOLVE_ROWS 8
#define SOLVE_VECTORS 2

#include "../lanes.inc"
#include "solve.inc"

#pragma clang attribute pop

#endif
