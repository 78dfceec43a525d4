#include "limits.h"

extern const apus_limits apus_limits_portable;

#if defined(__x86_64__)
extern const apus_limits apus_limits_avx2;
extern const apus_limits apus_limits_avx512;

const apus_limits *const *apus_available_limits(void) {
    static const apus_limits *const all[] = {&apus_limits_avx512, &apus_limits_avx2, &apus_limits_portable, 0};
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512vnni");
    return avx512 ? all : avx2 ? all + 1 : all + 2;
}
#else
const apus_limits *const *apus_available_limits(void) {
    static const apus_limits *const all[] = {&apus_limits_portable, 0};
    return all;
}
#endif
