/* The Framepath client protocol: fixed-size little-endian messages over a SOCK_SEQPACKET Unix socket.
 *
 * Every message starts with struct framepath_header and is sent whole, in one packet. Descriptors are passed with a
 * message by SCM_RIGHTS, if its comment says so. Reserved fields are 0. Docs/Protocol.md has the rules.
 *
  * A scanout has a *generation*. It rises when the scanout moves to another output: all its buffers are destroyed then,
  * and messages with the former generation are answered as stale and have no effect. */
#ifndef FRAMEPATH_PROTOCOL_H
#define FRAMEPATH_PROTOCOL_H

#include <assert.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the protocol's structs are little-endian"
#endif

#define FRAMEPATH_PROTOCOL_MAGIC 0x48545046u /* "FPTH" */
#define FRAMEPATH_PROTOCOL_VERSION 3u
#define FRAMEPATH_NAME_BYTES 64
#define FRAMEPATH_TEXT_BYTES 256
#define FRAMEPATH_SETTING_TEXT_BYTES 128
#define FRAMEPATH_OUTPUT_NAME_BYTES 32
#define FRAMEPATH_MAX_SCANOUTS 16
#define FRAMEPATH_MAX_DAMAGE 16
#define FRAMEPATH_MAX_EDID_BYTES 1024
#define FRAMEPATH_MAX_RANGES 4096
#define FRAMEPATH_MAX_SETTINGS 4096

enum framepath_type {
  /* client to daemon */
  FRAMEPATH_HELLO = 1,
  FRAMEPATH_CREATE_BUFFER = 2,
  FRAMEPATH_IMPORT_BUFFER = 3,
  FRAMEPATH_DESTROY_BUFFER = 4,
  FRAMEPATH_PRESENT = 5,
  FRAMEPATH_DISABLE = 6,
  FRAMEPATH_CURSOR = 7,
  FRAMEPATH_PATH = 8,
  FRAMEPATH_STATUS = 9,
  FRAMEPATH_SNAPSHOT = 10,
  FRAMEPATH_SETTINGS = 11,
  FRAMEPATH_TRACE = 12,
  FRAMEPATH_REGION = 13,
  FRAMEPATH_LEASE = 14,
  FRAMEPATH_SYNC_POINTS = 15,
  FRAMEPATH_SUBSCRIBE = 16,
  FRAMEPATH_FOCUS = 17,
  FRAMEPATH_REVOKE = 18,
  FRAMEPATH_DEVICE = 19,
  /* daemon to client */
  FRAMEPATH_WELCOME = 129,
  FRAMEPATH_OUTPUT = 130,
  FRAMEPATH_BUFFER = 131,
  FRAMEPATH_FRAME_DONE = 132,
  FRAMEPATH_RELEASED = 133,
  FRAMEPATH_STATUS_REPLY = 134,
  FRAMEPATH_SNAPSHOT_REPLY = 135,
  FRAMEPATH_ERROR = 136,
  FRAMEPATH_DONE = 137,
  FRAMEPATH_REGION_NEWS = 138,
  FRAMEPATH_LEASED = 139,
  FRAMEPATH_LEASE_ENDED = 140,
  FRAMEPATH_CHANGED = 141,
  FRAMEPATH_DEVICE_SETTINGS = 142,
};

enum framepath_client_kind {
  FRAMEPATH_CLIENT_VM = 1,
  FRAMEPATH_CLIENT_CONTAINER = 2,
  FRAMEPATH_CLIENT_TOOL = 3,
};

enum framepath_path_kind {
  FRAMEPATH_PATH_DIRECT = 1, /* the hardware reads the client's own pages */
  FRAMEPATH_PATH_COPY = 2,   /* one CPU copy into a host buffer */
  FRAMEPATH_PATH_BLIT = 3,   /* composed by the daemon */
};

enum framepath_present_flag {
  FRAMEPATH_PRESENT_ACQUIRE_FENCE = 1, /* one descriptor: a sync file, or an eventfd. The buffer is
                                          read once poll(2) reports it readable */
};

