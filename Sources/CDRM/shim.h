/* libdrm for Swift, with the constants that do not import. */
#ifndef FRAMEPATH_CDRM_H
#define FRAMEPATH_CDRM_H

#include <drm_fourcc.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

static const uint64_t CDRM_FORMAT_MOD_LINEAR = DRM_FORMAT_MOD_LINEAR;
static const uint64_t CDRM_FORMAT_MOD_INVALID = DRM_FORMAT_MOD_INVALID;

/* Atomic commits go through drmIoctl: drmModeAtomicCommit allocates and sorts at every call. */
static const unsigned long CDRM_IOCTL_MODE_ATOMIC = DRM_IOCTL_MODE_ATOMIC;

/* Forgets a frame buffer without taking it off screens (Linux 6.8; not yet in libdrm 2.4.114). */
struct cdrm_mode_closefb {
  uint32_t fb_id;
  uint32_t pad;
};
static const unsigned long CDRM_IOCTL_MODE_CLOSEFB = DRM_IOWR(0xD0, struct cdrm_mode_closefb);

#endif
