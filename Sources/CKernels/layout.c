// What Swift asks about the layout of panels.

#include "kernels.h"
#include "layout.inc"

int64_t apus_panel_bytes(int32_t type, int64_t inputs) {
#define BYTES_CASE(name, number, block_inputs, block_bytes, group, has_minimum, zero, bits, plane_bytes, tail_bytes) \
    case number: return inputs / (block_inputs) * ((plane_bytes) * (block_inputs) / 32 + (tail_bytes));
    switch (type) {
        FOR_EACH_FORMAT(BYTES_CASE)
        case APUS_F32: return inputs * APUS_PANEL * 4;
        default: return inputs * APUS_PANEL * 2;
    }
}

int32_t apus_preparation(int32_t type) {
#define PREPARATION_CASE(name, number, block_inputs, block_bytes, group, has_minimum, zero, bits, plane_bytes, tail_bytes) \
    case number: return 1 + (zero) + 256 * (group) + 65536 * (has_minimum);
    switch (type) {
        FOR_EACH_FORMAT(PREPARATION_CASE)
        default: return 0;
    }
}
