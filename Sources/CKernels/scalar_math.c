#include "scalar_math.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#pragma clang fp contract(off)

static double bits_to_double(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t double_to_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// 2^n for -1022 <= n <= 1023.
static double power_of_two(int n) { return bits_to_double((uint64_t)(n + 1023) << 52); }

// Round to the nearest whole number, ties to even, for |x| < 2^51: adding 1.5 * 2^52 leaves no fraction bits.
static double round_to_even(double x) {
    const double magic = 6755399441055744.0;
    return (x + magic) - magic;
}

double apus_exp(double x) {
    if (x != x) return x;
    if (x > 709.79) return (double)INFINITY;
    if (x < -745.2) return 0.0;
    const double n = round_to_even(x * 1.4426950408889634074);
    double r = fma(n, -0.6931471805599453094, x);
    r = fma(n, -2.3190468138462995584e-17, r);
    // Taylor to degree 13: the next term is below 4e-18 of the result for |r| <= ln(2)/2.
    double p = 1.6059043836821614599e-10;
    p = fma(p, r, 2.0876756987868098979e-9);
    p = fma(p, r, 2.5052108385441718775e-8);
    p = fma(p, r, 2.7557319223985890653e-7);
    p = fma(p, r, 2.7557319223985890653e-6);
    p = fma(p, r, 2.4801587301587301587e-5);
    p = fma(p, r, 1.9841269841269841270e-4);
    p = fma(p, r, 1.3888888888888888889e-3);
    p = fma(p, r, 8.3333333333333333333e-3);
    p = fma(p, r, 4.1666666666666666667e-2);
    p = fma(p, r, 1.6666666666666666667e-1);
    p = fma(p, r, 0.5);
    p = fma(p * r, r, r);
    // Two factors, so that results below the normal range round once and gradually.
    const int k = (int)n, half = k / 2;
    return (1.0 + p) * power_of_two(half) * power_of_two(k - half);
}

double apus_log(double x) {
    if (x != x || x < 0) return (double)NAN;
    if (x == 0) return -(double)INFINITY;
    if (x > 1.7976931348623157e308) return x;
    int e = 0;
    if (x < 2.2250738585072014e-308) {
        x *= 18014398509481984.0;
        e = -54;
    }
    uint64_t bits = double_to_bits(x);
    e += (int)(bits >> 52) - 1023;
    double m = bits_to_double((bits & 0xFFFFFFFFFFFFFULL) | 0x3FF0000000000000ULL);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        e += 1;
    }
    // log m = 2 atanh(s), s = (m-1)/(m+1), |s| <= 0.1716.
    const double f = m - 1.0, s = f / (m + 1.0), z = s * s;
    double p = 1.0 / 23.0;
    p = fma(p, z, 1.0 / 21.0);
    p = fma(p, z, 1.0 / 19.0);
    p = fma(p, z, 1.0 / 17.0);
    p = fma(p, z, 1.0 / 15.0);
    p = fma(p, z, 1.0 / 13.0);
    p = fma(p, z, 1.0 / 11.0);
    p = fma(p, z, 1.0 / 9.0);
    p = fma(p, z, 1.0 / 7.0);
    p = fma(p, z, 1.0 / 5.0);
    p = fma(p, z, 1.0 / 3.0);
    // 2s = f - s f exactly in the reals; keeping f leading keeps its last bit.
    const double correction = fma(2.0 * s * z, p, -(s * f));
    const double k = (double)e;
    return fma(k, 0.6931471805599453094, fma(k, 2.3190468138462995584e-17, correction) + f);
}

double apus_pow(double x, double y) {
    if (x < 0) return (double)NAN;
    if (x == 0) return y > 0 ? 0.0 : (y == 0 ? 1.0 : (double)INFINITY);
    return apus_exp(y * apus_log(x));
}

static double sine_near_zero(double r) {
    const double z = r * r;
    double p = 2.8114572543455207632e-15;
    p = fma(p, z, -7.6471637318198164759e-13);
    p = fma(p, z, 1.6059043836821614599e-10);
    p = fma(p, z, -2.5052108385441718775e-8);
    p = fma(p, z, 2.7557319223985890653e-6);
    p = fma(p, z, -1.9841269841269841270e-4);
    p = fma(p, z, 8.3333333333333333333e-3);
    p = fma(p, z, -1.6666666666666666667e-1);
    return fma(p * z, r, r);
}

