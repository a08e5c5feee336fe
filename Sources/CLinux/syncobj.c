#include "CLinux.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

/* drm/drm.h, which a kernel's headers need not have, and whose eventfd is of Linux 6.6. */
struct get_cap {
  uint64_t capability, value;
};
struct syncobj_handle {
  uint32_t handle, flags;
  int32_t fd;
  uint32_t pad;
};
struct syncobj_destroy {
  uint32_t handle, pad;
};
struct syncobj_timeline_array {
  uint64_t handles, points;
  uint32_t count, flags;
};
struct syncobj_eventfd {
  uint32_t handle, flags;
  uint64_t point;
  int32_t fd;
  uint32_t pad;
};
#define GET_CAP _IOWR('d', 0x0c, struct get_cap)
#define SYNCOBJ_DESTROY _IOWR('d', 0xc0, struct syncobj_destroy)
#define SYNCOBJ_FD_TO_HANDLE _IOWR('d', 0xc2, struct syncobj_handle)
#define SYNCOBJ_TIMELINE_SIGNAL _IOWR('d', 0xcd, struct syncobj_timeline_array)
#define SYNCOBJ_EVENTFD _IOWR('d', 0xcf, struct syncobj_eventfd)
#define CAP_SYNCOBJ_TIMELINE 0x14

static int retry(int node, unsigned long request, void *argument) {
  int result;
  do result = ioctl(node, request, argument);
  while (result < 0 && (errno == EINTR || errno == EAGAIN));
  return result;
}

int clinux_drm_has_timelines(int node) {
  struct get_cap cap = {CAP_SYNCOBJ_TIMELINE, 0};
  return retry(node, GET_CAP, &cap) == 0 && cap.value != 0;
}

int clinux_syncobj_import(int node, int fd, uint32_t *handle) {
  struct syncobj_handle argument = {.fd = fd};
  int result = retry(node, SYNCOBJ_FD_TO_HANDLE, &argument);
  *handle = argument.handle;
  return result;
}

int clinux_syncobj_destroy(int node, uint32_t handle) {
  struct syncobj_destroy argument = {handle, 0};
  return retry(node, SYNCOBJ_DESTROY, &argument);
}

int clinux_syncobj_signal(int node, uint32_t handle, uint64_t point) {
  struct syncobj_timeline_array argument = {(uintptr_t)&handle, (uintptr_t)&point, 1, 0};
  return retry(node, SYNCOBJ_TIMELINE_SIGNAL, &argument);
}

int clinux_syncobj_eventfd(int node, uint32_t handle, uint64_t point, int eventfd) {
  struct syncobj_eventfd argument = {handle, 0, point, eventfd, 0};
  return retry(node, SYNCOBJ_EVENTFD, &argument);
}