enum framepath_outcome {
  FRAMEPATH_FLIPPED = 1,    /* on screen since time_ns */
  FRAMEPATH_SUPERSEDED = 2, /* replaced by a newer frame; the buffer is no longer read for this frame */
  FRAMEPATH_REJECTED = 3,   /* the output refused it; an ERROR has the reason */
};

enum framepath_buffer_usage {
  FRAMEPATH_USAGE_FRAME = 0,
  FRAMEPATH_USAGE_CURSOR = 1,
};

enum framepath_memory_kind {
  FRAMEPATH_MEMORY_MEMFD = 1,  /* map it; no synchronisation needed */
  FRAMEPATH_MEMORY_DMABUF = 2, /* map it; bracket CPU writes with DMA_BUF_IOCTL_SYNC */
};

enum framepath_error_code {
  FRAMEPATH_ERROR_VERSION = 1,        /* the daemon has another version; the connection ends */
  FRAMEPATH_ERROR_MALFORMED = 2,      /* a message breaks the rules; the connection ends */
  FRAMEPATH_ERROR_NAME_TAKEN = 3,     /* another client or user has that name; the connection ends */
  FRAMEPATH_ERROR_NO_SUCH_OUTPUT = 4, /* HELLO names an unknown output; the connection ends */
  FRAMEPATH_ERROR_NO_SUCH_VM = 5,     /* SNAPSHOT of an unknown VM, scanout or output */
  FRAMEPATH_ERROR_NO_SUCH_BUFFER = 6, /* an unknown buffer; the connection ends */
  FRAMEPATH_ERROR_NO_MEMORY = 7,      /* a limit is reached, or the system is out of memory */
  FRAMEPATH_ERROR_REFUSED = 8,        /* the request cannot be fulfilled; the text has the reason */
  FRAMEPATH_ERROR_OUTPUT = 9,         /* a commit failed; its frame is REJECTED */
  FRAMEPATH_ERROR_STALE = 10,         /* a buffer for a former generation */
  FRAMEPATH_ERROR_LIMIT = 11,         /* the daemon or the user has too many clients; the connection ends */
  FRAMEPATH_ERROR_DENIED = 12,        /* the client may not send that message */
};

struct framepath_rect {
  int32_t x, y;
  uint32_t width, height;
};

struct framepath_header {
  uint32_t type;    /* enum framepath_type */
  uint32_t size;    /* bytes of the whole message, this header included */
  uint64_t request; /* chosen by the sender of a request; its answer repeats it */
};

/* First message of a client. Answered by WELCOME and one OUTPUT per scanout, or by ERROR, which ends it.
 * The first 24 bytes of HELLO, and all of ERROR, are the same in every version. */
struct framepath_hello {
  struct framepath_header header;
  uint32_t magic;
  uint32_t version;
  uint32_t client_kind;
  uint32_t scanout_count;                  /* at most 16; 0 for a tool */
  char name[FRAMEPATH_NAME_BYTES];         /* the VM's name, UTF-8, 0-terminated */
  char outputs[FRAMEPATH_MAX_SCANOUTS][FRAMEPATH_OUTPUT_NAME_BYTES]; /* the output of each scanout; empty for any free one */
};

/* A request that cannot be granted now is answered by NO_MEMORY at once; without this flag it waits. */
#define FRAMEPATH_BUFFER_AT_ONCE 1u

/* A host buffer, allocated by the daemon for the scanout's output. Answered by BUFFER or ERROR.
 * A cursor's buffer has the output's cursor size (see BUFFER); width and height are ignored. */
struct framepath_create_buffer {
  struct framepath_header header;
  uint32_t buffer_id; /* chosen by the client, not in use */
  uint32_t scanout;
  uint32_t width;
  uint32_t height;
  uint32_t fourcc;
  uint32_t usage; /* enum framepath_buffer_usage */
  uint32_t generation;
  uint32_t flags; /* FRAMEPATH_BUFFER_* */
};

/* Imports a client's memory as a framebuffer: range_count ranges of memfds, or one dma-buf. The first descriptor is a
 * sealed memfd of struct framepath_range entries; the others are the memfds that the entries index. A dma-buf is the
 * only descriptor. Answered by BUFFER or ERROR. */
