/* The region: hybrid graphics memory that a guest (or a container) and the host both map.
 *
 *   offset         written by   what
 *   0              host         struct framepath_region_header
 *   guest_offset   guest        struct framepath_region_guest
 *   present_offset guest        ring of struct framepath_region_present, filled by the guest
 *   release_offset host         ring of struct framepath_region_release, filled by the host
 *   slots_offset   guest        slot_count frame slots of slot_bytes each
 *
  * All numbers are little-endian. Words that change while both sides run are 8 bytes long, 8-byte aligned, and read and
  * written atomically. An "epoch word" is epoch << 32 | position; each side ignores words of other epochs, and so those
  * of a dead client. Docs/RegionABI.md has the rules, field by field. */
#ifndef FRAMEPATH_REGION_H
#define FRAMEPATH_REGION_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMEPATH_REGION_MAGIC 0x4e4f494745525046ull /* "FPREGION" in memory */
#define FRAMEPATH_REGION_MAJOR 1u
#define FRAMEPATH_REGION_MINOR 1u
#define FRAMEPATH_REGION_ALIGNMENT 65536u /* of slots: a multiple of every page size of Linux */
#define FRAMEPATH_REGION_MAX_SLOTS 16u
#define FRAMEPATH_REGION_MAX_DAMAGE 12u
#define FRAMEPATH_REGION_PRESENT_ENTRIES 32u
#define FRAMEPATH_REGION_RELEASE_ENTRIES 64u

/* PCI identity of the ivshmem device whose BAR 2 is the region. */
#define FRAMEPATH_IVSHMEM_VENDOR 0x1af4u
#define FRAMEPATH_IVSHMEM_DEVICE 0x1110u
#define FRAMEPATH_IVSHMEM_DOORBELL 12u /* offset in BAR 0: peer << 16 | vector */

enum framepath_region_feature {
  FRAMEPATH_REGION_SHARED_CLOCK = 1, /* both sides read the same CLOCK_MONOTONIC (containers, host processes) */
};

/* Low 16 bits of framepath_region_guest.attach. */
enum framepath_region_guest_flag {
  FRAMEPATH_REGION_RINGS = 1,     /* the guest rings the doorbell after every present; the host need not poll */
  FRAMEPATH_REGION_LISTENS = 2,   /* the guest waits for the host's doorbell; without it, the host does not ring */
};

enum framepath_region_host_state {
  FRAMEPATH_REGION_STARTING = 0,
  FRAMEPATH_REGION_WAITING = 1,    /* no daemon is running: frames are kept, the newest will be shown */
  FRAMEPATH_REGION_PRESENTING = 2,
  FRAMEPATH_REGION_ENDED = 3,      /* the host side has ended */
};

enum framepath_region_event {
  FRAMEPATH_REGION_DONE = 1,     /* the outcome of a frame; the host still holds its slot */
  FRAMEPATH_REGION_RELEASED = 2, /* the guest may draw into the slot */
};

enum framepath_region_outcome {
  FRAMEPATH_REGION_FLIPPED = 1,    /* on screen since time_ns */
  FRAMEPATH_REGION_SUPERSEDED = 2, /* replaced by a newer frame */
  FRAMEPATH_REGION_REJECTED = 3,   /* see `reason` */
  FRAMEPATH_REGION_LOST = 4,       /* the output changed or the daemon ended before the flip */
};

/* Low 32 bits of framepath_region_header.doorbell. */
enum framepath_region_doorbell {
  FRAMEPATH_REGION_DOORBELL_WANTED = 0,
  FRAMEPATH_REGION_DOORBELL_QUIET = 1, /* the host checks the ring by itself before it can show another frame */
};

/* Why the host refused an entry, or an attach. */
enum framepath_region_reason {
  FRAMEPATH_REGION_OK = 0,
  FRAMEPATH_REGION_BAD_VERSION = 1, /* attach: another major version */
  FRAMEPATH_REGION_BAD_SLOT = 2,    /* no such slot */
  FRAMEPATH_REGION_SLOT_HELD = 3,   /* the slot is presented and not yet released */
  FRAMEPATH_REGION_BAD_LAYOUT = 4,  /* the size, stride and format exceed a slot */
  FRAMEPATH_REGION_BAD_DAMAGE = 5,  /* more rectangles than an entry has */
  FRAMEPATH_REGION_BAD_FRAME = 6,   /* the frame number does not rise */
  FRAMEPATH_REGION_TORN = 7,        /* the generation does not match the position */
  FRAMEPATH_REGION_OVERRUN = 8,     /* more entries announced than the ring has */
  FRAMEPATH_REGION_OUTPUT = 9,      /* the output cannot show it */
  FRAMEPATH_REGION_NO_MEMORY = 10,  /* imported memory is counted, and there is not enough now */
};

