/* Input devices made by a test: linux/uinput.h. */
#ifndef FRAMEPATH_CUINPUT_H
#define FRAMEPATH_CUINPUT_H

/* A device of /dev/uinput with all keys from `first` to `last`. It exists until the
 * descriptor is closed. -1 with errno. */
int cuinput_create(const char *name, int first, int last);

/* Sends one event; -1 with errno. */
int cuinput_send(int device, int type, int code, int value);

/* N of /dev/input/eventN of a device; -1 with errno. */
int cuinput_number(int device);

#endif
