/* A guest of the hybrid graphics memory in C, C++ or any language that can call C: static inline functions only, no
 * library. Find the ivshmem device, map it, then: acquire a slot, draw, present, again.
 *
 *   struct framepath_screen screen;
 *   int error = framepath_screen_open_device(&screen, NULL, 5000);   // or _open_memory with a region's descriptor
 *   if (error) return fprintf(stderr, "%s\n", framepath_strerror(error));
 *   int slot = framepath_screen_acquire(&screen, 1000);
 *   if (slot >= 0) draw(framepath_screen_pixels(&screen, slot));
 *   error = framepath_screen_present(&screen, slot, width, height, stride, fourcc, NULL, 0);
 *   framepath_screen_close(&screen);
 *
 * Compile with POSIX and BSD declarations (-std=gnu11). One thread per screen. Errors are negative errno values.
 * Docs/RegionABI.md has the rules that this follows; nothing that the host writes can lead an access out of the mapped
 * region or make a function loop for ever. */
#ifndef FRAMEPATH_GUEST_H
#define FRAMEPATH_GUEST_H

#include "framepath_region.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Everything a client keeps; its fields are the functions' own. */
struct framepath_screen {
  uint8_t *base;
  uint64_t mapped_bytes;
  volatile uint32_t *doorbell; /* NULL: the host polls */
  void *registers;
  int file;
  struct framepath_region_header header; /* a checked copy */
  uint64_t attach;
  uint32_t epoch;
  uint32_t present_tail;
  uint32_t release_head;
  uint64_t frame;                                       /* the last one presented */
  uint64_t holds[FRAMEPATH_REGION_MAX_SLOTS];           /* frame + 1 while the slot is the host's; 0: free */
  uint32_t drawing;                                     /* bit k: slot k is acquired */
  uint64_t flipped, superseded, failed, last_flip_ns;   /* counters and the host's clock */
};

static inline const char *framepath_strerror(int error) {
  switch (-error) {
  case ENODEV: return "no ivshmem device (PCI 1af4:1110) on this machine";
  case ENXIO: return "the memory holds no Framepath region";
  case EPROTONOSUPPORT: return "the region has another version than this program speaks";
  case EBADMSG: return "the region's header makes no sense";
  case EBUSY: return "another client of this machine has the region";
  case ECONNREFUSED: return "the host refused this client";
  case EHOSTDOWN: return "the host does not answer";
  case ESTALE: return "another client has taken the region";
  case ETIMEDOUT: return "no frame slot became free in time";
  case EPIPE: return "the host's side of the region has ended or makes no sense";
  case EINVAL: return "the picture does not fit the slot, or the slot was not acquired";
  default: return strerror(-error);
  }
}

static inline uint64_t framepath_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void framepath_sleep_ns(uint64_t ns) {
  struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  nanosleep(&time, NULL);
}

static inline uint64_t framepath_load(const void *address) {
  uint64_t value = __atomic_load_n((const uint64_t *)address, __ATOMIC_ACQUIRE);
  framepath_region_consume();
  return value;
}

static inline void framepath_store(void *address, uint64_t value) {
  __atomic_store_n((uint64_t *)address, value, __ATOMIC_RELEASE);
}

static inline struct framepath_region_header *framepath_host(const struct framepath_screen *screen) {
  return (struct framepath_region_header *)screen->base;
}

static inline struct framepath_region_guest *framepath_guest_words(const struct framepath_screen *screen) {
  return (struct framepath_region_guest *)(screen->base + screen->header.guest_offset);
}

static inline void framepath_ring(struct framepath_screen *screen) {
  if (screen->doorbell) *screen->doorbell = screen->header.doorbell_peer << 16 | (screen->header.doorbell_vector & 0xffff);
}

static inline int framepath_fits(uint64_t offset, uint64_t count, uint64_t bytes, uint64_t limit) {
  return offset <= limit && (count == 0 || bytes <= (limit - offset) / count);
}

static inline int framepath_check_header(const struct framepath_region_header *h, uint64_t mapped_bytes) {
  if (h->magic != FRAMEPATH_REGION_MAGIC) return -ENXIO;
  if (h->version >> 16 != FRAMEPATH_REGION_MAJOR) return -EPROTONOSUPPORT;
  if (h->region_bytes > mapped_bytes || h->slot_count < 1 || h->slot_count > FRAMEPATH_REGION_MAX_SLOTS ||
      h->slot_bytes == 0 || h->slots_offset % FRAMEPATH_REGION_ALIGNMENT || h->slot_bytes % FRAMEPATH_REGION_ALIGNMENT ||
      !framepath_fits(h->slots_offset, h->slot_count, h->slot_bytes, h->region_bytes) || h->guest_offset % 8 ||
      !framepath_fits(h->guest_offset, 1, sizeof(struct framepath_region_guest), h->region_bytes) ||
      h->present_offset % 8 || h->present_entries == 0 || (h->present_entries & (h->present_entries - 1)) ||
      h->present_entry_bytes != sizeof(struct framepath_region_present) ||
      !framepath_fits(h->present_offset, h->present_entries, h->present_entry_bytes, h->region_bytes) ||
      h->release_offset % 8 || h->release_entries == 0 || (h->release_entries & (h->release_entries - 1)) ||
      h->release_entry_bytes != sizeof(struct framepath_region_release) ||
      !framepath_fits(h->release_offset, h->release_entries, h->release_entry_bytes, h->region_bytes))
    return -EBADMSG;
  return 0;
}