struct framepath_import_buffer {
  struct framepath_header header;
  uint32_t buffer_id;
  uint32_t scanout;
  uint32_t width;
  uint32_t height;
  uint32_t fourcc;
  uint32_t stride;
  uint64_t offset; /* of the picture's first byte */
  uint64_t modifier;
  uint32_t memory_kind; /* enum framepath_memory_kind */
  uint32_t range_count; /* 0 for a dma-buf */
  uint32_t generation;
  uint32_t flags; /* FRAMEPATH_BUFFER_* */
};

struct framepath_range {
  uint32_t descriptor; /* index among the descriptors after the first */
  uint32_t reserved;
  uint64_t offset;
  uint64_t size;
};

struct framepath_destroy_buffer {
  struct framepath_header header;
  uint32_t buffer_id; /* freed once it has left the screen; an unknown one is ignored. No RELEASED follows. A request
                       * that waits for memory is answered by ERROR(NO_MEMORY) */
  uint32_t reserved;
};

/* Shows a buffer on a scanout at the next vblank. Answered by one FRAME_DONE, and by RELEASED once the buffer has left
 * the screen. A frame of a former generation is answered by FRAME_DONE(SUPERSEDED). */
struct framepath_present {
  struct framepath_header header;
  uint64_t frame; /* rises with every present of a scanout */
  uint32_t scanout;
  uint32_t buffer_id;
  struct framepath_rect source;
  uint16_t path;         /* enum framepath_path_kind: how the bytes reached the buffer */
  uint16_t flags;        /* enum framepath_present_flag */
  uint32_t copies;       /* CPU copies of this frame (or its damage) so far */
  uint64_t copied_bytes; /* bytes of these copies */
  uint64_t ready_ns;     /* CLOCK_MONOTONIC when the guest presented the frame; 0: unknown */
  uint32_t damage_count; /* 0: everything; a single empty rectangle: nothing */
  uint32_t generation;
  struct framepath_rect damage[FRAMEPATH_MAX_DAMAGE];
};

/* Blanks a scanout. A waiting frame is SUPERSEDED. */
struct framepath_disable {
  struct framepath_header header;
  uint32_t scanout;
  uint32_t reserved;
};

/* Sets image and position of a scanout's cursor; shown at the next vblank, without a new frame. */
struct framepath_cursor {
  struct framepath_header header;
  uint32_t scanout;
  uint32_t buffer_id; /* of usage CURSOR; 0 hides the cursor */
  int32_t x, y;       /* of the image's upper left corner (the hotspot is already subtracted) */
  uint32_t hot_x, hot_y;
  uint32_t generation;
  uint32_t reserved;
};

/* A scanout's path from now on, and why a better one is unavailable. */
struct framepath_path {
  struct framepath_header header;
  uint32_t scanout;
  uint32_t path; /* enum framepath_path_kind */
  char reason[FRAMEPATH_TEXT_BYTES];
};

/* Answered by STATUS_REPLY. */
struct framepath_status {
  struct framepath_header header;
};

/* Answered by STATUS_REPLY: the last frames of every scanout. */
struct framepath_trace {
  struct framepath_header header;
};

/* Answered by SNAPSHOT_REPLY or ERROR. */
struct framepath_snapshot {
  struct framepath_header header;
  uint32_t of_output; /* 1: `name` is an output; 0: `name` is a VM */
  uint32_t scanout;   /* of the VM */
  char name[FRAMEPATH_NAME_BYTES];
};

/* SETTINGS, FOCUS and REVOKE are commands, accepted from the daemon's user and root only. Each is answered by DONE, or
 * by ERROR(REFUSED), and then nothing has changed. */

enum framepath_setting_form {
  FRAMEPATH_SETTING_NONE = 0,   /* no value: never, no limit, or the default; an empty list */
  FRAMEPATH_SETTING_NUMBER = 1, /* number: seconds, hertz, bytes or a share */
  FRAMEPATH_SETTING_CHOICE = 2, /* number: the index of the setting's choice, from 0 */
  FRAMEPATH_SETTING_NAME = 3,   /* text: an output, one of a list */
  FRAMEPATH_SETTING_GRID = 4,   /* rect: width columns, height rows */
  FRAMEPATH_SETTING_PLACE = 5,  /* text: a VM, rect: where it is shown; one of a list */
  FRAMEPATH_SETTING_USER = 6,   /* number: a user id; one of a list */
  FRAMEPATH_SETTING_GROUP = 7,  /* number: a group id; one of a list */
};

