#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The group joins a container of its own with whatever IOMMU it has. */
static int join(int container, int group) {
  struct vfio_group_status status = {.argsz = sizeof status};
  if (ioctl(container, VFIO_GET_API_VERSION) != VFIO_API_VERSION) return errno = ENOSYS, -1;
  if (ioctl(group, VFIO_GROUP_GET_STATUS, &status) < 0) return -1;
  /* Another device of the group has a driver of the kernel. */
  if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) return errno = EBUSY, -1;
  if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) < 0) return -1;
  if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) == 0) return 0;
  if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == 0) return 0;
  return ioctl(container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU);
}

int clinux_vfio_open(const char *group_path, const char *address, int fds[3]) {
  fds[0] = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
  if (fds[0] < 0) return -1;
  fds[1] = open(group_path, O_RDWR | O_CLOEXEC);
  if (fds[1] >= 0) {
    if (join(fds[0], fds[1]) == 0) {
      fds[2] = ioctl(fds[1], VFIO_GROUP_GET_DEVICE_FD, address);
      if (fds[2] >= 0) return 0;
    }
    int error = errno;
    close(fds[1]);
    errno = error;
  }
  int error = errno;
  close(fds[0]);
  errno = error;
  return -1;
}

int clinux_vfio_enable_msix(int device, unsigned int vector, int eventfd) {
  /* An interrupt is a write of the device's: it must be allowed to. */
  struct vfio_region_info config = {.argsz = sizeof config, .index = VFIO_PCI_CONFIG_REGION_INDEX};
  uint16_t command;
  if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config) < 0) return -1;
  off_t place = (off_t)config.offset + PCI_COMMAND;
  if (pread(device, &command, sizeof command, place) != sizeof command) return -1;
  command |= PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
  if (pwrite(device, &command, sizeof command, place) != sizeof command) return -1;

  union {
    struct vfio_irq_set set;
    char bytes[sizeof(struct vfio_irq_set) + sizeof(int)];
  } irq;
  memset(&irq, 0, sizeof irq);
  irq.set.argsz = sizeof irq.bytes;
  irq.set.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
  irq.set.index = VFIO_PCI_MSIX_IRQ_INDEX;
  irq.set.start = vector;
  irq.set.count = 1;
  memcpy(irq.set.data, &eventfd, sizeof eventfd);
  return ioctl(device, VFIO_DEVICE_SET_IRQS, &irq.set);
}
