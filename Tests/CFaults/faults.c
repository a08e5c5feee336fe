#define _GNU_SOURCE
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

int framepath_discard(int fd, long offset, long length) {
  return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

long framepath_call(long number) { return syscall(number, 0L, 0L, 0L, 0L, 0L, 0L); }
long framepath_call_fork(void) { return syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L); }
long framepath_call_ptrace(void) { return ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
long framepath_call_mount(void) { return mount("none", "/nowhere", "tmpfs", 0, NULL); }

int framepath_set_core_limit(void) {
  struct rlimit none = {0, 0};
  return setrlimit(RLIMIT_CORE, &none);
}

int framepath_ignore_violations(void) { return signal(SIGSYS, SIG_IGN) == SIG_ERR ? -1 : 0; }

// The C library's functions would change the user of all threads.
static int become(unsigned user, unsigned group) {
  if (user != 0) {
    if (syscall(SYS_setresgid, -1, group, -1) != 0) return -1;
    return syscall(SYS_setresuid, -1, user, -1);
  }
  if (syscall(SYS_setresuid, -1, user, -1) != 0) return -1;
  return syscall(SYS_setresgid, -1, group, -1);
}

int framepath_connect_as(const char *path, unsigned user) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
  strcpy(address.sun_path, path);
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int result = 0;
  if (become(user, user) != 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) result = -errno;
  if (become(0, 0) != 0) _exit(1);
  if (result < 0) close(fd);
  return result < 0 ? result : fd;
}