/* A setting and its new value. A list has one record per item, in sequence. */
struct framepath_setting {
  uint32_t setting; /* its number: Docs/Settings.md */
  uint32_t form;    /* enum framepath_setting_form */
  uint32_t more;    /* 1: the next record has the list's next item */
  uint32_t line;    /* of the configuration file, from 1; else 0 */
  int64_t number;
  struct framepath_rect rect;
  char target[FRAMEPATH_NAME_BYTES]; /* the VM or the output; empty: all outputs, or what exists once */
  char text[FRAMEPATH_SETTING_TEXT_BYTES];
};

/* Changes settings, all or none. One descriptor: a memfd sealed against shrinking, with `count` records of struct
 * framepath_setting. */
struct framepath_settings {
  struct framepath_header header;
  uint32_t count; /* 1 to FRAMEPATH_MAX_SETTINGS */
  uint32_t reserved;
};

/* Shows a VM on the output that it shares. */
struct framepath_focus {
  struct framepath_header header;
  char vm[FRAMEPATH_NAME_BYTES];
};

/* Takes an output from the client that holds it alone. */
struct framepath_revoke {
  struct framepath_header header;
  uint32_t of_lease; /* 1: only from a lessee */
  uint32_t reserved;
  char output[FRAMEPATH_OUTPUT_NAME_BYTES];
};

enum framepath_region_message_flag {
  FRAMEPATH_REGION_MESSAGE_SHARED_CLOCK = 1,   /* the guest reads this machine's CLOCK_MONOTONIC */
  FRAMEPATH_REGION_MESSAGE_GUEST_DOORBELL = 2, /* a third descriptor: an eventfd that is raised when there is news;
                                                 where the kernel cannot, the client gets REGION_NEWS */
};

/* From now on a scanout's frames are presented through the rings of a region (framepath_region.h). Descriptors: the
 * memory, a memfd sealed against shrinking; the eventfd that wakes the daemon; with GUEST_DOORBELL, the one that the
 * daemon signals. Answered by ERROR(REFUSED) or not at all. */
struct framepath_region_message {
  struct framepath_header header;
  uint32_t scanout;
  uint32_t flags;        /* enum framepath_region_message_flag */
  uint64_t region_bytes; /* a power of two: the memory's size */
  uint32_t slot_count;   /* 1 to 16 */
  uint32_t reserved;
};

/* The daemon has accepted a region whose guest doorbell it does not signal, or has written into its rings. */
struct framepath_region_news {
  struct framepath_header header;
  uint32_t scanout;
  uint32_t reserved;
};

/* Requests a DRM lease of an output. Answered by LEASED, possibly after another lessee, or by ERROR(REFUSED). The lease
 * ends with the connection, or when all copies of the descriptor are closed. */
struct framepath_lease {
  struct framepath_header header;
  char output[FRAMEPATH_OUTPUT_NAME_BYTES];
};

/* The client has the output: one descriptor, a DRM master of these objects and the CRTC's other planes. */
struct framepath_leased {
  struct framepath_header header;
  uint32_t lessee_id; /* the kernel's lessee id */
  uint32_t connector_id;
  uint32_t crtc_id;
  uint32_t plane_id; /* the primary one */
};

/* The lease of that request has ended; the descriptor's objects are gone. */
struct framepath_lease_ended {
  struct framepath_header header;
  char text[FRAMEPATH_TEXT_BYTES]; /* why */
};

enum framepath_sync_flag {
  FRAMEPATH_SYNC_ACQUIRE = 1, /* a descriptor: the DRM synchronisation object of acquire_point */
  FRAMEPATH_SYNC_RELEASE = 2, /* a further descriptor: the object of release_point */
};

/* For the scanout's next PRESENT: its buffer is read once acquire_point is signalled, and release_point is signalled
 * when it is no longer read for that frame. Answered by ERROR(REFUSED), and that PRESENT is REJECTED, or not at all. */
