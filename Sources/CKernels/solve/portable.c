// C that any processor runs.

#include "encode.h"
#include "solve.h"

#pragma clang fp contract(off)

#define SOLVER portable
#define SOLVE_ROWS 2
#define SOLVE_VECTORS 1

#include "../lanes.inc"
#include "solve.inc"