/* Page 0. Everything before `acknowledged` is constant once `magic` is written. */
struct framepath_region_header {
  uint64_t magic;               /* 0: FRAMEPATH_REGION_MAGIC, written last */
  uint32_t version;             /* 8: major << 16 | minor */
  uint32_t header_bytes;        /* 12: of this struct, in the host's version */
  uint64_t features;            /* 16: enum framepath_region_feature */
  uint64_t region_bytes;        /* 24: of the whole region, a power of two */
  uint64_t slots_offset;        /* 32: a multiple of FRAMEPATH_REGION_ALIGNMENT */
  uint64_t slot_bytes;          /* 40: from one slot to the next, also a multiple */
  uint32_t slot_count;          /* 48: 1 to 16 */
  uint32_t guest_offset;        /* 52 */
  uint32_t present_offset;      /* 56 */
  uint32_t present_entries;     /* 60: a power of two */
  uint32_t present_entry_bytes; /* 64: 256 */
  uint32_t release_offset;      /* 68 */
  uint32_t release_entries;     /* 72: a power of two, at least 3 * slot_count */
  uint32_t release_entry_bytes; /* 76: 64 */
  uint32_t doorbell_peer;       /* 80: the host's ivshmem peer id */
  uint32_t doorbell_vector;     /* 84 */
  char name[64];                /* 88: of the VM, UTF-8, 0-terminated */
  uint64_t reserved0[5];        /* 152 */
  /* Written by the host while both sides run. */
  uint64_t acknowledged;   /* 192: epoch << 32 | enum framepath_region_reason */
  uint64_t held_at_attach; /* 200: bit k: the host held slot k at that attach; a RELEASED with frame 0 follows */
  uint64_t output;         /* 208: refresh_mhz << 32 | height << 16 | width; 0: no monitor */
  uint64_t state;          /* 216: enum framepath_region_host_state */
  uint64_t refusals;       /* 224: count << 32 | last enum framepath_region_reason, since the attach */
  uint64_t doorbell;       /* 232: epoch << 32 | enum framepath_region_doorbell; of another epoch: WANTED */
  uint64_t reserved1[2];   /* 240 */
  uint64_t present_head;   /* 256: epoch word: next entry that the host reads */
  uint64_t reserved2[7];
  uint64_t release_tail; /* 320: epoch word: next entry that the host writes */
  uint64_t reserved3[7];
};

/* Written by the guest while both sides run. */
struct framepath_region_guest {
  uint64_t attach; /* 0: epoch << 32 | major version << 16 | flags; epoch 0: no guest */
  uint64_t reserved0[7];
  uint64_t present_tail; /* 64: epoch word: next entry that the guest writes */
  uint64_t reserved1[7];
  uint64_t release_head; /* 128: epoch word: next entry that the guest reads */
  uint64_t reserved2[7];
};

/* Pixels of the frame. */
struct framepath_region_rect {
  uint32_t x, y, width, height;
};

/* A presented frame. `generation` is 0 while the other words are written, then epoch << 32 | position. */
struct framepath_region_present {
  uint64_t generation;   /* 0 */
  uint64_t frame;        /* 8: rises, from 1, with every present of an epoch */
  uint64_t ready_ns;     /* 16: CLOCK_MONOTONIC of the guest at the present */
  uint32_t slot;         /* 24 */
  uint32_t damage_count; /* 28: 0: everything; a single empty rectangle: nothing */
  uint32_t width;        /* 32 */
  uint32_t height;       /* 36 */
  uint32_t stride;       /* 40: bytes from one row to the next */
  uint32_t fourcc;       /* 44: a 32-bit RGB format of drm_fourcc.h */
  uint64_t reserved[2];  /* 48 */
  struct framepath_region_rect damage[FRAMEPATH_REGION_MAX_DAMAGE]; /* 64 */
};

/* An event of the host about a frame or a slot. */
struct framepath_region_release {
  uint64_t generation; /* 0: as above */
  uint64_t frame;      /* 8: of the present; 0 for a slot held since before the attach */
  uint64_t time_ns;    /* 16: host's CLOCK_MONOTONIC of the flip; 0 without one */
  uint64_t sequence;   /* 24: vblank counter of the output at the flip */
  uint32_t event;      /* 32: enum framepath_region_event */
  uint32_t slot;       /* 36 */
  uint32_t outcome;    /* 40: of DONE: enum framepath_region_outcome */
  uint32_t reason;     /* 44: enum framepath_region_reason */
  uint64_t reserved[2];
};

#define FRAMEPATH_REGION_ASSERT(what) static_assert(what, #what)
FRAMEPATH_REGION_ASSERT(sizeof(struct framepath_region_header) == 384);
FRAMEPATH_REGION_ASSERT(offsetof(struct framepath_region_header, acknowledged) == 192);
FRAMEPATH_REGION_ASSERT(offsetof(struct framepath_region_header, doorbell) == 232);
FRAMEPATH_REGION_ASSERT(offsetof(struct framepath_region_header, present_head) == 256);
FRAMEPATH_REGION_ASSERT(offsetof(struct framepath_region_header, release_tail) == 320);
FRAMEPATH_REGION_ASSERT(sizeof(struct framepath_region_guest) == 192);
FRAMEPATH_REGION_ASSERT(offsetof(struct framepath_region_guest, present_tail) == 64);
FRAMEPATH_REGION_ASSERT(offsetof(struct framepath_region_guest, release_head) == 128);
FRAMEPATH_REGION_ASSERT(sizeof(struct framepath_region_rect) == 16);
FRAMEPATH_REGION_ASSERT(sizeof(struct framepath_region_present) == 256);
FRAMEPATH_REGION_ASSERT(offsetof(struct framepath_region_present, damage) == 64);
FRAMEPATH_REGION_ASSERT(sizeof(struct framepath_region_release) == 64);
FRAMEPATH_REGION_ASSERT(offsetof(struct framepath_region_release, event) == 32);
FRAMEPATH_REGION_ASSERT(FRAMEPATH_REGION_RELEASE_ENTRIES >= 3 * FRAMEPATH_REGION_MAX_SLOTS);

/* Orders all earlier stores before all later ones, including write-combined ones (a BAR mapped with resource2_wc), which
 * a release store does not order on x86. */
static inline void framepath_region_publish(void) {
#if defined(__x86_64__) || defined(__i386__)
  __asm__ volatile("sfence" ::: "memory");
#endif
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Orders all earlier loads before all later ones, including those from write-combined memory. */
static inline void framepath_region_consume(void) {
#if defined(__x86_64__) || defined(__i386__)
  __asm__ volatile("lfence" ::: "memory");
#endif
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
}

#endif