/* Lets go of everything. Harmless on a screen that did not open, as long as it was zeroed or an open function failed. */
static inline void framepath_screen_close(struct framepath_screen *screen) {
  if (screen->base) {
    if (screen->epoch && framepath_load(&framepath_guest_words(screen)->attach) == screen->attach) {
      framepath_store(&framepath_guest_words(screen)->attach, 0);
      framepath_region_publish();
      framepath_ring(screen);
    }
    munmap(screen->base, screen->mapped_bytes);
  }
  if (screen->registers) munmap(screen->registers, 4096);
  if (screen->file >= 0) close(screen->file);
  memset(screen, 0, sizeof *screen);
  screen->file = -1;
}

static inline int framepath_attach(struct framepath_screen *screen, int timeout_ms) {
  struct framepath_region_guest *guest = framepath_guest_words(screen);
  uint64_t deadline = framepath_now_ns() + (uint64_t)timeout_ms * 1000000u;
  uint32_t old = (uint32_t)(framepath_load(&guest->attach) >> 32);
  do {
    screen->epoch = (uint32_t)(framepath_now_ns() * 2654435761u) ^ (uint32_t)getpid() * 40503u ^ old * 69069u;
  } while (screen->epoch == 0 || screen->epoch == old);
  screen->attach = (uint64_t)screen->epoch << 32 | FRAMEPATH_REGION_MAJOR << 16 |
                   (screen->doorbell ? (uint32_t)FRAMEPATH_REGION_RINGS : 0u);
  framepath_store(&guest->present_tail, (uint64_t)screen->epoch << 32);
  framepath_store(&guest->release_head, (uint64_t)screen->epoch << 32);
  framepath_region_publish();
  framepath_store(&guest->attach, screen->attach);
  framepath_region_publish();
  framepath_ring(screen);
  for (uint64_t pause = 50000;; pause = pause < 2000000 ? pause * 2 : pause) {
    uint64_t answer = framepath_load(&framepath_host(screen)->acknowledged);
    if (answer >> 32 == screen->epoch) {
      if ((uint32_t)answer) return -ECONNREFUSED;
      break;
    }
    if (framepath_now_ns() >= deadline) return -EHOSTDOWN;
    framepath_sleep_ns(pause);
  }
  uint64_t held = framepath_load(&framepath_host(screen)->held_at_attach);
  for (uint32_t slot = 0; slot < screen->header.slot_count; slot++) screen->holds[slot] = held >> slot & 1;
  return 0;
}

/* Opens a region by a descriptor of its memory (a memfd, resource2_wc), which stays the caller's, and attaches.
 * doorbell: where to store to wake the host, or NULL where it polls. */
static inline int framepath_screen_open_memory(struct framepath_screen *screen, int fd, volatile uint32_t *doorbell,
                                               int timeout_ms) {
  memset(screen, 0, sizeof *screen);
  screen->file = -1;
  off_t size = lseek(fd, 0, SEEK_END);
  if (size < 0) return -errno;
  if ((size_t)size < sizeof screen->header) return -ENXIO;
  void *base = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return -errno;
  screen->base = (uint8_t *)base;
  screen->mapped_bytes = (uint64_t)size;
  screen->doorbell = doorbell;
  int error = -ENXIO;
  if (framepath_load(base) == FRAMEPATH_REGION_MAGIC) {
    memcpy(&screen->header, base, sizeof screen->header);
    error = framepath_check_header(&screen->header, screen->mapped_bytes);
  }
  if (error == 0) error = framepath_attach(screen, timeout_ms);
  if (error) {
    munmap(base, (size_t)size);
    screen->base = NULL;
  }
  return error;
}

