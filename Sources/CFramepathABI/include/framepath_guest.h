/* A region client in C, C++ or any language that can call C: static inline functions only, no library. Open the ivshmem
 * device of a virtual machine, or the daemon's socket in a container; then acquire a slot, draw, present, and repeat.
 *
 *   struct framepath_screen screen;
 *   int error = framepath_screen_open_device(&screen, NULL, 5000);   // or _open_daemon, or _open_memory
 *   if (error) return fprintf(stderr, "%s %s\n", framepath_strerror(error), framepath_screen_reason(&screen));
 *   int slot = framepath_screen_acquire(&screen, 1000);
 *   if (slot >= 0) draw(framepath_screen_pixels(&screen, slot));
 *   error = framepath_screen_present(&screen, slot, width, height, stride, fourcc, NULL, 0);
 *   framepath_screen_close(&screen);
 *
 * Compile with POSIX and BSD declarations (-std=gnu11). One thread per screen. Errors are negative errno values.
  * Docs/RegionABI.md has the rules. No input from the host can cause an access outside the mapped region, or an endless
  * loop. */
#ifndef FRAMEPATH_GUEST_H
#define FRAMEPATH_GUEST_H

#include "framepath_daemon.h"
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

/* The state of a client; its fields are private to the functions. */
struct framepath_screen {
  uint8_t *base;
  uint64_t mapped_bytes;
  volatile uint32_t *doorbell; /* NULL: the host polls */
  void *registers;
  int file;
  struct framepath_daemon daemon;
  struct framepath_region_header header; /* a checked copy */
  uint64_t attach;
  uint32_t epoch;
  uint32_t present_tail;
  uint32_t release_head;
  uint64_t frame;                                       /* the last one presented */
  uint64_t holds[FRAMEPATH_REGION_MAX_SLOTS];           /* frame + 1 while the host holds the slot; 0: free */
  uint32_t drawing;                                     /* bit k: slot k is acquired */
  uint64_t flipped, superseded, failed, last_flip_ns;   /* counters and the host's clock */
};

static inline const char *framepath_strerror(int error) {
  switch (-error) {
  case ENODEV: return "no ivshmem device (PCI 1af4:1110) on this machine";
  case ENXIO: return "the memory is not a Framepath region";
  case EPROTONOSUPPORT: return "the host and this program have different versions";
  case EBADMSG: return "the region's header is invalid";
  case EBUSY: return "another client on this machine uses the region";
  case ECONNREFUSED: return "the host refused this client";
  case EHOSTDOWN: return "the host does not answer";
  case ESTALE: return "another client has taken the region";
  case ETIMEDOUT: return "no frame slot became free in time";
  case EHOSTUNREACH: return "no framepathd listens on the socket";
  case EADDRINUSE: return "another client of the daemon has that name";
  case ECONNRESET: return "the daemon closed the connection";
  case ENAMETOOLONG: return "the socket's path or the client's name is too long";
  case E2BIG: return "no region can hold this many slots of this size";
  case EPIPE: return "the host's side of the region has ended or is invalid";
  case EINVAL: return "the picture does not fit the slot, or the slot was not acquired";
  default: return strerror(-error);
  }
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
  uint64_t one = 1;
  if (screen->doorbell) *screen->doorbell = screen->header.doorbell_peer << 16 | (screen->header.doorbell_vector & 0xffff);
  /* A full counter is not an error: the daemon is already awake. */
  if (screen->daemon.host_event >= 0 && write(screen->daemon.host_event, &one, sizeof one) < 0) return;
}

/* The daemon's reason for a refusal; empty without one. */
static inline const char *framepath_screen_reason(const struct framepath_screen *screen) { return screen->daemon.reason; }

static inline void framepath_screen_reset(struct framepath_screen *screen) {
  memset(screen, 0, sizeof *screen);
  screen->file = -1;
  framepath_daemon_reset(&screen->daemon);
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

/* Detaches and releases all resources. Safe on a screen that could not be opened. */
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
  framepath_close_file(&screen->file);
  framepath_daemon_close(&screen->daemon);
  framepath_screen_reset(screen);
}

/* Waits for the host's doorbell, or without one for a growing time of 50 µs to 2 ms. After a restart of the daemon it
 * sends the region again. */
static inline void framepath_wait(struct framepath_screen *screen, uint64_t *pause, uint64_t deadline) {
  struct framepath_daemon *daemon = &screen->daemon;
  if (daemon->host_event < 0) {
    framepath_sleep_ns(*pause);
    *pause = *pause < 2000000 ? *pause * 2 : *pause;
  } else if (daemon->socket >= 0) {
    framepath_daemon_wait(daemon, deadline, 100);
  } else {
    framepath_sleep_ns(20000000);
    uint64_t now = framepath_now_ns(), soon = now + 100000000u;
    if (now < daemon->retry_at) return;
    int error = framepath_daemon_connect(daemon, soon < deadline ? soon : deadline);
    if (error == 0) error = framepath_daemon_give(daemon, screen->file, screen->mapped_bytes, screen->header.slot_count);
    if (error) framepath_daemon_retry_later(daemon, error);
    else daemon->retry_pause = 0;
  }
}

