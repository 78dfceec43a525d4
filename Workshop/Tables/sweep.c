// Functions of one float over all 2^32 floats, against the system's library in double precision: the largest error in units in
// the last place of the result, and the largest absolute error where results are tiny. See README.md.

#include "kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 4096

static const apus_kernels *table;
static const float cap = 30;

static double libm_exp(double x) { return exp(x); }
static double libm_silu(double x) { return x / (1 + exp(-x)); }
static double libm_gelu(double x) { return x / (1 + exp(-2 * 0.7978845608028654 * (x + 0.044715 * x * x * x))); }
static double libm_cap(double x) { return cap * tanh(x / cap); }

static void own_exp(float *x) { table->row_exp(x, BATCH, 0, x); }
static void elementwise(apus_operation operation, float *x) {
    static float ones[BATCH];
    for (int i = 0; i < BATCH; i++) ones[i] = 1;
    apus_elementwise_arguments a = {x, BATCH, ones, BATCH, BATCH, cap};
    operation(&a, 0, 1, 0);
}
static void own_silu(float *x) { elementwise(table->gated_silu, x); }
static void own_gelu(float *x) { elementwise(table->gelu, x); }
static void own_cap(float *x) { elementwise(table->soft_cap, x); }
static void own_sine(float *x) { for (int i = 0; i < BATCH; i++) x[i] = (float)apus_sin((double)x[i]); }
static void own_cosine(float *x) { for (int i = 0; i < BATCH; i++) x[i] = (float)apus_cos((double)x[i]); }

typedef struct {
    const char *name;
    void (*own)(float *);
    double (*exact)(double);
    // Inputs from low to high and no smaller than this have their error told in units in the last place, others absolutely.
    double low, high, smallest;
} function;
static const function functions[] = {
    {"exp", own_exp, libm_exp, -INFINITY, INFINITY, 0},
    {"silu", own_silu, libm_silu, -87, INFINITY, 0},
    {"gelu (tanh)", own_gelu, libm_gelu, -3, INFINITY, 0},
    {"30 tanh(x / 30)", own_cap, libm_cap, -INFINITY, INFINITY, 1e-36},
    {"sin, |x| <= 2^20", own_sine, sin, -1048576, 1048576, 0},
    {"cos, |x| <= 2^20", own_cosine, cos, -1048576, 1048576, 0},
};

static double unit(double exact) {
    const float rounded = fabsf((float)exact);
    if (rounded < 1.17549435e-38f) return 1.401298464324817e-45;
    if (isinf(rounded)) return 2.028240960365167e31;
    return (double)nextafterf(rounded, INFINITY) - (double)rounded;
}

int main(int count, char **arguments) {
    const uint64_t stride = count > 1 ? strtoull(arguments[1], 0, 10) : 1;
    const char *wanted = count > 2 ? arguments[2] : "";
    table = apus_available_kernels()[0];
    printf("%s, every %llu. float\n", table->name, (unsigned long long)stride);
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        const function *g = &functions[f];
        if (!strstr(g->name, wanted)) continue;
        double worst = 0, worst_outside = 0, at = 0;
        static float x[BATCH], y[BATCH];
        for (uint64_t bits = 0; bits < 1ull << 32; bits += BATCH * stride) {
            for (uint64_t i = 0; i < BATCH; i++) {
                const uint32_t b = (uint32_t)(bits + i * stride);
                memcpy(&x[i], &b, 4);
            }
            memcpy(y, x, sizeof y);
            g->own(y);
            for (int i = 0; i < BATCH; i++) {
                const double exact = g->exact((double)x[i]);
                if (isnan(exact) || isinf((float)exact)) {
                    // A quotient of infinities is no value of these functions' inputs in use.
                    if (isnan(x[i]) && !isnan(y[i])) printf("%s loses a NaN\n", g->name), exit(1);
                    continue;
                }
                const double error = fabs((double)y[i] - exact);
                const double input = (double)x[i];
                if (input > g->high || (g->low == -g->high && input < g->low)) continue;
                if (input < g->low || fabs(input) < g->smallest) {
                    if (error > worst_outside) worst_outside = error;
                } else if (error > worst * unit(exact)) {
                    worst = error / unit(exact);
                    at = (double)x[i];
                }
            }
        }
        printf("%-18s %.3f units in the last place at %.9g", g->name, worst, at);
        if (worst_outside > 0) printf("; elsewhere %.3g absolute", worst_outside);
        printf("\n");
        fflush(stdout);
    }
}
