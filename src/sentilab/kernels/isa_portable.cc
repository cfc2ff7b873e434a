// What every processor of this build's architecture has: four floats in a vector.
#ifdef __ARM_NEON
#define SENTILAB_NAME "neon"
#define SENTILAB_ROWS 6  // 32 registers
#else
#define SENTILAB_NAME "portable"
#define SENTILAB_ROWS 3  // 16 registers
#endif
#define SENTILAB_ISA portable
#define SENTILAB_WIDTH 4
#include "lstm_body.h"