static inline int framepath_has_line(const char *path, const char *expected) {
  char text[32] = {0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t count = read(fd, text, sizeof text - 1);
  close(fd);
  return count > 0 && strncmp(text, expected, strlen(expected)) == 0;
}

/* Opens the first ivshmem device, or the one at `address` (e.g. "0000:00:02.0"). Needs root in the guest. */
static inline int framepath_screen_open_device(struct framepath_screen *screen, const char *address, int timeout_ms) {
  static const char root[] = "/sys/bus/pci/devices";
  char device[300], path[340];
  int found = 0;
  memset(screen, 0, sizeof *screen);
  screen->file = -1;
  DIR *list = opendir(root);
  if (!list) return -ENODEV;
  for (struct dirent *entry; !found && (entry = readdir(list));) {
    if (entry->d_name[0] == '.' || (address && strcmp(address, entry->d_name))) continue;
    snprintf(device, sizeof device, "%s/%s", root, entry->d_name);
    snprintf(path, sizeof path, "%s/vendor", device);
    if (!framepath_has_line(path, "0x1af4")) continue;
    snprintf(path, sizeof path, "%s/device", device);
    found = framepath_has_line(path, "0x1110");
  }
  closedir(list);
  if (!found) return -ENODEV;
  snprintf(path, sizeof path, "%s/enable", device);
  if (framepath_has_line(path, "0")) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
      if (write(fd, "1", 1) != 1) { /* mapping will tell */
      }
      close(fd);
    }
  }
  snprintf(path, sizeof path, "%s/resource2_wc", device);
  int memory = open(path, O_RDWR | O_CLOEXEC);
  if (memory < 0) {
    snprintf(path, sizeof path, "%s/resource2", device);
    memory = open(path, O_RDWR | O_CLOEXEC);
  }
  if (memory < 0) return -errno;
  if (flock(memory, LOCK_EX | LOCK_NB)) {
    int error = errno == EWOULDBLOCK ? EBUSY : errno;
    close(memory);
    return -error;
  }
  /* An ivshmem-plain has no MSI-X table in BAR 1, and no doorbells. */
  void *registers = NULL;
  char text[128] = {0};
  snprintf(path, sizeof path, "%s/resource", device);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    ssize_t count = read(fd, text, sizeof text - 1);
    close(fd);
    const char *second = count > 0 ? strchr(text, '\n') : NULL;
    if (second && strtoull(second + 1, NULL, 16) != 0) {
      snprintf(path, sizeof path, "%s/resource0", device);
      fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
      if (fd >= 0) {
        registers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (registers == MAP_FAILED) registers = NULL;
        close(fd);
      }
    }
  }
  volatile uint32_t *doorbell =
      registers ? (volatile uint32_t *)((uint8_t *)registers + FRAMEPATH_IVSHMEM_DOORBELL) : (volatile uint32_t *)NULL;
  int error = framepath_screen_open_memory(screen, memory, doorbell, timeout_ms);
  screen->file = memory;
  screen->registers = registers;
  if (error) framepath_screen_close(screen);
  return error;
}

/* Whether another client has taken the region. */
static inline int framepath_screen_displaced(const struct framepath_screen *screen) {
  return framepath_load(&framepath_guest_words(screen)->attach) != screen->attach;
}

/* The output's mode; 0 in width: there is no monitor now. */
static inline void framepath_screen_mode(const struct framepath_screen *screen, uint32_t *width, uint32_t *height,
                                         uint32_t *refresh_mhz) {
  uint64_t word = framepath_load(&framepath_host(screen)->output);
  *width = (uint32_t)(word & 0xffff);
  *height = (uint32_t)(word >> 16 & 0xffff);
  *refresh_mhz = (uint32_t)(word >> 32);
}

/* A slot's memory: header.slot_bytes bytes. */
static inline void *framepath_screen_pixels(const struct framepath_screen *screen, int slot) {
  if (slot < 0 || (uint32_t)slot >= screen->header.slot_count) return NULL;
  return screen->base + screen->header.slots_offset + (uint64_t)slot * screen->header.slot_bytes;
}

/* Reads what the host has said, without waiting; a ring's worth at most. */
static inline void framepath_screen_read_events(struct framepath_screen *screen) {
  const struct framepath_region_header *header = &screen->header;
  for (uint32_t round = 0; round < header->release_entries; round++) {
    uint64_t tail = framepath_load(&framepath_host(screen)->release_tail);
    uint32_t waiting = (uint32_t)tail - screen->release_head;
    if (tail >> 32 != screen->epoch || waiting == 0) return;
    uint64_t expected = (uint64_t)screen->epoch << 32 | screen->release_head;
    uint64_t words[sizeof(struct framepath_region_release) / 8];
    const uint8_t *place = screen->base + header->release_offset +
                           (uint64_t)(screen->release_head & (header->release_entries - 1)) * sizeof words;
    int whole = waiting <= header->release_entries && framepath_load(place) == expected;
    for (size_t word = 0; whole && word < sizeof words / 8; word++) words[word] = framepath_load(place + word * 8);
    whole = whole && framepath_load(place) == expected;
    screen->release_head = waiting <= header->release_entries ? screen->release_head + 1 : (uint32_t)tail;
    framepath_store(&framepath_guest_words(screen)->release_head, (uint64_t)screen->epoch << 32 | screen->release_head);
    if (!whole) continue;
    struct framepath_region_release entry;
    memcpy(&entry, words, sizeof entry);
    if (entry.event == FRAMEPATH_REGION_DONE) {
      if (entry.outcome == FRAMEPATH_REGION_FLIPPED) {
        screen->flipped++;
        screen->last_flip_ns = entry.time_ns;
      } else if (entry.outcome == FRAMEPATH_REGION_SUPERSEDED) screen->superseded++;
      else screen->failed++;
    } else if (entry.event == FRAMEPATH_REGION_RELEASED && entry.slot < header->slot_count &&
               screen->holds[entry.slot] == entry.frame + 1) screen->holds[entry.slot] = 0;
  }
}

