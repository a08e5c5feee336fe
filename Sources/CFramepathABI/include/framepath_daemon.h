/* The part of framepath_guest.h for the daemon's socket: a client with its own region, for containers and processes of
 * the host. Docs/Protocol.md describes the messages. Errors are negative errno values. No function waits beyond its
 * deadline. */
#ifndef FRAMEPATH_DAEMON_H
#define FRAMEPATH_DAEMON_H

#include "framepath_protocol.h"
#include "framepath_region.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The state of a client's connection. */
struct framepath_daemon {
  int socket;      /* -1: not connected */
  int host_event;  /* wakes the daemon; -1 without a connection */
  int guest_event; /* signalled by the daemon for clients of its own user or root; others get REGION_NEWS */
  uint32_t width, height; /* of the output's mode; 0 before OUTPUT */
  char path[sizeof ((struct sockaddr_un *)0)->sun_path];
  char name[FRAMEPATH_NAME_BYTES];
  char reason[FRAMEPATH_TEXT_BYTES]; /* text of the daemon's last ERROR */
  uint64_t retry_at;    /* CLOCK_MONOTONIC, ns: no attempt to reconnect before it */
  uint32_t retry_pause; /* ms, the last pause after a refusal; 0: not refused since the last success */
};

static inline uint64_t framepath_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void framepath_sleep_ns(uint64_t ns) {
  struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  nanosleep(&time, NULL);
}

static inline void framepath_close_file(int *file) {
  if (*file >= 0) close(*file);
  *file = -1;
}

static inline void framepath_daemon_reset(struct framepath_daemon *daemon) {
  memset(daemon, 0, sizeof *daemon);
  daemon->socket = daemon->host_event = daemon->guest_event = -1;
}

/* Closes the connection; the daemon frees all resources of this client. */
static inline void framepath_daemon_close(struct framepath_daemon *daemon) {
  framepath_close_file(&daemon->socket);
  framepath_close_file(&daemon->host_event);
  framepath_close_file(&daemon->guest_event);
}

/* Sets name and path; NULL for $FRAMEPATH_SOCKET, else the user's or the system's default socket. */
static inline int framepath_daemon_address(struct framepath_daemon *daemon, const char *path, const char *name) {
  if (!path) path = getenv("FRAMEPATH_SOCKET");
  const char *folder = getenv("XDG_RUNTIME_DIR");
  int length = path ? snprintf(daemon->path, sizeof daemon->path, "%s", path)
                    : snprintf(daemon->path, sizeof daemon->path, "%s/framepath/framepathd.sock", folder ? folder : "/run");
  if (length < 0 || (size_t)length >= sizeof daemon->path || strlen(name) >= sizeof daemon->name) return -ENAMETOOLONG;
  snprintf(daemon->name, sizeof daemon->name, "%s", name);
  return 0;
}

/* Sends one message with up to three descriptors, which the caller keeps. */
static inline int framepath_daemon_send(const struct framepath_daemon *daemon, void *message, size_t size, const int *files,
                                        size_t count) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(3 * sizeof(int))];
  } control;
  struct iovec part;
  struct msghdr packet;
  memset(&control, 0, sizeof control);
  memset(&packet, 0, sizeof packet);
  part.iov_base = message;
  part.iov_len = size;
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  if (count > 3) return -EINVAL;
  if (count > 0) {
    packet.msg_control = control.space;
    packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *rights = CMSG_FIRSTHDR(&packet);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(rights), files, count * sizeof(int));
  }
  return sendmsg(daemon->socket, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size ? 0 : -errno;
}

/* Stores an ERROR's text; returns 0 if the client can continue, as after a frame that the output could not show. */
static inline int framepath_daemon_error(struct framepath_daemon *daemon, const struct framepath_error *error) {
  memcpy(daemon->reason, error->text, sizeof daemon->reason);
  daemon->reason[sizeof daemon->reason - 1] = 0;
  switch (error->code) {
  case FRAMEPATH_ERROR_OUTPUT: return 0;
  case FRAMEPATH_ERROR_VERSION: return -EPROTONOSUPPORT;
  case FRAMEPATH_ERROR_NAME_TAKEN: return -EADDRINUSE;
  case FRAMEPATH_ERROR_NO_MEMORY: return -ENOMEM;
  case FRAMEPATH_ERROR_LIMIT: return -EMFILE;
  default: return -ECONNREFUSED;
  }
}

