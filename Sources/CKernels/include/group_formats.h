#ifndef APUS_GROUP_FORMATS_H
#define APUS_GROUP_FORMATS_H

#include <stdint.h>

// Formats made of parts: how a number is coded, how many inputs share a scale, how the scale is kept, whether a group has a
// zero point. Their types are numbers above all of GGUF's, put together of the parts.
//
// A row is a run of blocks of the group's inputs (two groups a block where a group has 16): for each 32 inputs the codes in planes
// (4 bits: byte i holds inputs i and i + 16; 2 bits: byte i holds inputs i, i + 8, i + 16, i + 24; 1 bit: byte i holds inputs
// 8 i and on; 8 bits: byte i is input i; lowest bits first; a code of 3, 5 or 6 bits is a plane of 2 or 4 bits with what is left
// above), then the scales, then the zero points, a byte each. A row of a codebook format begins with its scale and its values.

#define APUS_GROUP_FORMAT 0x10000

/// How a number is coded. Integers: code − zero. E2M1 and on: sign, exponent, fraction as in the OCP formats (E1M2: 0 to 1.75 in
/// steps of a quarter; E3M0: 0 and powers of two from a quarter to 16). NF4: 16 quantiles of the normal distribution in −1…1
/// (Dettmers et al. 2023). LUT3, LUT4: 8 or 16 whole numbers in −127…127 of the row's own under one scale.
enum {
    APUS_INT2, APUS_INT3, APUS_INT4, APUS_INT5, APUS_INT6, APUS_INT8, APUS_E2M1, APUS_E1M2, APUS_E3M0, APUS_E2M3,
    APUS_E3M2, APUS_E4M3, APUS_E5M2, APUS_NF4, APUS_LUT3, APUS_LUT4, APUS_CODINGS
};

enum { APUS_SCALE_F16, APUS_SCALE_BF16, APUS_SCALE_F32, APUS_SCALE_E8M0 };

typedef struct {
    int coding;
    int bits;          // of a code
    int group;         // inputs that share a scale: 16, 32, 64 or 128
    int scale_type;
    int zero_points;   // 1: an unsigned code's zero is the group's own
} apus_group_format;

static inline int apus_is_group_format(int32_t type) { return type >= APUS_GROUP_FORMAT; }

static inline int32_t apus_group_type(int coding, int group, int scale_type, int zero_points) {
    const int size = group == 16 ? 0 : group == 32 ? 1 : group == 64 ? 2 : 3;
    return APUS_GROUP_FORMAT + coding + 32 * size + 128 * scale_type + 512 * zero_points;
}

static inline apus_group_format apus_group_format_of(int32_t type) {
    static const uint8_t bits[APUS_CODINGS] = {2, 3, 4, 5, 6, 8, 4, 4, 4, 6, 6, 8, 8, 4, 3, 4};
    apus_group_format format;
    format.coding = type & 15;
    format.bits = bits[format.coding];
    format.group = 16 << (type >> 5 & 3);
    format.scale_type = type >> 7 & 3;
    format.zero_points = type >> 9 & 1;
    return format;
}

static inline int apus_has_codebook(const apus_group_format *format) {
    return format->coding == APUS_LUT3 || format->coding == APUS_LUT4;
}
/// Bytes of a scale.
static inline int apus_scale_bytes(const apus_group_format *format) {
    return format->scale_type == APUS_SCALE_F32 ? 4 : format->scale_type == APUS_SCALE_E8M0 ? 1 : 2;
}
/// Inputs of a block, and its bytes.
static inline int apus_group_block(const apus_group_format *format) { return format->group < 32 ? 32 : format->group; }
static inline int apus_group_block_bytes(const apus_group_format *format) {
    const int block = apus_group_block(format), codes = block / 8 * format->bits;
    if (apus_has_codebook(format)) return codes;
    return codes + block / format->group * (apus_scale_bytes(format) + format->zero_points);
}
/// Bytes of a panel's cell: a block of 32 outputs; and before its first cell: a codebook's scales and values.
static inline int apus_group_cell_bytes(const apus_group_format *format) {
    return apus_group_block_bytes(format) * 32;
}
static inline int apus_panel_head_bytes(const apus_group_format *format) {
    return apus_has_codebook(format) ? 32 * 4 + 32 * 16 : 0;
}
/// Bytes before a row's first block: a codebook's scale (F32) and values.
static inline int apus_row_header_bytes(const apus_group_format *format) {
    return apus_has_codebook(format) ? 4 + (1 << format->bits) : 0;
}
/// What a product's unsigned codes have added to them: E3M2's number is 16 × (high − 28) + (low − 15). Formats with zero
/// points keep theirs, but for INT8.
static inline int apus_group_zero(const apus_group_format *format) {
    switch (format->coding) {
        case APUS_E2M1: return 12;
        case APUS_E1M2: return 7;
        case APUS_E3M2: return 463;
        case APUS_E3M0: case APUS_E2M3: case APUS_LUT3: case APUS_LUT4: return 128;
        default: return format->zero_points ? 0 : 1 << (format->bits - 1);
    }
}
/// The value of a whole code's step: E2M1 counts halves, E3M2 sixteenths.
static inline float apus_group_unit(const apus_group_format *format) {
    switch (format->coding) {
        case APUS_E2M1: return 0.5f;
        case APUS_E1M2: case APUS_E3M0: return 0.25f;
        case APUS_E2M3: return 0.125f;
        case APUS_E3M2: return 0.0625f;
        default: return 1;
    }
}
/// True where a number is its coded value times the scale, as a float, and products are sums of floats.
static inline int apus_is_float_coded(const apus_group_format *format) {
    return format->coding >= APUS_E4M3 && format->coding <= APUS_NF4;
}

#endif
