/* A complete client of the hybrid graphics memory in C: draws numbered pictures and hands them over.
 *
 *   gcc -std=gnu11 -O2 -I Sources/CFramepathABI/include Docs/Examples/region-pattern.c -o region-pattern
 *   ./region-pattern 600                        in a virtual machine with an ivshmem device, as root
 *   ./region-pattern 600 --daemon box           in a container with the daemon's socket (FRAMEPATH_SOCKET), as "box"
 *   ./region-pattern 600 /run/region.sock.region     on the host, over the memory beside framepath-ivshmem's socket
 *
 * Prints one line of figures, then keeps the last picture until its input ends. */
#include "framepath_guest.h"

#define XRGB8888 0x34325258u /* "XR24" */

/* The upper 16 rows hold the frame's number in 32 blocks, white for 1; below, each pixel mixes its place with it. */
static void draw(void *pixels, uint32_t width, uint32_t height, uint32_t stride, uint32_t frame) {
  for (uint32_t y = 0; y < height; y++) {
    uint32_t *row = (uint32_t *)(void *)((uint8_t *)pixels + (size_t)y * stride);
    uint32_t common = (y * 0x9E3779B1u ^ frame * 0x85EBCA6Bu) >> 8;
    for (uint32_t x = 0; x < width; x++) {
      if (y < 16)
        row[x] = frame >> (x * 32 / width) & 1 ? 0xFFFFFF : 0;
      else
        row[x] = (common ^ x * 0x00010203u) & 0xFFFFFF;
    }
  }
}

static int fail(const char *what, int error, const struct framepath_screen *screen) {
  const char *reason = screen ? framepath_screen_reason(screen) : "";
  fprintf(stderr, "region-pattern: %s: %s%s%s\n", what, framepath_strerror(error), *reason ? ": " : "", reason);
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: region-pattern FRAMES [FILE | --daemon NAME]\n");
    return 64;
  }
  uint32_t frames = (uint32_t)strtoul(argv[1], NULL, 10);
  struct framepath_screen screen;
  int error, file = -1;
  if (argc > 3 && strcmp(argv[2], "--daemon") == 0) {
    error = framepath_screen_open_daemon(&screen, NULL, argv[3], 0, 0, 3, 5000);
  } else if (argc > 2) {
    file = open(argv[2], O_RDWR | O_CLOEXEC);
    if (file < 0) return fail(argv[2], -errno, NULL);
    error = framepath_screen_open_memory(&screen, file, NULL, 5000);
  } else {
    error = framepath_screen_open_device(&screen, NULL, 5000);
  }
  if (error) return fail("no region", error, &screen);

  uint32_t width, height, refresh_mhz;
  error = framepath_screen_wait_mode(&screen, &width, &height, &refresh_mhz, 5000);
  if (error) return fail("no output", error, &screen);
  uint32_t stride = (width * 4 + 255) / 256 * 256;

  for (uint32_t frame = 1; frame <= frames; frame++) {
    int slot = framepath_screen_acquire(&screen, 5000);
    if (slot < 0) return fail("no slot", slot, &screen);
    draw(framepath_screen_pixels(&screen, slot), width, height, stride, frame);
    error = framepath_screen_present(&screen, slot, width, height, stride, XRGB8888, NULL, 0);
    if (error) return fail("present", error, &screen);
  }
  for (int round = 0; round < 5000 && screen.flipped + screen.superseded + screen.failed < frames; round++) {
    framepath_sleep_ns(1000000);
    framepath_screen_read_events(&screen);
  }
  printf("frames=%u flipped=%llu superseded=%llu failed=%llu\n", frames, (unsigned long long)screen.flipped,
         (unsigned long long)screen.superseded, (unsigned long long)screen.failed);
  fflush(stdout);
  while (getchar() != EOF) continue;
  framepath_screen_close(&screen);
  if (file >= 0) close(file);
  return 0;
}
