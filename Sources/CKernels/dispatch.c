#include "kernels.h"

extern const apus_kernels apus_kernels_portable;

#if defined(__x86_64__)
extern const apus_kernels apus_kernels_avx2;
extern const apus_kernels apus_kernels_avxvnni;
extern const apus_kernels apus_kernels_avx512;

const apus_kernels *const *apus_available_kernels(void) {
    static const apus_kernels *const with_both[] = {
        &apus_kernels_avx512, &apus_kernels_avxvnni, &apus_kernels_avx2, &apus_kernels_portable, 0};
    static const apus_kernels *const without_avxvnni[] = {
        &apus_kernels_avx512, &apus_kernels_avx2, &apus_kernels_portable, 0};
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    const int avxvnni = avx2 && __builtin_cpu_supports("avxvnni");
    const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512vnni");
    if (avxvnni) return avx512 ? with_both : with_both + 1;
    return avx512 ? without_avxvnni : avx2 ? without_avxvnni + 1 : without_avxvnni + 2;
}
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

extern const apus_kernels apus_kernels_neon;

const apus_kernels *const *apus_available_kernels(void) {
    static const apus_kernels *const all[] = {&apus_kernels_neon, &apus_kernels_portable, 0};
    const unsigned long byte_dot_product = 1ul << 20;
    return getauxval(AT_HWCAP) & byte_dot_product ? all : all + 1;
}
#else
const apus_kernels *const *apus_available_kernels(void) {
    static const apus_kernels *const all[] = {&apus_kernels_portable, 0};
    return all;
}
#endif
