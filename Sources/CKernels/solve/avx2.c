// AVX2 and FMA.

#if defined(__x86_64__)

#include "encode.h"
#include "solve.h"

#pragma clang fp contract(off)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define SOLVER avx2
#define SOLVE_ROWS 4
#define SOLVE_VECTORS 1

#include "../lanes.inc"
#include "solve.inc"

#pragma clang attribute pop

#endif
