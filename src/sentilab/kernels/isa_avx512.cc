// AVX-512: 16 floats in a vector, 32 registers.
#define SENTILAB_ISA avx512
#define SENTILAB_NAME "avx512"
#define SENTILAB_WIDTH 16
#define SENTILAB_ROWS 6
#include "lstm_body.h"
