// What a test needs of the kernel beyond Swift: memory that is taken away, system calls by number, another user.
#ifndef FRAMEPATH_FAULTS_H
#define FRAMEPATH_FAULTS_H

// FALLOC_FL_PUNCH_HOLE; 0 or -1.
int framepath_discard(int fd, long offset, long length);

// A system call without arguments: what it returns, or -1.
long framepath_call(long number);
// fork, ptrace, mount: calls that no process of the package makes.
long framepath_call_fork(void);
long framepath_call_ptrace(void);
long framepath_call_mount(void);
// setrlimit(RLIMIT_CORE, 0).
int framepath_set_core_limit(void);
// signal(SIGSYS, SIG_IGN); 0 or -1.
int framepath_ignore_violations(void);

// A SOCK_SEQPACKET socket connected to a path as that user and group, for this thread and this call; or -errno. For root.
int framepath_connect_as(const char *path, unsigned user);

#endif