static double cosine_near_zero(double r) {
    const double z = r * r;
    double p = -1.5619206968586226462e-16;
    p = fma(p, z, 4.7794773323873852974e-14);
    p = fma(p, z, -1.1470745597729724714e-11);
    p = fma(p, z, 2.0876756987868098979e-9);
    p = fma(p, z, -2.7557319223985890653e-7);
    p = fma(p, z, 2.4801587301587301587e-5);
    p = fma(p, z, -1.3888888888888888889e-3);
    p = fma(p, z, 4.1666666666666666667e-2);
    p = fma(p, z, -0.5);
    return fma(p, z, 1.0);
}

// x minus the nearest multiple of pi/2, in three parts of pi/2; quadrant gets that multiple modulo 4.
static double reduce_quadrant(double x, int *quadrant) {
    const double n = round_to_even(x * 0.63661977236758134308);
    double r = fma(n, -1.5707963267948965580, x);
    r = fma(n, -6.1232339957367660359e-17, r);
    r = fma(n, 1.4973849048591833e-33, r);
    *quadrant = (int)((int64_t)n & 3);
    return r;
}

double apus_sin(double x) {
    int quadrant;
    const double r = reduce_quadrant(x, &quadrant);
    const double value = (quadrant & 1) ? cosine_near_zero(r) : sine_near_zero(r);
    return (quadrant & 2) ? -value : value;
}

double apus_cos(double x) {
    int quadrant;
    const double r = reduce_quadrant(x, &quadrant);
    const double value = (quadrant & 1) ? sine_near_zero(r) : cosine_near_zero(r);
    return (quadrant == 1 || quadrant == 2) ? -value : value;
}

double apus_tanh(double x) {
    const double a = x < 0 ? -x : x;
    double t;
    if (a < 0.3) {
        // sinh / cosh by series keeps the relative precision that 1 - 2/(e^2a + 1) would cancel away.
        const double z = a * a;
        double s = 1.0 / 6227020800.0;
        s = fma(s, z, 1.0 / 39916800.0);
        s = fma(s, z, 1.0 / 362880.0);
        s = fma(s, z, 1.0 / 5040.0);
        s = fma(s, z, 1.0 / 120.0);
        s = fma(s, z, 1.0 / 6.0);
        double c = 1.0 / 479001600.0;
        c = fma(c, z, 1.0 / 3628800.0);
        c = fma(c, z, 1.0 / 40320.0);
        c = fma(c, z, 1.0 / 720.0);
        c = fma(c, z, 1.0 / 24.0);
        c = fma(c, z, 0.5);
        t = fma(s * z, a, a) / fma(c, z, 1.0);
    } else if (a > 20.0) {
        t = 1.0;
    } else {
        t = 1.0 - 2.0 / (apus_exp(2.0 * a) + 1.0);
    }
    return x < 0 ? -t : t;
}

float apus_expf(float x) {
    if (x != x) return x;
    if (x > 88.73f) return (float)INFINITY;
    if (x < -104.0f) return 0.0f;
    const float magic = 12582912.0f;
    const float n = (x * 1.44269504088896341f + magic) - magic;
    float r = fmaf(n, -0.693359375f, x);
    r = fmaf(n, 2.12194440e-4f, r);
    float p = 1.9875691500e-4f;
    p = fmaf(p, r, 1.3981999507e-3f);
    p = fmaf(p, r, 8.3334519073e-3f);
    p = fmaf(p, r, 4.1665795894e-2f);
    p = fmaf(p, r, 1.6666665459e-1f);
    p = fmaf(p, r, 5.0000001201e-1f);
    p = fmaf(p * r, r, r) + 1.0f;
    const int32_t k = (int32_t)n, half = k >> 1;
    const uint32_t a = (uint32_t)(half + 127) << 23, b = (uint32_t)(k - half + 127) << 23;
    float fa, fb;
    memcpy(&fa, &a, sizeof fa);
    memcpy(&fb, &b, sizeof fb);
    return p * fa * fb;
}

float apus_row_max(const float *x, int64_t n) {
    float largest = -(float)INFINITY;
    for (int64_t i = 0; i < n; i++) largest = x[i] > largest ? x[i] : largest;
    return largest;
}

double apus_row_exp(const float *x, int64_t n, float shift, float *weights) {
    double lanes[16] = {0};
    for (int64_t i = 0; i < n; i++) {
        const float weight = apus_expf(x[i] - shift);
        if (weights) weights[i] = weight;
        lanes[i & 15] += (double)weight;
    }
    for (int width = 8; width >= 1; width /= 2)
        for (int lane = 0; lane < width; lane++) lanes[lane] += lanes[lane + width];
    return lanes[0];
}
