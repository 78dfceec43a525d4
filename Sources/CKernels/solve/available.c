#include "solve.h"

#include <math.h>

extern const apus_solver apus_solver_portable;

#if defined(__x86_64__)
extern const apus_solver apus_solver_avx2;
extern const apus_solver apus_solver_avx512;

const apus_solver *const *apus_available_solvers(void) {
    static const apus_solver *const all[] = {&apus_solver_avx512, &apus_solver_avx2, &apus_solver_portable, 0};
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return avx512 ? all : avx2 ? all + 1 : all + 2;
}
#else
const apus_solver *const *apus_available_solvers(void) {
    static const apus_solver *const all[] = {&apus_solver_portable, 0};
    return all;
}
#endif

int64_t apus_cholesky_block(float *a, int64_t stride, int64_t size) {
    for (int64_t j = 0; j < size; j++) {
        // Sums in double: the pivots carry the whole matrix's accuracy.
        for (int64_t i = j; i < size; i++) {
            double sum = a[i * stride + j];
            for (int64_t k = 0; k < j; k++) sum -= (double)a[i * stride + k] * (double)a[j * stride + k];
            if (i == j) {
                if (!(sum > 0) || !(sum < INFINITY)) return j;
                a[j * stride + j] = (float)sqrt(sum);
            } else {
                a[i * stride + j] = (float)(sum / (double)a[j * stride + j]);
            }
        }
    }
    return -1;
}
