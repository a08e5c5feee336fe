#define _GNU_SOURCE
#include "copy_counter.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAPPINGS 4096

struct span {
  uintptr_t start, end;
};

static struct framepath_copy_counts *counts;
static uint64_t minimum = 512;
static struct span mappings[MAPPINGS];
static size_t mapping_count;
static void *(*real_memcpy)(void *, const void *, size_t);
static void *(*real_memmove)(void *, const void *, size_t);

/* The processes under test have one thread that maps, and waits while others copy for it: the list is not locked. */

static int is_shared(const void *address) {
  uintptr_t a = (uintptr_t)address;
  for (size_t i = 0; i < mapping_count; i++)
    if (a >= mappings[i].start && a < mappings[i].end) return 1;
  return 0;
}

static void forget(uintptr_t start, uintptr_t end) {
  for (size_t i = 0; i < mapping_count;) {
    struct span m = mappings[i];
    if (m.end <= start || m.start >= end) {
      i++;
      continue;
    }
    mappings[i] = mappings[--mapping_count];
    struct span rest[2] = {{m.start, start}, {end, m.end}};
    for (int k = 0; k < 2; k++)
      if (rest[k].start < rest[k].end && mapping_count < MAPPINGS) mappings[mapping_count++] = rest[k];
  }
}

static void count(const void *to, const void *from, size_t n) {
  if (!counts || n < minimum) return;
  if (is_shared(to) || is_shared(from)) {
    __atomic_fetch_add(&counts->shared_calls, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counts->shared_bytes, n, __ATOMIC_RELAXED);
  } else {
    __atomic_fetch_add(&counts->other_calls, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counts->other_bytes, n, __ATOMIC_RELAXED);
  }
}

/* Until the dynamic linker has told where the real ones are. Volatile, or the compiler makes a memmove of it. */
static void *slow_copy(void *to, const void *from, size_t n) {
  volatile unsigned char *t = to;
  const volatile unsigned char *f = from;
  if ((uintptr_t)t <= (uintptr_t)f) {
    for (size_t i = 0; i < n; i++) t[i] = f[i];
  } else {
    for (size_t i = n; i > 0; i--) t[i - 1] = f[i - 1];
  }
  return to;
}

static void *original(const char *name) {
  static __thread int busy;
  if (busy) return NULL;
  busy = 1;
  void *found = dlsym(RTLD_NEXT, name);
  busy = 0;
  return found;
}

void *memcpy(void *to, const void *from, size_t n) {
  if (!real_memcpy) real_memcpy = (void *(*)(void *, const void *, size_t))original("memcpy");
  count(to, from, n);
  return real_memcpy ? real_memcpy(to, from, n) : slow_copy(to, from, n);
}

void *memmove(void *to, const void *from, size_t n) {
  if (!real_memmove) real_memmove = (void *(*)(void *, const void *, size_t))original("memmove");
  count(to, from, n);
  return real_memmove ? real_memmove(to, from, n) : slow_copy(to, from, n);
}

/* syscall() takes longs: an int would leave half of one undefined. */
static void *map_really(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
  return (void *)syscall(SYS_mmap, address, length, (long)protection, (long)flags, (long)fd, (long)offset);
}

static void *map(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
  void *result = map_really(address, length, protection, flags, fd, offset);
  if (result == MAP_FAILED) return result;
  forget((uintptr_t)result, (uintptr_t)result + length);
  if ((flags & MAP_SHARED) && fd >= 0) {
    if (mapping_count < MAPPINGS) {
      mappings[mapping_count++] = (struct span){(uintptr_t)result, (uintptr_t)result + length};
    } else if (counts) {
      counts->lost_mappings += 1;
    }
  }
  return result;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
  return map(address, length, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
  return map(address, length, protection, flags, fd, offset);
}

int munmap(void *address, size_t length) {
  forget((uintptr_t)address, (uintptr_t)address + length);
  return (int)syscall(SYS_munmap, address, length);
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FRAMEPATH_COPY_COUNTER");
  const char *least = getenv("FRAMEPATH_COPY_MINIMUM");
  if (!path) return;
  if (least) minimum = strtoull(least, NULL, 10);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  if (ftruncate(fd, sizeof *counts) == 0) {
    /* Not by mmap above: the counts are no pixels. */
    void *page = map_really(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) {
      counts = page;
      counts->minimum_bytes = minimum;
      counts->magic = FRAMEPATH_COPY_MAGIC;
    }
  }
  close(fd);
}
