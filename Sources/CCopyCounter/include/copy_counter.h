/* A library for LD_PRELOAD that counts what a process copies by memcpy and memmove: an independent check of the copy
 * ledger, used by `framepath bench copies` alone.
 *
 * FRAMEPATH_COPY_COUNTER names a file that it maps and keeps the counts in; without that it counts nothing.
 * FRAMEPATH_COPY_MINIMUM: copies of fewer bytes are not counted (default 512).
 * A pixel copy has guest memory or a frame buffer at one end at least, and these are shared mappings; the other large
 * copies of a process (text, JSON) have not. */
#ifndef FRAMEPATH_COPY_COUNTER_H
#define FRAMEPATH_COPY_COUNTER_H

#include <stdint.h>

/* The file's content, native byte order. */
struct framepath_copy_counts {
  uint64_t magic;         /* FRAMEPATH_COPY_MAGIC once the library works */
  uint64_t minimum_bytes; /* of a counted copy */
  uint64_t shared_calls;  /* copies from or to shared mappings */
  uint64_t shared_bytes;
  uint64_t other_calls; /* copies between private memory */
  uint64_t other_bytes;
  uint64_t lost_mappings; /* shared mappings that found no place in the table: 0, or the counts are worth nothing */
};

#define FRAMEPATH_COPY_MAGIC 0x31594D5043504650ull

#endif
