/* Mappings of memory that others can take away, and the SIGBUS of an access to what they took.
 *
 * The handler runs on any thread, at any instruction: it uses no locks, no allocation and no library state. The table
 * is a list of blocks that are never freed, so an entry can be read while it is given to another mapping. */
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define HUGETLBFS_MAGIC_NUMBER 0x958458f6

struct clinux_foreign {
  /* 1 while the entry belongs to a mapping. */
  atomic_uint is_used;
  /* 0 while the other fields change: the entry covers nothing then. */
  _Atomic uintptr_t start;
  _Atomic size_t length;
  _Atomic size_t unit;
  atomic_int protection;
  atomic_uint fault_count;
  /* Bytes from the start; valid where fault_count is not 0. */
  _Atomic size_t first_fault;
};

#define BLOCK_ENTRIES 250

struct block {
  struct clinux_foreign entries[BLOCK_ENTRIES];
  struct block *_Atomic next;
};

static struct block first_block;
static atomic_uint_least64_t all_faults;
static struct sigaction former;
static pthread_once_t is_installed = PTHREAD_ONCE_INIT;

static void *map_zeros(uintptr_t start, size_t length, int protection) {
  /* The system call itself: a library that is loaded before glibc may have its own mmap. */
  return (void *)syscall(SYS_mmap, start, length, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
                         -1, 0L);
}

/* Puts zeros in the place of what is missing; 0 if the entry does not cover the address, or the kernel refuses. */
static int contain(struct clinux_foreign *entry, uintptr_t address) {
  uintptr_t start = atomic_load_explicit(&entry->start, memory_order_acquire);
  if (start == 0 || address < start) return 0;
  size_t length = atomic_load_explicit(&entry->length, memory_order_relaxed);
  size_t unit = atomic_load_explicit(&entry->unit, memory_order_relaxed);
  int protection = atomic_load_explicit(&entry->protection, memory_order_relaxed);
  atomic_thread_fence(memory_order_acquire);
  /* The entry was given to another mapping meanwhile. */
  if (atomic_load_explicit(&entry->start, memory_order_relaxed) != start) return 0;
  if (address - start >= length) return 0;
  if (atomic_load(&entry->fault_count) == 0) atomic_store(&entry->first_fault, address - start);
  if (atomic_fetch_add(&entry->fault_count, 1) == 0) {
    uintptr_t from = address & ~(uintptr_t)(unit - 1);
    uintptr_t to = from + unit;
    if (from < start) from = start;
    if (to > start + length) to = start + length;
    if (map_zeros(from, to - from, protection) == MAP_FAILED) return 0;
  } else if (map_zeros(start, length, protection) == MAP_FAILED) {
    /* One fault per page would let the owner stop this thread for long, or use up the process's mappings. */
    return 0;
  }
  atomic_fetch_add(&all_faults, 1);
  return 1;
}

static void bus_error(int number, siginfo_t *info, void *context) {
  (void)context;
  int error = errno;
  if (info->si_code == BUS_ADRERR || info->si_code == BUS_MCEERR_AR) {
    uintptr_t address = (uintptr_t)info->si_addr;
    for (struct block *block = &first_block; block; block = atomic_load(&block->next)) {
      for (int i = 0; i < BLOCK_ENTRIES; i++) {
        if (contain(&block->entries[i], address)) {
          errno = error;
          return;
        }
      }
    }
  }
  /* Not ours: the access is repeated without this handler. A signal that somebody sent is sent again. */
  sigaction(number, &former, NULL);
  if (info->si_code <= 0) raise(number);
  errno = error;
}

static void install(void) {
  struct sigaction action = {.sa_sigaction = bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  /* Read first: the handler may run as soon as it is there. */
  sigaction(SIGBUS, NULL, &former);
  sigaction(SIGBUS, &action, NULL);
}

static struct clinux_foreign *claim(struct block *block) {
  for (int i = 0; i < BLOCK_ENTRIES; i++) {
    struct clinux_foreign *entry = &block->entries[i];
    unsigned int expected = 0;
    if (atomic_load_explicit(&entry->is_used, memory_order_relaxed) == 0 &&
        atomic_compare_exchange_strong(&entry->is_used, &expected, 1)) {
      return entry;
    }
  }
  return NULL;
}

struct clinux_foreign *clinux_foreign_add(void *start, size_t length, size_t unit, int writable) {
  pthread_once(&is_installed, install);
  struct clinux_foreign *entry = NULL;
  for (struct block *block = &first_block; !entry;) {
    entry = claim(block);
    struct block *next = atomic_load(&block->next);
    if (!entry && !next) {
      struct block *made = calloc(1, sizeof *made);
      if (!made) return NULL;
      if (atomic_compare_exchange_strong(&block->next, &next, made)) {
        next = made;
      } else {
        free(made);
      }
    }
    block = next;
  }
  /* Pairs with the fence in contain(): a reader that loads a new value also finds that start has changed. */
  atomic_thread_fence(memory_order_release);
  atomic_store_explicit(&entry->length, length, memory_order_relaxed);
  atomic_store_explicit(&entry->unit, unit, memory_order_relaxed);
  atomic_store_explicit(&entry->protection, writable ? PROT_READ | PROT_WRITE : PROT_READ, memory_order_relaxed);
  atomic_store_explicit(&entry->fault_count, 0, memory_order_relaxed);
  atomic_store_explicit(&entry->start, (uintptr_t)start, memory_order_release);
  return entry;
}

void clinux_foreign_remove(struct clinux_foreign *entry) {
  atomic_store_explicit(&entry->start, 0, memory_order_relaxed);
  atomic_store_explicit(&entry->is_used, 0, memory_order_release);
}

int64_t clinux_foreign_fault(const struct clinux_foreign *entry) {
  return atomic_load(&entry->fault_count) == 0 ? -1 : (int64_t)atomic_load(&entry->first_fault);
}

uint64_t clinux_foreign_fault_count(void) { return atomic_load_explicit(&all_faults, memory_order_acquire); }

size_t clinux_page_unit(int fd) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  struct statfs facts;
  int result;
  do result = fstatfs(fd, &facts);
  while (result < 0 && errno == EINTR);
  if (result < 0 || (unsigned long)facts.f_type != HUGETLBFS_MAGIC_NUMBER) return page;
  size_t unit = (size_t)facts.f_bsize;
  return unit > page && (unit & (unit - 1)) == 0 ? unit : page;
}
