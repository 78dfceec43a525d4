// What Swift asks about the layout of panels.

#include "group_formats.h"
#include "kernels.h"
#include "layout.inc"

int64_t apus_panel_bytes(int32_t type, int64_t inputs) {
    if (apus_is_group_format(type)) {
        const apus_group_format format = apus_group_format_of(type);
        return apus_panel_head_bytes(&format) + inputs / apus_group_block(&format) * apus_group_cell_bytes(&format);
    }
#define BYTES_CASE(name, number, block_inputs, block_bytes, group, has_minimum, zero, bits, plane_bytes, tail_bytes) \
    case number: return inputs / (block_inputs) * ((plane_bytes) * (block_inputs) / 32 + (tail_bytes));
    switch (type) {
        FOR_EACH_FORMAT(BYTES_CASE)
        case APUS_F32: return inputs * APUS_PANEL * 4;
        default: return inputs * APUS_PANEL * 2;
    }
}

int32_t apus_preparation(int32_t type) {
    if (apus_is_group_format(type)) {
        const apus_group_format format = apus_group_format_of(type);
        if (apus_is_float_coded(&format)) return 0;
        return 1 + apus_group_zero(&format) + 256 * (format.group < 32 ? 16 : 32) + 65536 * format.zero_points;
    }
#define PREPARATION_CASE(name, number, block_inputs, block_bytes, group, has_minimum, zero, bits, plane_bytes, tail_bytes) \
    case number: return 1 + (zero) + 256 * (group) + 65536 * (has_minimum);
    switch (type) {
        FOR_EACH_FORMAT(PREPARATION_CASE)
        default: return 0;
    }
}
