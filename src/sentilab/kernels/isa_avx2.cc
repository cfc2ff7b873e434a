// AVX2 with FMA: 8 floats in a vector, 16 registers.
#define SENTILAB_ISA avx2
#define SENTILAB_NAME "avx2"
#define SENTILAB_WIDTH 8
#define SENTILAB_ROWS 3
#include "lstm_body.h"
