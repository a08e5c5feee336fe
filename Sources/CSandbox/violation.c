#include "CSandbox.h"

#ifdef FRAMEPATH_TEST_HOOKS
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const kinds[] = {"open", "connect", "exec"};
static int kind = -1;

static int connect_elsewhere(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return fd < 0 ? fd : connect(fd, (struct sockaddr *)&address, sizeof address);
}

static int exec_something(void) {
  char *words[] = {"true", NULL}, *none[] = {NULL};
  return execve("/bin/true", words, none);
}

static void violate(int signal) {
  (void)signal;
  int result = kind == 0 ? open("/etc/passwd", O_RDONLY | O_CLOEXEC) : kind == 1 ? connect_elsewhere() : exec_something();
  char line[96];
  int length = result >= 0 ? snprintf(line, sizeof line, "test hook: %s worked\n", kinds[kind])
                           : snprintf(line, sizeof line, "test hook: %s failed with errno %d\n", kinds[kind], errno);
  ssize_t written = write(2, line, (size_t)length);
  (void)written;
}

int csandbox_violate_at_signal(const char *what) {
  for (int number = 0; number < 3; number++) {
    if (strcmp(what, kinds[number]) == 0) kind = number;
  }
  if (kind < 0) {
    errno = EINVAL;
    return -1;
  }
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = violate;
  action.sa_flags = SA_RESTART;
  return sigaction(SIGPROF, &action, NULL);
}
#endif
