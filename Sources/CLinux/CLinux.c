#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <linux/udmabuf.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(CLINUX_MFD_CLOEXEC == MFD_CLOEXEC, "MFD_CLOEXEC");
_Static_assert(CLINUX_MFD_ALLOW_SEALING == MFD_ALLOW_SEALING, "MFD_ALLOW_SEALING");
_Static_assert(CLINUX_F_SEAL_SEAL == F_SEAL_SEAL, "F_SEAL_SEAL");
_Static_assert(CLINUX_F_SEAL_SHRINK == F_SEAL_SHRINK, "F_SEAL_SHRINK");
_Static_assert(CLINUX_F_SEAL_GROW == F_SEAL_GROW, "F_SEAL_GROW");
_Static_assert(CLINUX_F_SEAL_WRITE == F_SEAL_WRITE, "F_SEAL_WRITE");
_Static_assert(CLINUX_F_SEAL_FUTURE_WRITE == F_SEAL_FUTURE_WRITE, "F_SEAL_FUTURE_WRITE");

int clinux_memfd_create(const char *name, unsigned int flags) { return memfd_create(name, flags); }
int clinux_add_seals(int fd, int seals) { return fcntl(fd, F_ADD_SEALS, seals); }
int clinux_get_seals(int fd) { return fcntl(fd, F_GET_SEALS); }
int clinux_accept4(int fd, int flags) { return accept4(fd, NULL, NULL, flags); }
int clinux_fallocate(int fd, int64_t offset, int64_t length) { return fallocate(fd, 0, offset, length); }

int clinux_set_thread_name(const char *name) {
  char shortName[16];
  strncpy(shortName, name, sizeof shortName - 1);
  shortName[sizeof shortName - 1] = 0;
  return pthread_setname_np(pthread_self(), shortName);
}

int clinux_thread_start(uintptr_t *thread, const char *name, void *(*body)(void *), void *context) {
  pthread_attr_t attributes;
  pthread_t started;
  sigset_t all, before;
  char shortName[16], own[16];
  int code = pthread_attr_init(&attributes);
  if (code != 0) return code;
  pthread_attr_setstacksize(&attributes, 256 << 10);
  /* The thread inherits the mask. A blocked signal of a fault would end the process without its handler. */
  sigfillset(&all);
  sigdelset(&all, SIGBUS);
  sigdelset(&all, SIGSEGV);
  sigdelset(&all, SIGILL);
  sigdelset(&all, SIGFPE);
  sigdelset(&all, SIGTRAP);
  sigdelset(&all, SIGSYS);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  /* It inherits the name too: that of another thread is a file in /proc, which a sandbox keeps closed. */
  strncpy(shortName, name, sizeof shortName - 1);
  shortName[sizeof shortName - 1] = 0;
  prctl(PR_GET_NAME, own, 0, 0, 0);
  prctl(PR_SET_NAME, shortName, 0, 0, 0);
  code = pthread_create(&started, &attributes, body, context);
  prctl(PR_SET_NAME, own, 0, 0, 0);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (code != 0) return code;
  *thread = (uintptr_t)started;
  return 0;
}

int clinux_thread_join(uintptr_t thread) { return pthread_join((pthread_t)thread, NULL); }
int clinux_thread_detach(uintptr_t thread) { return pthread_detach((pthread_t)thread); }

static void *trim(void *context) {
  (void)context;
  malloc_trim(0);
  return NULL;
}

int clinux_return_memory(void) {
  uintptr_t thread;
  int code = clinux_thread_start(&thread, "fp-trim", trim, NULL);
  return code ? code : clinux_thread_detach(thread);
}

int clinux_available_processors(void) {
  /* The kernel says EINVAL where the set is smaller than its own. */
  for (int count = 1024; count <= 1 << 20; count *= 2) {
    cpu_set_t *set = CPU_ALLOC(count);
    if (!set) return 1;
    size_t size = CPU_ALLOC_SIZE(count);
    int result = sched_getaffinity(0, size, set);
    int code = errno;
    int available = result == 0 ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (result == 0) return available > 0 ? available : 1;
    if (code != EINVAL) return 1;
  }
  return 1;
}

