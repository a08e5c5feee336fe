#include <framepath_guest.h>

/* As guest-in-swift. */
int main(int count, char **words) {
  struct framepath_screen screen;
  int error = count > 1 ? framepath_screen_open_daemon(&screen, words[1], "guest-in-c", 64, 48, 3, 5000)
                        : framepath_screen_open_device(&screen, NULL, 5000);
  if (error) {
    printf("%s %s\n", framepath_strerror(error), framepath_screen_reason(&screen));
    return 1;
  }
  int slot = framepath_screen_acquire(&screen, 5000);
  if (slot < 0) return 1;
  void *pixels = framepath_screen_pixels(&screen, slot);
  memset(pixels, 0x80, 64 * 4 * 48);
  error = framepath_screen_present(&screen, slot, 64, 48, 64 * 4, 0x34325258u /* XR24 */, NULL, 0);
  if (error == 0) puts("presented");
  framepath_screen_close(&screen);
  return error != 0;
}
