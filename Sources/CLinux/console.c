#include "CLinux.h"

#include <linux/input.h>
#include <linux/kd.h>
#include <linux/vt.h>
#include <string.h>
#include <sys/ioctl.h>

int clinux_vt_active(int tty) {
  struct vt_stat state;
  return ioctl(tty, VT_GETSTATE, &state) < 0 ? -1 : state.v_active;
}

int clinux_vt_open_set(int tty) {
  struct vt_stat state;
  return ioctl(tty, VT_GETSTATE, &state) < 0 ? -1 : state.v_state;
}

int clinux_vt_unused(int tty) {
  int number = -1;
  return ioctl(tty, VT_OPENQRY, &number) < 0 ? -1 : number;
}

int clinux_vt_activate(int tty, int number) { return ioctl(tty, VT_ACTIVATE, number); }

int clinux_vt_modes(int tty, int *display, int *keyboard) {
  if (ioctl(tty, KDGETMODE, display) < 0) return -1;
  return ioctl(tty, KDGKBMODE, keyboard);
}

int clinux_vt_set_modes(int tty, int display, int keyboard) {
  if (ioctl(tty, KDSKBMODE, keyboard) < 0) return -1;
  return ioctl(tty, KDSETMODE, display);
}

int clinux_vt_ask(int tty, int release_signal, int acquire_signal) {
  struct vt_mode mode;
  memset(&mode, 0, sizeof mode);
  mode.mode = release_signal ? VT_PROCESS : VT_AUTO;
  mode.relsig = (short)release_signal;
  mode.acqsig = (short)acquire_signal;
  return ioctl(tty, VT_SETMODE, &mode);
}

int clinux_vt_release(int tty) { return ioctl(tty, VT_RELDISP, 1); }
int clinux_vt_acquired(int tty) { return ioctl(tty, VT_RELDISP, VT_ACKACQ); }

int clinux_input_grab(int device, int on) { return ioctl(device, EVIOCGRAB, on); }

int clinux_input_keys(int device, uint8_t *bits, size_t length) { return ioctl(device, EVIOCGBIT(EV_KEY, length), bits); }

int clinux_input_held(int device, uint8_t *bits, size_t length) { return ioctl(device, EVIOCGKEY(length), bits); }

int clinux_input_name(int device, char *name, size_t length) { return ioctl(device, EVIOCGNAME(length), name); }