/* Reads all received messages without waiting. An error closes the connection. */
static inline int framepath_daemon_read(struct framepath_daemon *daemon) {
  /* The daemon's packets have at most 2048 bytes and contain whole messages. */
  uint64_t space[256];
  while (daemon->socket >= 0) {
    ssize_t count = recv(daemon->socket, space, sizeof space, MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return 0;
    int error = count < 0 ? -errno : count == 0 ? -ECONNRESET : 0;
    for (size_t offset = 0; error == 0 && offset < (size_t)count;) {
      struct framepath_header header;
      const char *message = (const char *)space + offset;
      size_t left = (size_t)count - offset;
      if (left < sizeof header) error = -EBADMSG;
      else memcpy(&header, message, sizeof header);
      if (error == 0 && (header.size < sizeof header || header.size > left)) error = -EBADMSG;
      if (error) break;
      offset += header.size;
      if (header.type == FRAMEPATH_OUTPUT && header.size == sizeof(struct framepath_output)) {
        struct framepath_output output;
        memcpy(&output, message, sizeof output);
        daemon->width = output.width;
        daemon->height = output.height;
      } else if (header.type == FRAMEPATH_ERROR && header.size == sizeof(struct framepath_error)) {
        struct framepath_error words;
        memcpy(&words, message, sizeof words);
        error = framepath_daemon_error(daemon, &words);
      }
    }
    if (error) {
      framepath_close_file(&daemon->socket);
      return error;
    }
  }
  return -ENOTCONN;
}

/* Waits for messages, for at least a millisecond, and reads them. */
static inline int framepath_daemon_wait(struct framepath_daemon *daemon, uint64_t deadline, int most_ms) {
  struct pollfd files[2];
  uint64_t now = framepath_now_ns(), count;
  uint64_t left_ms = deadline > now ? (deadline - now + 999999) / 1000000 : 0;
  memset(files, 0, sizeof files);
  files[0].fd = daemon->socket;
  files[1].fd = daemon->guest_event; /* -1 is skipped */
  files[0].events = files[1].events = POLLIN;
  poll(files, 2, left_ms < (uint64_t)most_ms ? (int)left_ms : most_ms);
  if (files[1].revents & POLLIN && read(daemon->guest_event, &count, sizeof count) < 0) return -errno;
  return framepath_daemon_read(daemon);
}

/* Connects and sends HELLO for one scanout; 0 once OUTPUT was received. */
static inline int framepath_daemon_connect(struct framepath_daemon *daemon, uint64_t deadline) {
  struct sockaddr_un address;
  struct framepath_hello hello;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, daemon->path, sizeof daemon->path);
  framepath_close_file(&daemon->socket);
  daemon->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (daemon->socket < 0) return -errno;
  while (connect(daemon->socket, (const struct sockaddr *)&address, sizeof address)) {
    int error = errno;
    if ((error == EAGAIN || error == EINTR) && framepath_now_ns() < deadline) {
      framepath_sleep_ns(1000000);
      continue;
    }
    framepath_close_file(&daemon->socket);
    return error == ENOENT || error == ECONNREFUSED ? -EHOSTUNREACH : error == EAGAIN ? -EHOSTDOWN : -error;
  }
  memset(&hello, 0, sizeof hello);
  hello.header.type = FRAMEPATH_HELLO;
  hello.header.size = sizeof hello;
  hello.magic = FRAMEPATH_PROTOCOL_MAGIC;
  hello.version = FRAMEPATH_PROTOCOL_VERSION;
  hello.client_kind = FRAMEPATH_CLIENT_CONTAINER;
  hello.scanout_count = 1;
  memcpy(hello.name, daemon->name, sizeof hello.name);
  int error = framepath_daemon_send(daemon, &hello, sizeof hello, NULL, 0);
  daemon->width = daemon->height = 0;
  while (error == 0 && daemon->width == 0) {
    error = framepath_now_ns() < deadline ? framepath_daemon_wait(daemon, deadline, 100) : -EHOSTDOWN;
  }
  if (error) framepath_close_file(&daemon->socket);
  return error;
}

/* Schedules the next attempt to reconnect: after 100 ms if no daemon is running; after growing delays of up to 5 s if
 * it refuses the client, for example because its name is in use. */
static inline void framepath_daemon_retry_later(struct framepath_daemon *daemon, int error) {
  uint32_t pause = 100;
  if (error == -EADDRINUSE || error == -ECONNREFUSED || error == -ENOMEM || error == -EMFILE ||
      error == -EPROTONOSUPPORT) {
    daemon->retry_pause = daemon->retry_pause == 0 ? 100 : daemon->retry_pause < 2500 ? daemon->retry_pause * 2 : 5000;
    pause = daemon->retry_pause;
  }
  daemon->retry_at = framepath_now_ns() + pause * 1000000ull;
}

/* Sends the daemon a region, which is new or was served by another daemon before; a refusal is read later. */
static inline int framepath_daemon_give(struct framepath_daemon *daemon, int memory, uint64_t bytes, uint32_t slots) {
  struct framepath_region_message message;
  int files[3] = {memory, daemon->host_event, daemon->guest_event};
  memset(&message, 0, sizeof message);
  message.header.type = FRAMEPATH_REGION;
  message.header.size = sizeof message;
  message.flags = FRAMEPATH_REGION_MESSAGE_SHARED_CLOCK | FRAMEPATH_REGION_MESSAGE_GUEST_DOORBELL;
  message.region_bytes = bytes;
  message.slot_count = slots;
  return framepath_daemon_send(daemon, &message, sizeof message, files, 3);
}

/* Bytes of a picture whose rows are padded to 256; 0 for an impossible size. */
static inline uint64_t framepath_picture_bytes(uint32_t width, uint32_t height) {
  if (width > 65536 || height > 65536) return 0;
  return ((uint64_t)width * 4 + 255) / 256 * 256 * height;
}

/* The size of the smallest region whose slots hold pictures of this many bytes; 0 if there is none. */
static inline uint64_t framepath_region_size(uint64_t picture_bytes, uint32_t slots) {
  uint64_t unit = FRAMEPATH_REGION_ALIGNMENT;
  if (slots < 1 || slots > FRAMEPATH_REGION_MAX_SLOTS || picture_bytes == 0) return 0;
  for (uint64_t size = 2 * unit; size <= (uint64_t)1 << 32; size *= 2) {
    if ((size - unit) / slots / unit * unit >= picture_bytes) return size;
  }
  return 0;
}

/* A sealed memfd of this many bytes, or a negative errno value. */
static inline int framepath_region_memory(uint64_t bytes) {
  /* Numbers, because glibc declares the names for _GNU_SOURCE only. MFD_CLOEXEC | MFD_ALLOW_SEALING; F_ADD_SEALS of
   * F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW. */
  int memory = (int)syscall(SYS_memfd_create, "framepath-region", 3u);
  if (memory < 0) return -errno;
  if (ftruncate(memory, (off_t)bytes) || fcntl(memory, 1033, 7)) {
    int error = -errno;
    close(memory);
    return error;
  }
  return memory;
}

#endif
