// GHOST_HD marks a function that runs on both devices, so that a formula is written once.
#pragma once

#if defined(__CUDACC__)
#define GHOST_HD __host__ __device__
#else
#define GHOST_HD
#endif
