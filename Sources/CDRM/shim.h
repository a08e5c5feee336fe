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

#endif
