/* What glibc does not show Swift: GNU-only calls, CMSG_* macros and ioctl numbers.
 * Every function returns what the call returns and leaves errno as the call set it. */
#ifndef FRAMEPATH_CLINUX_H
#define FRAMEPATH_CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

/* The most file descriptors that one message may carry here. */
#define CLINUX_MAX_FDS 64

int clinux_memfd_create(const char *name, unsigned int flags);
int clinux_add_seals(int fd, int seals);
int clinux_get_seals(int fd);
int clinux_accept4(int fd, int flags);
int clinux_fallocate(int fd, int64_t offset, int64_t length);
int clinux_set_thread_name(const char *name);
/* Starts a joinable thread with a small stack and all signals blocked but those of its own faults; 0, or an errno. */
int clinux_thread_start(uintptr_t *thread, const char *name, void *(*body)(void *), void *context);
int clinux_thread_join(uintptr_t thread);
int clinux_thread_detach(uintptr_t thread);
/* malloc_trim(0) on a thread that ends by itself; 0, or an errno. */
int clinux_return_memory(void);
/* A timer of the calling thread whose signal ends waits of that thread; 0, or an errno. */
int clinux_interrupter_create(intptr_t *timer);
void clinux_interrupter_delete(intptr_t timer);
/* close, after what a connected socket has received is read and dropped, with its descriptors. */
void clinux_connection_close(int fd);
/* close, whose waits end after some milliseconds if a signal can end them; of a connection as above. */
void clinux_interrupted_close(intptr_t timer, int fd, int is_connection, int milliseconds);
/* The processors that the calling thread may run on: sched_getaffinity. At least 1. */
int clinux_available_processors(void);
/* FUTEX_WAIT_PRIVATE and FUTEX_WAKE_PRIVATE. */
int clinux_futex_wait(const void *word, uint32_t expected);
int clinux_futex_wake(const void *word, int count);
int clinux_pipe2(int ends[2], int flags);
int clinux_pidfd_open(int pid);
/* The calling process's environment, which nothing here changes. */
char *const *clinux_environment(void);

/* Sends `length` bytes and `fdCount` descriptors as one message; never raises SIGPIPE. */
ptrdiff_t clinux_send(int socket, const void *bytes, size_t length, const int *fds, size_t fdCount, int flags);

/* Raises eventfds by the end of an asynchronous read of /dev/null (linux/aio_abi.h, IOCB_FLAG_RESFD). Unlike write, the
 * kernel's own raise never waits: a full counter stays full, whatever the file's flags. 0, or an errno. */
int clinux_raiser_open(uint64_t *context);
void clinux_raiser_close(uint64_t context);
int clinux_raise(uint64_t context, int nullDevice, int event);

/* Bytes of memory of the messages that the other side of a Unix socket has not read (SIOCOUTQ); 0 on error. */
int clinux_unread_bytes(int socket);
/* The most that the kernel passes with one message (SCM_MAX_FD). */
#define CLINUX_MAX_SENT_FDS 253

/* Receives one message. `*fdCount` is the capacity of `fds` on entry, the number received on return.
 * `*truncated` is 1 when bytes or descriptors did not fit, 2 when this process had no room for more descriptors;
 * received descriptors are close-on-exec.
 * Descriptors beyond the capacity are not closed: `*excess` is their array, of this thread and until its next call, and
 * `*excessCount` their number. */
ptrdiff_t clinux_receive(int socket, void *bytes, size_t capacity, int *fds, size_t *fdCount, const int **excess,
                         size_t *excessCount, int *truncated, int flags);

/* A nonblocking netlink socket that hears the kernel's device events (kobject uevent, group 1). */
int clinux_uevent_socket(void);

/* The next event of the kernel; messages of other senders are thrown away. */
ptrdiff_t clinux_uevent_receive(int socket, void *bytes, size_t capacity);

/* A virtual terminal's ioctls: console_ioctl(2), linux/vt.h, linux/kd.h. `tty` is any open one of /dev/tty0 and
 * /dev/ttyN. */
/* The number of the active terminal. */
int clinux_vt_active(int tty);
/* A bit for each of the terminals 1 to 15 that a process has open; bit 0 is set. */
int clinux_vt_open_set(int tty);
/* The first terminal that no process has open; -1 without one. */
int clinux_vt_unused(int tty);
/* Asks for a switch, which may be later, or never if its present owner does not let go of it. */
int clinux_vt_activate(int tty, int number);
/* KD_TEXT or KD_GRAPHICS, and how keys are read: K_UNICODE, K_OFF, … */
int clinux_vt_modes(int tty, int *display, int *keyboard);
int clinux_vt_set_modes(int tty, int display, int keyboard);
/* Has the kernel ask this process by signals at switches from and to the terminal; 0 and 0: it no longer asks. */
int clinux_vt_ask(int tty, int release_signal, int acquire_signal);
/* The answers to those signals. */
int clinux_vt_release(int tty);
int clinux_vt_acquired(int tty);