int clinux_futex_wait(const void *word, uint32_t expected) {
  return (int)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

int clinux_futex_wake(const void *word, int count) {
  return (int)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

int clinux_pipe2(int ends[2], int flags) { return pipe2(ends, flags); }
int clinux_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
char *const *clinux_environment(void) { return environ; }

ptrdiff_t clinux_send(int socket, const void *bytes, size_t length, const int *fds, size_t fdCount, int flags) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * CLINUX_MAX_FDS)];
  } control;
  struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (fdCount > CLINUX_MAX_FDS) {
    errno = EINVAL;
    return -1;
  }
  if (fdCount > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fdCount);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fdCount);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * fdCount);
  }
  return sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

ptrdiff_t clinux_receive(int socket, void *bytes, size_t capacity, int *fds, size_t *fdCount, const int **excess,
                         size_t *excessCount, int *truncated, int flags) {
  static _Thread_local int rest[CLINUX_MAX_SENT_FDS];
  /* Room for all that can be sent: what does not fit is closed by the kernel in this call, and may make it wait. */
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * CLINUX_MAX_SENT_FDS)];
  } control;
  struct iovec part = {.iov_base = bytes, .iov_len = capacity};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  size_t room = *fdCount;
  *fdCount = 0;
  *excess = rest;
  *excessCount = 0;
  *truncated = 0;
  ptrdiff_t received = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  if (received < 0) return received;
  /* Whatever can be sent fits into `control`: only a shortage of this process cuts it. */
  if (message.msg_flags & MSG_CTRUNC) *truncated = 2;
  if (message.msg_flags & MSG_TRUNC) *truncated = 1;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      if (*fdCount < room) {
        fds[(*fdCount)++] = fd;
      } else {
        *truncated = 1;
        if (*excessCount < CLINUX_MAX_SENT_FDS) rest[(*excessCount)++] = fd;
      }
    }
  }
  return received;
}

int clinux_unread_bytes(int socket) {
  int count = 0;
  return ioctl(socket, SIOCOUTQ, &count) < 0 ? 0 : count;
}

int clinux_uevent_socket(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
  if (fd < 0) return -1;
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    int code = errno;
    close(fd);
    errno = code;
    return -1;
  }
  return fd;
}

ptrdiff_t clinux_uevent_receive(int socket, void *bytes, size_t capacity) {
  for (;;) {
    struct sockaddr_nl sender = {0};
    socklen_t length = sizeof sender;
    ptrdiff_t received = recvfrom(socket, bytes, capacity, 0, (struct sockaddr *)&sender, &length);
    if (received < 0 || (length >= sizeof sender && sender.nl_pid == 0)) return received;
  }
}

int clinux_peer_credentials(int socket, int *pid, unsigned int *uid, unsigned int *gid) {
  struct ucred credentials;
  socklen_t length = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return -1;
  *pid = credentials.pid;
  *uid = credentials.uid;
  *gid = credentials.gid;
  return 0;
}

int clinux_peer_groups(int socket, unsigned int *groups, int count) {
  socklen_t length = (socklen_t)count * sizeof *groups;
  /* The kernel says ERANGE, and the length, where there are more. */
  if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &length) < 0 && errno != ERANGE) return -1;
  return (int)(length / sizeof *groups);
}

int clinux_peer_label(int socket, char *label, int count) {
  socklen_t length = count;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERSEC, label, &length) < 0) return -1;
  return (int)length;
}

int clinux_peer_pidfd(int socket) {
  int pidfd = -1;
  socklen_t length = sizeof pidfd;
  if (getsockopt(socket, SOL_SOCKET, 77 /* SO_PEERPIDFD */, &pidfd, &length) < 0) return -1;
  return pidfd;
}

int clinux_pass_credentials(int socket, int on) {
  return setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
}

int clinux_dma_buf_sync(int fd, uint64_t flags) {
  struct dma_buf_sync sync = {.flags = flags};
  return ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
}

int clinux_udmabuf_create(int device, const struct clinux_memory_range *ranges, uint32_t count) {
  if (count == 0 || count > 1u << 20) {
    errno = EINVAL;
    return -1;
  }
  struct udmabuf_create_list *list = calloc(1, sizeof *list + count * sizeof list->list[0]);
  if (!list) return -1;
  list->flags = UDMABUF_FLAGS_CLOEXEC;
  list->count = count;
  for (uint32_t i = 0; i < count; i++) {
    list->list[i].memfd = (uint32_t)ranges[i].memfd;
    list->list[i].offset = ranges[i].offset;
    list->list[i].size = ranges[i].size;
  }
  int fd = ioctl(device, UDMABUF_CREATE_LIST, list);
  int code = errno;
  free(list);
  errno = code;
  return fd;
}
