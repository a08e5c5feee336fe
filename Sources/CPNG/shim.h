/* libpng's simplified API for Swift. */
#ifndef FRAMEPATH_CPNG_H
#define FRAMEPATH_CPNG_H

#include <png.h>

#endif
