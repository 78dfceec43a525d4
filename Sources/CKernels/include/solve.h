#ifndef APUS_SOLVE_H
#define APUS_SOLVE_H

#include <stdint.h>

#include "kernels.h"

// Dense linear algebra of single precision for compression: sums of squares of inputs, updates by products, triangular systems,
// rounding with error feedback. Operations over independent items like those of kernels.h; every element is one chain in a
// fixed order, so that neither threads nor tables change a bit.

/// Items: panels of 32 columns. x [rows][stride] as panels [panel][rows][32], zeros beyond the last column.
typedef struct {
    const float *x;
    int64_t stride, rows, columns;
    float *panels;
} apus_gram_pack_arguments;

/// Items: pairs of panels (j >= i), numbered row by row of the upper triangle. g [columns][stride] += xᵀx, upper triangle by whole
/// blocks of 32. Each element: a chain over the rows from zero, then one addition.
typedef struct {
    const float *panels;
    int64_t rows, columns;
    float *g;
    int64_t stride;
} apus_gram_arguments;

/// Items: strips of 32 columns. c [rows][c_stride] -= a [rows][a_stride] · b [depth][b_stride]; each element is a chain over the depth
/// that goes on from c. c and b have whole strips within their strides.
typedef struct {
    float *c;
    int64_t c_stride, rows, columns;
    const float *a;
    int64_t a_stride;
    const float *b;
    int64_t b_stride, depth;
    int32_t lower;      // 1: of a strip only rows from its first column on (a square, lower triangle)
    int32_t b_lower;    // 1: b is a lower triangle: its rows before a strip's first column are passed over
} apus_update_arguments;

/// Items: rows. x [rows][stride] := x · l⁻ᵀ for lower triangular l [size][l_stride]; size at most 64.
typedef struct {
    float *x;
    int64_t stride, size;
    const float *l;
    int64_t l_stride;
} apus_triangle_arguments;

/// Evenly spaced levels `lowest` … `highest` one apart, with codes ascending from `first_code`; `is_even` 0: levels as encode.h has
/// them for the type.
typedef struct {
    int32_t type, is_even;
    float lowest, highest;
    int32_t first_code;
} apus_levels;

/// Rounds with error feedback (GPTQ, section 3.3). Items: rows of w. Columns `first` up to `last` of w become values of the grid: the
/// nearest to what each has become, whose error over u's diagonal times u's row is taken from the columns up to `last`.
/// errors [rows][last - first] for the columns beyond.
typedef struct {
    float *w;
    int64_t stride, first, last;
    const float *u;             // upper triangular with uᵀu = H⁻¹, [columns][u_stride]
    int64_t u_stride;
    apus_levels levels;
    const float *scales;        // of column j: scales[row * groups + group_of[j]]
    const float *minimums;
    int64_t groups;
    const int32_t *group_of;    // [columns]
    uint8_t *codes;             // [rows][code_stride]
    int64_t code_stride;
    float *errors;
    int64_t error_stride;
} apus_feedback_arguments;

/// Coordinate descent on codes: items are rows. `d` [rows][stride] is value − target, `g` = d · h. Goes through the columns in order; a
/// column's code becomes that of the value that is best with all others fixed; d and g follow. `changes` [rows] counts.
typedef struct {
    float *d, *g;
    int64_t stride, columns;
    const float *h;
    int64_t h_stride;
    const float *targets;       // [rows][target_stride]
    int64_t target_stride;
    apus_levels levels;
    const float *scales, *minimums;
    int64_t groups;
    const int32_t *group_of;
    uint8_t *codes;
    int64_t code_stride;
    int32_t *changes;
} apus_descent_arguments;

/// Coordinate descent on scales, codes as they are: items are rows. A group's scale is supers × factor and its minimum
/// −super_minimums × offset, whole numbers in their ranges (or fixed), the supers halves. Each becomes the best with all others fixed.
typedef struct {
    float *d, *g;               // value − target, and d · h
    int64_t stride, columns;
    const float *h;
    int64_t h_stride;
    const float *levels;        // of the codes, [rows][level_stride]
    int64_t level_stride;
    float *scales, *minimums;   // [rows][groups]; follow
    int64_t groups, group;      // a group is `group` columns next to each other
    int32_t *factors, *offsets; // [rows][groups]
    float *supers, *super_minimums; // [rows][groups / together]
    int64_t together;           // groups under one super
    int32_t lowest_factor, highest_factor, highest_offset; // equal ends: fixed; highest_offset 0: fixed
    int32_t has_minimum;
} apus_rescale_arguments;

typedef struct {
    const char *name;
    apus_operation gram_pack, gram, update, triangle, feedback, descent, rescale;
} apus_solver;

/// Cholesky factor of the symmetric a [size][stride], whose lower triangle is read and replaced; returns the index of the first pivot
/// that is not above 0, or -1. For blocks: O(size³) on one thread.
int64_t apus_cholesky_block(float *a, int64_t stride, int64_t size);

/// The solvers this machine can run, fastest first; null at the end.
const apus_solver *const *apus_available_solvers(void);

#endif