/* An evdev device: linux/input.h. With a grab nobody else gets its events, the console included. */
int clinux_input_grab(int device, int on);
/* A bit for each key that it has; the number of bytes, or -1. */
int clinux_input_keys(int device, uint8_t *bits, size_t length);
/* A bit for each key that is held. */
int clinux_input_held(int device, uint8_t *bits, size_t length);
/* Its name, with a zero byte; the length, or -1. */
int clinux_input_name(int device, char *name, size_t length);

/* Opens a PCI device (its address, e.g. 0000:00:02.0) that is bound to vfio-pci, by its group's file. On success `fds`
 * are the container, the group and the device. */
int clinux_vfio_open(const char *group_path, const char *address, int fds[3]);

/* Has the device's MSI-X vector raise `eventfd`, and lets the device send interrupts. */
int clinux_vfio_enable_msix(int device, unsigned int vector, int eventfd);

/* Whether a DRM node has synchronisation objects with timelines. */
int clinux_drm_has_timelines(int node);

/* A handle, on that node, of the synchronisation object that another process gave: DRM_IOCTL_SYNCOBJ_*. */
int clinux_syncobj_import(int node, int fd, uint32_t *handle);
int clinux_syncobj_destroy(int node, uint32_t handle);
int clinux_syncobj_signal(int node, uint32_t handle, uint64_t point);
int clinux_syncobj_eventfd(int node, uint32_t handle, uint64_t point, int eventfd);

/* SO_PEERCRED. */
int clinux_peer_credentials(int socket, int *pid, unsigned int *uid, unsigned int *gid);

/* SO_PEERGROUPS: the supplementary groups of the peer, at most `count`; returns their number, or -1. */
int clinux_peer_groups(int socket, unsigned int *groups, int count);

/* SO_PEERSEC: the peer's security label, at most `count` bytes; returns its length, or -1. */
int clinux_peer_label(int socket, char *label, int count);

/* SO_PEERPIDFD, Linux 6.5: a descriptor of the peer's process, or -1. */
int clinux_peer_pidfd(int socket);

/* SO_PASSCRED: what is sent while it is on carries the sender's credentials. */
int clinux_pass_credentials(int socket, int on);

/* DMA_BUF_IOCTL_SYNC on a CPU mapping of a dma-buf. `flags`: bit 0 read, bit 1 write, bit 2 end. */
int clinux_dma_buf_sync(int fd, uint64_t flags);

/* A mapping that a SIGBUS spoils instead of ending the process: zeros take the place of what is missing, first of the
 * page alone, at a second fault of everything. `unit` is the size of the file's pages. Remove the entry before
 * munmap. The first call installs the handler; faults elsewhere go to the handler from before. NULL without memory. */
struct clinux_foreign;
struct clinux_foreign *clinux_foreign_add(void *start, size_t length, size_t unit, int writable);
void clinux_foreign_remove(struct clinux_foreign *entry);
/* The place of the mapping's first fault in bytes from its start; -1 if there was none. */
int64_t clinux_foreign_fault(const struct clinux_foreign *entry);
/* The faults of all mappings so far. */
uint64_t clinux_foreign_fault_count(void);

/* The size of the pages by which a file is mapped: a huge page for hugetlb memory. */
size_t clinux_page_unit(int fd);

/* UDMABUF_CREATE_LIST over page-aligned ranges of sealed memfds; returns the dma-buf descriptor. */
struct clinux_memory_range {
  int32_t memfd;
  uint32_t reserved;
  uint64_t offset;
  uint64_t size;
};
int clinux_udmabuf_create(int device, const struct clinux_memory_range *ranges, uint32_t count);

enum {
  CLINUX_MFD_CLOEXEC = 0x1,
  CLINUX_MFD_ALLOW_SEALING = 0x2,
  CLINUX_F_SEAL_SEAL = 0x1,
  CLINUX_F_SEAL_SHRINK = 0x2,
  CLINUX_F_SEAL_GROW = 0x4,
  CLINUX_F_SEAL_WRITE = 0x8,
  CLINUX_F_SEAL_FUTURE_WRITE = 0x10,
};

#endif
