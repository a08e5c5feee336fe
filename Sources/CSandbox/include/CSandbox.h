/* System calls of a process that gives up its rights, which glibc has no functions for.
 * Every function returns what the call returns and leaves errno as the call set it, unless it says otherwise. */
#ifndef FRAMEPATH_CSANDBOX_H
#define FRAMEPATH_CSANDBOX_H

#include <stdint.h>

/* PR_SET_NO_NEW_PRIVS: no program that this process runs gains rights. */
int csandbox_no_new_privileges(void);

/* Neither a core file nor, with `private`, a look of other processes of the same user into this one: RLIMIT_CORE and
 * PR_SET_DUMPABLE. */
int csandbox_no_core_files(int private);

/* Lets faults end the process at once. The Swift runtime's handler of crashes starts another program and reads /proc,
 * which a sandbox forbids. Call it before other handlers are installed. */
int csandbox_end_at_faults(void);

/* Gives up every capability whose bit is not in `kept`, for good where this process may: the effective, permitted,
 * inheritable, ambient and bounding sets of the calling thread. */
int csandbox_keep_capabilities(uint64_t kept);
/* The effective capabilities of the calling thread. */
int csandbox_capabilities(uint64_t *effective);

/* The version of the kernel's Landlock interface; -1 without one. */
int csandbox_landlock_version(void);
/* A ruleset that forbids these kinds of access: LANDLOCK_ACCESS_FS_*, _NET_*, LANDLOCK_SCOPE_*. A descriptor. */
int csandbox_landlock_ruleset(int version, uint64_t files, uint64_t network, uint64_t scoped);
/* Allows access to what is below an open file. */
int csandbox_landlock_allow(int ruleset, int parent, uint64_t files);
/* Restricts the calling thread, and threads that it starts. */
int csandbox_landlock_restrict(int ruleset);

/* Sends this process a signal when the thread that started it ends; 1 if it has ended before. */
int csandbox_end_with_parent(int parent, int signal);

/* Closes all descriptors from `first` on. */
int csandbox_close_from(unsigned int first);

/* The name of a system call in reports, before csandbox_report_violations. */
void csandbox_name_call(int number, const char *name);
/* Has a call outside of the filter reported as a line "PREFIX system call NAME (NUMBER)" at `fd`; then the process ends
 * by SIGSYS. The filter must trap such calls, and kill the process for csandbox_fatal_call(). */
int csandbox_report_violations(int fd, const char *prefix);
int csandbox_fatal_call(void);

/* In test builds only: makes this process leave its sandbox at SIGPROF, on whatever it does then: "open", "connect" or "exec". A call that
 * fails instead is reported on standard error as "test hook: WHAT failed with errno NUMBER". -1 for another word. */
int csandbox_violate_at_signal(const char *what);

#endif
