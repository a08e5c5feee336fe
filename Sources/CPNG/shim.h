/* libpng's simplified API for Swift. */
#ifndef FRAMEPATH_CPNG_H
#define FRAMEPATH_CPNG_H

#include <png.h>

/* libpng's bound on the bytes of the file: PNG_IMAGE_PNG_SIZE_MAX, which Swift cannot import. The pixels must be less
 * than 2^30 bytes. */
static inline png_alloc_size_t cpng_image_size_max(png_image image) { return PNG_IMAGE_PNG_SIZE_MAX(image); }

#endif
