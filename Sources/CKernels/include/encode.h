#ifndef APUS_ENCODE_H
#define APUS_ENCODE_H

#include <stdint.h>

/// How hard `apus_encode` looks for scales.
enum {
    APUS_PLAIN,    // a group's scale follows from its extremes, as the format's reference encoder does it
    APUS_SEARCH,   // the scales with the least weighted squared error that a search finds
};

/// Rows of floats as bytes of a format. Every table of instructions gives the same bytes.
typedef struct {
    const float *x;            // row r at x + r * stride
    int64_t stride, inputs;
    const float *importance;   // what an input's squared error counts, [inputs], or null: 1
    int32_t type;
    int32_t effort;
    int32_t emphasis;          // 1: × sqrt(mean square of the row + x²), which favours large weights
    uint8_t *out;              // row r at out + r * row_bytes
    int64_t row_bytes;
    double *errors;            // [rows] weighted squared errors, or null
} apus_encode_arguments;

/// Rows `begin` up to `end`. x must be finite. Float types and codebook formats are not encoded here.
void apus_encode(const apus_encode_arguments *arguments, int64_t begin, int64_t end);
/// The same, and the same bytes, by the C that any processor runs.
void apus_encode_portably(const apus_encode_arguments *arguments, int64_t begin, int64_t end);

/// What a block's bytes say: the stored codes [inputs] and each group's scale and minimum, value = scale × level(code) + minimum.
/// Returns the inputs of a group.
int32_t apus_read_block(int32_t type, const uint8_t *block, uint8_t *codes, float *scales, float *minimums);

/// Puts other codes into a block, whose scales stay.
void apus_write_codes(int32_t type, const uint8_t *codes, uint8_t *block);

/// A row of a format made of parts (not a codebook): stored codes [inputs], for each group a scale that the format can keep, and a
/// zero point where it has them.
void apus_write_row(int32_t type, const uint8_t *codes, const float *scales, const uint8_t *zeros, int64_t inputs, uint8_t *out);

/// The nearest stored code of n numbers, each with its own scale and minimum, and the value it stands for.
void apus_nearest(int32_t type, const float *x, const float *scales, const float *minimums, int64_t n, uint8_t *codes, float *values);

/// Inputs and bytes of a block of a quantized type; 0 for others.
int32_t apus_block_inputs(int32_t type);
int32_t apus_block_bytes(int32_t type);

#endif