/* Takes a free slot and returns its number; waits for one. -ETIMEDOUT, -ESTALE (displaced) or -EPIPE (host ended). */
static inline int framepath_screen_acquire(struct framepath_screen *screen, int timeout_ms) {
  uint64_t deadline = framepath_now_ns() + (uint64_t)timeout_ms * 1000000u;
  for (uint64_t pause = 50000;; pause = pause < 2000000 ? pause * 2 : pause) {
    framepath_screen_read_events(screen);
    for (uint32_t slot = 0; slot < screen->header.slot_count; slot++) {
      if (screen->holds[slot] == 0 && !(screen->drawing >> slot & 1)) {
        screen->drawing |= 1u << slot;
        return (int)slot;
      }
    }
    if (framepath_screen_displaced(screen)) return -ESTALE;
    if (framepath_load(&framepath_host(screen)->state) == FRAMEPATH_REGION_ENDED) return -EPIPE;
    if (framepath_now_ns() >= deadline) return -ETIMEDOUT;
    framepath_sleep_ns(pause);
  }
}

/* Gives an acquired slot back unpresented. */
static inline void framepath_screen_abandon(struct framepath_screen *screen, int slot) {
  if (slot >= 0 && (uint32_t)slot < screen->header.slot_count) screen->drawing &= ~(1u << slot);
}

/* Hands an acquired slot over. More rectangles than an entry has become no rectangle: everything has changed. */
static inline int framepath_screen_present(struct framepath_screen *screen, int slot, uint32_t width, uint32_t height,
                                           uint32_t stride, uint32_t fourcc,
                                           const struct framepath_region_rect *damage, uint32_t damage_count) {
  const struct framepath_region_header *header = &screen->header;
  if (slot < 0 || (uint32_t)slot >= header->slot_count || !(screen->drawing >> slot & 1) || width == 0 || height == 0 ||
      (uint64_t)width * 4 > stride || (uint64_t)stride * (height - 1) + (uint64_t)width * 4 > header->slot_bytes)
    return -EINVAL;
  if (framepath_screen_displaced(screen)) return -ESTALE;
  uint64_t head = framepath_load(&framepath_host(screen)->present_head);
  if (head >> 32 != screen->epoch || screen->present_tail - (uint32_t)head >= header->present_entries) return -EPIPE;
  struct framepath_region_present entry;
  memset(&entry, 0, sizeof entry);
  entry.frame = ++screen->frame;
  entry.ready_ns = framepath_now_ns();
  entry.slot = (uint32_t)slot;
  entry.width = width;
  entry.height = height;
  entry.stride = stride;
  entry.fourcc = fourcc;
  if (damage && damage_count <= FRAMEPATH_REGION_MAX_DAMAGE) {
    entry.damage_count = damage_count;
    memcpy(entry.damage, damage, damage_count * sizeof *damage);
  }
  uint64_t words[sizeof entry / 8];
  memcpy(words, &entry, sizeof entry);
  uint8_t *place = screen->base + header->present_offset +
                   (uint64_t)(screen->present_tail & (header->present_entries - 1)) * sizeof entry;
  framepath_store(place, 0);
  framepath_region_publish();
  for (size_t word = 1; word < sizeof words / 8; word++) framepath_store(place + word * 8, words[word]);
  framepath_region_publish();
  framepath_store(place, (uint64_t)screen->epoch << 32 | screen->present_tail);
  framepath_region_publish();
  screen->present_tail++;
  framepath_store(&framepath_guest_words(screen)->present_tail, (uint64_t)screen->epoch << 32 | screen->present_tail);
  framepath_region_publish();
  screen->holds[slot] = screen->frame + 1;
  screen->drawing &= ~(1u << slot);
  framepath_ring(screen);
  return 0;
}

#endif
