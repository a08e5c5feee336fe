#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Unread results; more submissions than that wait for a system call that reads them. */
#define RESULTS 64

int clinux_raiser_open(uint64_t *context) {
  aio_context_t made = 0;
  if (syscall(SYS_io_setup, RESULTS, &made) < 0) return errno;
  *context = made;
  return 0;
}

void clinux_raiser_close(uint64_t context) { syscall(SYS_io_destroy, (aio_context_t)context); }

int clinux_raise(uint64_t context, int nullDevice, int event) {
  char byte;
  struct iocb read;
  struct iocb *list[1] = {&read};
  memset(&read, 0, sizeof read);
  read.aio_lio_opcode = IOCB_CMD_PREAD;
  read.aio_fildes = (uint32_t)nullDevice;
  read.aio_buf = (uint64_t)(uintptr_t)&byte;
  read.aio_nbytes = 1;
  read.aio_flags = IOCB_FLAG_RESFD;
  read.aio_resfd = (uint32_t)event;
  if (syscall(SYS_io_submit, (aio_context_t)context, 1, list) == 1) return 0;
  if (errno != EAGAIN) return errno;
  struct io_event results[RESULTS];
  while (syscall(SYS_io_getevents, (aio_context_t)context, 0, RESULTS, results, NULL) == RESULTS) {}
  return syscall(SYS_io_submit, (aio_context_t)context, 1, list) == 1 ? 0 : errno;
}
