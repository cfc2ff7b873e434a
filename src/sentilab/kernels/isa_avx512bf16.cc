// AVX-512 with AVX512-BF16: products of pairs of bfloat16 factors, summed in float32.
#define SENTILAB_ISA avx512bf16
#define SENTILAB_NAME "avx512"
#define SENTILAB_WIDTH 16
#define SENTILAB_ROWS 6
#define SENTILAB_BF16
#include "lstm_body.h"
