/* The kernels for whatever the compiler targets by default (SSE2 on x86-64). */
#define MT_ISA baseline
#define MT_TILE_BYTES 16
#define MT_LINE_BYTES 16
#define MT_PRODUCT_ROWS 2
#define MT_PRODUCT_LEAST 0
#define MT_PRODUCT_MOST 8192
#define MT_STRIP 1
#define MT_PACKED_PANEL_F32 24
#define MT_PACKED_PANEL_F64 24
#define MT_DOT_ROWS 2
#define MT_ISA_NAME "baseline"
#include "kernels.inc"
