#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/landlock.h of Linux 6.12; older headers lack parts of it. */
struct ruleset_attributes {
  uint64_t handled_files, handled_network, scoped;
};
struct __attribute__((packed)) path_beneath {
  uint64_t allowed;
  int32_t parent;
};
#define CREATE_RULESET_VERSION 1U
#define RULE_PATH_BENEATH 1
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

int csandbox_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int csandbox_no_core_files(int private) {
  /* A limit of 0 does not keep the kernel from passing a core to a program; that of 1 does: core(5). */
  struct rlimit none = {!private, !private};
  if (setrlimit(RLIMIT_CORE, &none) < 0) return -1;
  return private ? prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) : 0;
}

int csandbox_end_at_faults(void) {
  static const int faults[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    if (sigaction(faults[i], &action, NULL) < 0) return -1;
  }
  return 0;
}

static int read_capabilities(struct __user_cap_data_struct data[2]) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  return (int)syscall(SYS_capget, &header, data);
}

int csandbox_capabilities(uint64_t *effective) {
  struct __user_cap_data_struct data[2];
  if (read_capabilities(data) < 0) return -1;
  *effective = data[0].effective | (uint64_t)data[1].effective << 32;
  return 0;
}

int csandbox_keep_capabilities(uint64_t kept) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  /* EINVAL follows the last capability, EPERM means a process without CAP_SETPCAP, which has nothing to bound. */
  for (int capability = 0; capability < 64; capability++) {
    if (!(kept >> capability & 1) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) break;
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (read_capabilities(data) < 0) return -1;
  for (int word = 0; word < 2; word++) {
    data[word].permitted &= (uint32_t)(kept >> (32 * word));
    data[word].effective = data[word].permitted;
    data[word].inheritable = 0;
  }
  return (int)syscall(SYS_capset, &header, data);
}

int csandbox_landlock_version(void) {
  return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
}

int csandbox_landlock_ruleset(int version, uint64_t files, uint64_t network, uint64_t scoped) {
  struct ruleset_attributes attributes = {files, network, scoped};
  /* An older kernel refuses bytes that it does not know, even zeros of some. */
  size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
  return (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
}

int csandbox_landlock_allow(int ruleset, int parent, uint64_t files) {
  struct path_beneath rule = {files, parent};
  return (int)syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0);
}

int csandbox_landlock_restrict(int ruleset) { return (int)syscall(SYS_landlock_restrict_self, ruleset, 0); }

int csandbox_end_with_parent(int parent, int signal) {
  if (prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) < 0) return -1;
  return getppid() != parent;
}

int csandbox_close_from(unsigned int first) {
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return 0;
  if (errno != ENOSYS) return -1;
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
  for (unsigned int fd = first; fd < limit.rlim_cur && fd < 1 << 16; fd++) close((int)fd);
  return 0;
}

/* The handler runs on any thread, at any instruction: everything that it needs is here. */
#define CALLS 640
#define NAME_BYTES 32
static char names[CALLS][NAME_BYTES];
static char line_prefix[96];
static int report_fd = 2;

/* A call that no program of this package makes, so that the filter can have it end the process. */
int csandbox_fatal_call(void) { return SYS_kexec_load; }

void csandbox_name_call(int number, const char *name) {
  if (number >= 0 && number < CALLS) strncpy(names[number], name, NAME_BYTES - 1);
}

static size_t put(char *line, size_t length, size_t room, const char *text) {
  while (*text && length < room) line[length++] = *text++;
  return length;
}

static void violation(int signal, siginfo_t *info, void *context) {
  (void)context;
  (void)signal;
  char line[256], digits[12];
  size_t place = sizeof digits - 1, length = 0, room = sizeof line - 1;
  int number = info->si_syscall;
  unsigned int rest = number < 0 ? 0 : (unsigned int)number;
  digits[place] = 0;
  do digits[--place] = (char)('0' + rest % 10);
  while ((rest /= 10) != 0);
  length = put(line, length, room, line_prefix);
  length = put(line, length, room, " system call ");
  if (number >= 0 && number < CALLS && names[number][0]) {
    length = put(line, length, room, names[number]);
    length = put(line, length, room, " (");
    length = put(line, length, room, digits + place);
    length = put(line, length, room, ")");
  } else {
    length = put(line, length, room, digits + place);
  }
  line[length++] = '\n';
  ssize_t written = write(report_fd, line, length);
  (void)written;
  syscall(csandbox_fatal_call());
  _exit(128 + SIGSYS);
}

int csandbox_report_violations(int fd, const char *prefix) {
  struct sigaction action;
  sigset_t own;
  report_fd = fd;
  strncpy(line_prefix, prefix, sizeof line_prefix - 1);
  memset(&action, 0, sizeof action);
  action.sa_sigaction = violation;
  action.sa_flags = SA_SIGINFO;
  sigfillset(&action.sa_mask);
  /* A blocked signal would end the process without its handler. */
  sigemptyset(&own);
  sigaddset(&own, SIGSYS);
  if (sigprocmask(SIG_UNBLOCK, &own, NULL) < 0) return -1;
  return sigaction(SIGSYS, &action, NULL);
}
