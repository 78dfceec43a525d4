#include "limits.h"

extern const apus_limits apus_limits_portable;

#if defined(__x86_64__)
extern const apus_limits apus_limits_avx2;
extern const apus_limits apus_limits_avxvnni;
extern const apus_limits apus_limits_avx512;

const apus_limits *const *apus_available_limits(void) {
    static const apus_limits *const with_both[] = {
        &apus_limits_avx512, &apus_limits_avxvnni, &apus_limits_avx2, &apus_limits_portable, 0};
    static const apus_limits *const without_avxvnni[] = {
        &apus_limits_avx512, &apus_limits_avx2, &apus_limits_portable, 0};
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const int avxvnni = avx2 && __builtin_cpu_supports("avxvnni");
    const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512vnni");
    if (avxvnni) return avx512 ? with_both : with_both + 1;
    return avx512 ? without_avxvnni : avx2 ? without_avxvnni + 1 : without_avxvnni + 2;
}
#else
const apus_limits *const *apus_available_limits(void) {
    static const apus_limits *const all[] = {&apus_limits_portable, 0};
    return all;
}
#endif