static inline int framepath_attach(struct framepath_screen *screen, int timeout_ms) {
  struct framepath_region_guest *guest = framepath_guest_words(screen);
  uint64_t deadline = framepath_now_ns() + (uint64_t)timeout_ms * 1000000u;
  uint32_t old = (uint32_t)(framepath_load(&guest->attach) >> 32);
  do {
    screen->epoch = (uint32_t)(framepath_now_ns() * 2654435761u) ^ (uint32_t)getpid() * 40503u ^ old * 69069u;
  } while (screen->epoch == 0 || screen->epoch == old);
  int has_daemon = screen->daemon.host_event >= 0;
  screen->attach = (uint64_t)screen->epoch << 32 | FRAMEPATH_REGION_MAJOR << 16 |
                   (screen->doorbell || has_daemon ? (uint32_t)FRAMEPATH_REGION_RINGS : 0u) |
                   (has_daemon ? (uint32_t)FRAMEPATH_REGION_LISTENS : 0u);
  framepath_store(&guest->present_tail, (uint64_t)screen->epoch << 32);
  framepath_store(&guest->release_head, (uint64_t)screen->epoch << 32);
  framepath_region_publish();
  framepath_store(&guest->attach, screen->attach);
  framepath_region_publish();
  framepath_ring(screen);
  for (uint64_t pause = 50000;;) {
    uint64_t answer = framepath_load(&framepath_host(screen)->acknowledged);
    if (answer >> 32 == screen->epoch) {
      if ((uint32_t)answer) return -ECONNREFUSED;
      break;
    }
    if (framepath_now_ns() >= deadline) return -EHOSTDOWN;
    framepath_wait(screen, &pause, deadline);
  }
  uint64_t held = framepath_load(&framepath_host(screen)->held_at_attach);
  for (uint32_t slot = 0; slot < screen->header.slot_count; slot++) screen->holds[slot] = held >> slot & 1;
  return 0;
}

static inline int framepath_map(struct framepath_screen *screen, int fd) {
  off_t size = lseek(fd, 0, SEEK_END);
  if (size < 0) return -errno;
  if ((size_t)size < sizeof screen->header) return -ENXIO;
  void *base = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return -errno;
  screen->base = (uint8_t *)base;
  screen->mapped_bytes = (uint64_t)size;
  return 0;
}

static inline int framepath_begin(struct framepath_screen *screen, int timeout_ms) {
  if (framepath_load(screen->base) != FRAMEPATH_REGION_MAGIC) return -ENXIO;
  memcpy(&screen->header, screen->base, sizeof screen->header);
  int error = framepath_check_header(&screen->header, screen->mapped_bytes);
  return error ? error : framepath_attach(screen, timeout_ms);
}

static inline void framepath_unmap(struct framepath_screen *screen) {
  if (screen->base) munmap(screen->base, screen->mapped_bytes);
  screen->base = NULL;
}

/* Attaches to a region by a descriptor of its memory (a memfd, resource2_wc), which the caller keeps.
 * doorbell: the register that wakes the host, or NULL if the host polls. */
static inline int framepath_screen_open_memory(struct framepath_screen *screen, int fd, volatile uint32_t *doorbell,
                                               int timeout_ms) {
  framepath_screen_reset(screen);
  screen->doorbell = doorbell;
  int error = framepath_map(screen, fd);
  if (error == 0) error = framepath_begin(screen, timeout_ms);
  if (error) framepath_unmap(screen);
  return error;
}

static inline int framepath_join(struct framepath_screen *screen, uint32_t width, uint32_t height, uint32_t slots,
                                 int timeout_ms) {
  struct framepath_daemon *daemon = &screen->daemon;
  uint64_t deadline = framepath_now_ns() + (uint64_t)timeout_ms * 1000000u;
  daemon->host_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  daemon->guest_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (daemon->host_event < 0 || daemon->guest_event < 0) return -errno;
  int error = framepath_daemon_connect(daemon, deadline);
  if (error) return error;
  if (width == 0 || height == 0) {
    width = daemon->width;
    height = daemon->height;
  }
  uint64_t bytes = framepath_region_size(framepath_picture_bytes(width, height), slots);
  if (bytes == 0) return -E2BIG;
  screen->file = framepath_region_memory(bytes);
  if (screen->file < 0) return screen->file;
  error = framepath_map(screen, screen->file);
  if (error == 0) error = framepath_daemon_give(daemon, screen->file, bytes, slots);
  while (error == 0 && framepath_load(screen->base) != FRAMEPATH_REGION_MAGIC) {
    error = framepath_now_ns() < deadline ? framepath_daemon_wait(daemon, deadline, 1) : -EHOSTDOWN;
  }
  if (error == 0) error = framepath_begin(screen, timeout_ms);
  /* A daemon that refuses the region answers before the time is over. */
  if (error == -EHOSTDOWN && daemon->socket < 0) error = -ECONNRESET;
  return error;
}