struct framepath_sync_points {
  struct framepath_header header;
  uint32_t scanout;
  uint32_t flags; /* enum framepath_sync_flag */
  uint64_t acquire_point;
  uint64_t release_point;
};

enum framepath_change_kind {
  FRAMEPATH_CHANGE_OUTPUTS = 1,  /* an output was added, plugged, unplugged, leased, or has another mode or power state */
  FRAMEPATH_CHANGE_VMS = 2,      /* a client connected or disconnected; a scanout has another output or path */
  FRAMEPATH_CHANGE_FOCUS = 4,    /* another VM is shown alone on an output */
  FRAMEPATH_CHANGE_SETTINGS = 8, /* settings were changed */
};

/* Requests CHANGED whenever the state that STATUS reports changes in one of these ways. Another SUBSCRIBE replaces it;
 * without kinds it ends the subscription. Not answered. */
struct framepath_subscribe {
  struct framepath_header header;
  uint32_t kinds; /* bits of enum framepath_change_kind */
  uint32_t reserved;
};

/* What is in force in a VM's device, for the status. The first one is answered by DEVICE_SETTINGS. */
struct framepath_device {
  struct framepath_header header;
  uint64_t max_memory;    /* limit of its memory for the guest's graphics resources, bytes; 0: none */
  uint32_t blank_stopped; /* seconds from the guest's stop until its screen is blanked; 0: never */
  uint32_t reserved;
};

struct framepath_welcome {
  struct framepath_header header;
  uint32_t version;
  uint32_t scanout_count; /* the granted number */
  uint64_t memory_limit;  /* limit for host buffers of this client, bytes */
};

/* A scanout's output: sent after WELCOME and at every change. A new generation requires new buffers. */
struct framepath_output {
  struct framepath_header header;
  uint32_t scanout;
  uint32_t connected; /* 0: no monitor now */
  uint32_t width;     /* of the current mode, pixels */
  uint32_t height;
  uint32_t refresh_mhz; /* millihertz */
  uint32_t width_mm;
  uint32_t height_mm;
  uint32_t cursor_size; /* width and height of a hardware cursor; 0: the daemon blends it */
  uint32_t edid_size;   /* 0 without an EDID */
  uint32_t memory_kind; /* of buffers made for it */
  uint32_t generation;  /* at least 1 */
  uint32_t parked;      /* 1: no output is free; frames are paced at the refresh rate, but only snapshots show them */
  char name[FRAMEPATH_NAME_BYTES];
  uint8_t edid[FRAMEPATH_MAX_EDID_BYTES];
};

/* A buffer is ready for use. One descriptor for a host buffer, none for an imported one. */
struct framepath_buffer {
  struct framepath_header header;
  uint32_t buffer_id;
  uint32_t memory_kind; /* enum framepath_memory_kind */
  uint32_t stride;      /* bytes */
  uint32_t width;       /* pixels */
  uint32_t height;
  uint32_t reserved;
  uint64_t size; /* bytes to map; 0 for an imported buffer */
};

struct framepath_frame_done {
  struct framepath_header header;
  uint64_t frame;
  uint32_t scanout;
  uint32_t outcome;  /* enum framepath_outcome */
  uint64_t time_ns;  /* CLOCK_MONOTONIC of the flip; 0 without one */
  uint64_t sequence; /* vblank counter of the output at the flip */
};

/* The daemon and the hardware no longer read a buffer: it may be drawn into, unless it was presented again since. */
struct framepath_released {
  struct framepath_header header;
  uint32_t buffer_id;
  uint32_t scanout;
  uint64_t frame; /* the last frame that showed it; 0 for a cursor's buffer */
};

/* One descriptor: a memfd with `size` bytes of JSON. */
struct framepath_status_reply {
  struct framepath_header header;
  uint64_t size;
};

/* One descriptor: the picture, XRGB8888. */
struct framepath_snapshot_reply {
  struct framepath_header header;
  uint32_t width;
  uint32_t height;
  uint32_t stride;
  uint32_t fourcc;
  uint32_t from_writeback; /* 1: the hardware's own output; 0: composed from the buffers on screen */
  uint32_t memory_kind;
  uint64_t size; /* bytes to map */
};

