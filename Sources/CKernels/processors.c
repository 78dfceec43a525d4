#define _GNU_SOURCE
#include "kernels.h"

#if defined(__linux__)
#include <sched.h>

int apus_processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}
#else
int apus_processors(void) { return 1; }
#endif