/* Connects to the daemon as a client of this name, and sends it a new region with this many slots (3 is a good
 * number), each for a picture of width x height pixels; 0: the output's mode. For containers and processes of the host:
 * access to the socket is the only privilege needed. path: NULL for $FRAMEPATH_SOCKET, else the default path.
 * If the daemon restarts while framepath_screen_acquire waits, the region is sent again. */
static inline int framepath_screen_open_daemon(struct framepath_screen *screen, const char *path, const char *name,
                                               uint32_t width, uint32_t height, uint32_t slots, int timeout_ms) {
  framepath_screen_reset(screen);
  int error = framepath_daemon_address(&screen->daemon, path, name);
  if (error == 0) error = framepath_join(screen, width, height, slots, timeout_ms);
  if (error) {
    char reason[FRAMEPATH_TEXT_BYTES];
    memcpy(reason, screen->daemon.reason, sizeof reason);
    framepath_unmap(screen);
    framepath_screen_close(screen);
    memcpy(screen->daemon.reason, reason, sizeof reason);
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
  framepath_screen_reset(screen);
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
      if (write(fd, "1", 1) != 1) { /* the mapping will fail if this was needed */
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
  /* ivshmem-plain has no MSI-X table in BAR 1, and no doorbells. */
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

/* Whether another client has attached to the region. */
static inline int framepath_screen_displaced(const struct framepath_screen *screen) {
  return framepath_load(&framepath_guest_words(screen)->attach) != screen->attach;
}

/* The output's mode; a width of 0: no output at the moment. */
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

/* Reads the host's events without waiting, at most one ring's length. */
static inline void framepath_screen_read_events(struct framepath_screen *screen) {
  const struct framepath_region_header *header = &screen->header;
  /* Unread REGION_NEWS would fill the socket. */
  if (screen->daemon.socket >= 0) framepath_daemon_read(&screen->daemon);
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

/* Waits for a free slot and returns its number, or -ETIMEDOUT, -ESTALE (displaced) or -EPIPE (host ended). */
static inline int framepath_screen_acquire(struct framepath_screen *screen, int timeout_ms) {
  uint64_t deadline = framepath_now_ns() + (uint64_t)timeout_ms * 1000000u;
  for (uint64_t pause = 50000;;) {
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
    framepath_wait(screen, &pause, deadline);
  }
}

/* Waits until there is an output, and returns its mode: a host may accept a client before it has an output for it.
 * Returns 0, -ETIMEDOUT, -ESTALE (displaced) or -EPIPE (host ended). */
static inline int framepath_screen_wait_mode(struct framepath_screen *screen, uint32_t *width, uint32_t *height,
                                             uint32_t *refresh_mhz, int timeout_ms) {
  uint64_t deadline = framepath_now_ns() + (uint64_t)timeout_ms * 1000000u;
  for (uint64_t pause = 50000;;) {
    framepath_screen_mode(screen, width, height, refresh_mhz);
    if (*width) return 0;
    if (framepath_screen_displaced(screen)) return -ESTALE;
    if (framepath_load(&framepath_host(screen)->state) == FRAMEPATH_REGION_ENDED) return -EPIPE;
    if (framepath_now_ns() >= deadline) return -ETIMEDOUT;
    framepath_wait(screen, &pause, deadline);
    framepath_screen_read_events(screen);
  }
}

/* Returns an acquired slot without presenting it. */
static inline void framepath_screen_abandon(struct framepath_screen *screen, int slot) {
  if (slot >= 0 && (uint32_t)slot < screen->header.slot_count) screen->drawing &= ~(1u << slot);
}

/* Presents an acquired slot. If there are more rectangles than an entry holds, the whole picture is damaged. */
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
  /* While the host checks the ring by itself, it needs no doorbell. Read after the entry is in the ring. */
  framepath_region_consume();
  if (framepath_load(&framepath_host(screen)->doorbell) !=
      ((uint64_t)screen->epoch << 32 | FRAMEPATH_REGION_DOORBELL_QUIET))
    framepath_ring(screen);
  return 0;
}

#endif