struct framepath_error {
  struct framepath_header header;
  uint32_t code; /* enum framepath_error_code */
  uint32_t scanout;
  char text[FRAMEPATH_TEXT_BYTES];
};

/* The command of that request is carried out. */
struct framepath_done {
  struct framepath_header header;
};

/* The state has changed since the client's last STATUS or SUBSCRIBE. Each kind is sent once, and again only after the
 * client's next STATUS or SUBSCRIBE. `request` is that of SUBSCRIBE. */
struct framepath_changed {
  struct framepath_header header;
  uint32_t kinds; /* bits of enum framepath_change_kind */
  uint32_t reserved;
};

/* The host's settings for the client's device, and after the first DEVICE every change of them. */
struct framepath_device_settings {
  struct framepath_header header;
  uint64_t max_memory;    /* bytes; 0: the client's default */
  uint32_t blank_stopped; /* seconds; 0: never */
  uint32_t reserved;
};

#define FRAMEPATH_ASSERT_SIZE(type, bytes) static_assert(sizeof(struct type) == (bytes), #type)
FRAMEPATH_ASSERT_SIZE(framepath_rect, 16);
FRAMEPATH_ASSERT_SIZE(framepath_header, 16);
FRAMEPATH_ASSERT_SIZE(framepath_hello, 608);
FRAMEPATH_ASSERT_SIZE(framepath_create_buffer, 48);
FRAMEPATH_ASSERT_SIZE(framepath_import_buffer, 72);
FRAMEPATH_ASSERT_SIZE(framepath_range, 24);
FRAMEPATH_ASSERT_SIZE(framepath_destroy_buffer, 24);
FRAMEPATH_ASSERT_SIZE(framepath_present, 336);
FRAMEPATH_ASSERT_SIZE(framepath_disable, 24);
FRAMEPATH_ASSERT_SIZE(framepath_cursor, 48);
FRAMEPATH_ASSERT_SIZE(framepath_path, 280);
FRAMEPATH_ASSERT_SIZE(framepath_status, 16);
FRAMEPATH_ASSERT_SIZE(framepath_snapshot, 88);
FRAMEPATH_ASSERT_SIZE(framepath_setting, 232);
FRAMEPATH_ASSERT_SIZE(framepath_settings, 24);
FRAMEPATH_ASSERT_SIZE(framepath_focus, 80);
FRAMEPATH_ASSERT_SIZE(framepath_revoke, 56);
FRAMEPATH_ASSERT_SIZE(framepath_done, 16);
FRAMEPATH_ASSERT_SIZE(framepath_trace, 16);
FRAMEPATH_ASSERT_SIZE(framepath_region_message, 40);
FRAMEPATH_ASSERT_SIZE(framepath_region_news, 24);
FRAMEPATH_ASSERT_SIZE(framepath_lease, 48);
FRAMEPATH_ASSERT_SIZE(framepath_leased, 32);
FRAMEPATH_ASSERT_SIZE(framepath_lease_ended, 272);
FRAMEPATH_ASSERT_SIZE(framepath_sync_points, 40);
FRAMEPATH_ASSERT_SIZE(framepath_subscribe, 24);
FRAMEPATH_ASSERT_SIZE(framepath_changed, 24);
FRAMEPATH_ASSERT_SIZE(framepath_device, 32);
FRAMEPATH_ASSERT_SIZE(framepath_device_settings, 32);
FRAMEPATH_ASSERT_SIZE(framepath_welcome, 32);
FRAMEPATH_ASSERT_SIZE(framepath_output, 1152);
FRAMEPATH_ASSERT_SIZE(framepath_buffer, 48);
FRAMEPATH_ASSERT_SIZE(framepath_frame_done, 48);
FRAMEPATH_ASSERT_SIZE(framepath_released, 32);
FRAMEPATH_ASSERT_SIZE(framepath_status_reply, 24);
FRAMEPATH_ASSERT_SIZE(framepath_snapshot_reply, 48);
FRAMEPATH_ASSERT_SIZE(framepath_error, 280);

#endif
