#define _GNU_SOURCE
#include "faults.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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
