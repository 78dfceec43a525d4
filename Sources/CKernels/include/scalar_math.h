#ifndef APUS_SCALAR_MATH_H
#define APUS_SCALAR_MATH_H

#include <stdint.h>

// The functions that may decide a token, written out once so that every machine computes the same bits.
// Only IEEE add, multiply, divide, square root and the exactly rounded fused multiply-add are used.
// Errors are stated against the exact result in units in the last place (ULP) of the double.

/// e^x. Below 1 ULP for |x| <= 700; 0 below -745.2, infinity above 709.8, NaN for NaN.
double apus_exp(double x);

/// Natural logarithm. Below 2 ULP; -infinity for 0, NaN below 0.
double apus_log(double x);

/// x^y for x > 0, as exp(y log x): relative error below 3e-16 * (1 + |y log x|). NaN for x < 0.
double apus_pow(double x, double y);

/// Sine and cosine of an angle in radians, |x| < 2^30. Below 2 ULP of max(|result|, 2^-53).
double apus_sin(double x);
double apus_cos(double x);

/// tanh. Below 4 ULP.
double apus_tanh(double x);

/// e^x in single precision, the definition that the vector kernels share. Below 1 ULP of a float.
float apus_expf(float x);

/// The largest of n scores; -infinity for none. NaN scores are passed over.
float apus_row_max(const float *x, int64_t n);

/// weights[i] = e^(x[i] - shift) as apus_expf computes it, and their sum in double precision: 16 virtual lanes
/// (element i belongs to lane i mod 16), each ascending, folded 8, 4, 2, 1. `weights` may be x, or null.
double apus_row_exp(const float *x, int64_t n, float shift, float *weights);

#endif
