#define _GNU_SOURCE
#include "CUinput.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/uinput.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int cuinput_create(const char *name, int first, int last) {
  struct uinput_setup setup;
  int device = open("/dev/uinput", O_RDWR | O_CLOEXEC);
  if (device < 0) return -1;
  memset(&setup, 0, sizeof setup);
  setup.id.bustype = BUS_USB;
  setup.id.vendor = 0x1d6b;
  setup.id.product = 0x0104;
  strncpy(setup.name, name, sizeof setup.name - 1);
  if (ioctl(device, UI_SET_EVBIT, EV_KEY) < 0) goto failed;
  for (int key = first; key <= last; key++) {
    if (ioctl(device, UI_SET_KEYBIT, key) < 0) goto failed;
  }
  if (ioctl(device, UI_DEV_SETUP, &setup) < 0 || ioctl(device, UI_DEV_CREATE) < 0) goto failed;
  return device;
failed:
  close(device);
  return -1;
}

int cuinput_send(int device, int type, int code, int value) {
  struct input_event event;
  memset(&event, 0, sizeof event);
  event.type = (unsigned short)type;
  event.code = (unsigned short)code;
  event.value = value;
  return write(device, &event, sizeof event) == sizeof event ? 0 : -1;
}

int cuinput_number(int device) {
  char name[64], path[128];
  int number = -1;
  if (ioctl(device, UI_GET_SYSNAME(sizeof name), name) < 0) return -1;
  snprintf(path, sizeof path, "/sys/devices/virtual/input/%s", name);
  DIR *directory = opendir(path);
  if (!directory) return -1;
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (sscanf(entry->d_name, "event%d", &number) == 1) break;
  }
  closedir(directory);
  return number;
}
