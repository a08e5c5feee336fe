#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static void interrupted(int number) { (void)number; }

int clinux_interrupter_create(intptr_t *timer) {
  int number = SIGRTMIN + 6;
  struct sigaction action;
  struct sigevent event;
  sigset_t signals;
  timer_t made;
  /* A handler without SA_RESTART: an ignored signal would not end a wait. */
  memset(&action, 0, sizeof action);
  action.sa_handler = interrupted;
  sigemptyset(&action.sa_mask);
  if (sigaction(number, &action, NULL) < 0) return errno;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = number;
  event.sigev_notify_thread_id = gettid();
  if (timer_create(CLOCK_MONOTONIC, &event, &made) < 0) return errno;
  sigemptyset(&signals);
  sigaddset(&signals, number);
  pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
  *timer = (intptr_t)made;
  return 0;
}

static void set_timer(intptr_t timer, int milliseconds) {
  struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
  /* Repeated, because the first signal may come before the wait begins. */
  struct itimerspec both = {.it_value = time, .it_interval = time};
  timer_settime((timer_t)timer, 0, &both, NULL);
}

static void discard_unread(int fd) {
  char byte;
  /* No more can come after shutdown. The bound is for a socket that is not shut down. */
  for (int i = 0; i < 4096; i++) {
    if (recv(fd, &byte, 1, MSG_DONTWAIT) <= 0) return;
  }
}

void clinux_connection_close(int fd) {
  discard_unread(fd);
  close(fd);
}

void clinux_interrupted_close(intptr_t timer, int fd, int is_connection, int milliseconds) {
  set_timer(timer, milliseconds);
  if (is_connection) discard_unread(fd);
  close(fd);
  set_timer(timer, 0);
}

void clinux_interrupter_delete(intptr_t timer) { timer_delete((timer_t)timer); }
