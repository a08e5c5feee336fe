#define _GNU_SOURCE
#include "faults.h"

#include <fcntl.h>

int framepath_discard(int fd, long offset, long length) {
  return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}
