/*
 * fpdraw: the lab guest's drawing program. It uses nothing but libc and the kernel's DRM uapi, so that it can be
 * linked statically into an initramfs, and so that what reaches the device is exactly what is written here.
 *
 * Every picture is a pure function of (x, y, w, h, seed). Host-side tests compute the same pictures themselves.
 * All arithmetic is unsigned 32 bit and wraps; "/" truncates. A pixel is 0x00RRGGBB (XRGB8888, little endian in memory).
 *
 *   solid:RRGGBB   that colour everywhere
 *   gradient       R = w > 1 ? x * 255 / (w - 1) : 0;  G = h > 1 ? y * 255 / (h - 1) : 0;  B = (x ^ y) & 255
 *   noise          v = (x * 0x9E3779B1) ^ (y * 0x85EBCA77) ^ (seed * 0xC2B2AE3D)
 *                  v ^= v >> 15; v *= 0x2C1B3C6D; v ^= v >> 12; v *= 0x297A2D39; v ^= v >> 15;  pixel = v & 0xFFFFFF
 *                  (this function of three numbers is called hash(x, y, seed) below, before the mask)
 *   frame:N        uniform colour f(N) = (N * 0x9E3779 + 0x1F2E3D) & 0xFFFFFF: distinct for every N below 2^24
 *   numbered:N     like frame:N, but in the first 16 rows the cell i = x / 16 (i < 32) is FFFFFF if bit i of N is set,
 *                  else 000000 (cells that the picture is too narrow for are simply not there)
 *
 *   damage         rectangle i of `damage --seed S` on a W x H picture:
 *                  rw = 1 + hash(i, 0, S) % min(64, W);  rh = 1 + hash(i, 1, S) % min(64, H)
 *                  rx = hash(i, 2, S) % (W - rw + 1);    ry = hash(i, 3, S) % (H - rh + 1)
 *                  colour = hash(i, 4, S) & 0xFFFFFF;    i = 0, 1, ... count-1, each painted over what is there
 *
 *   cursor         64 x 64 ARGB8888, alpha 0 or 255 only (so nothing has to be blended with rounding):
 *                  ((x >> 3) ^ (y >> 3)) & 1 ? 0xFF000000 | (x * 4) << 16 | (y * 4) << 8 | (seed & 255) : 0
 *
 * Commands (N is a head: the N-th connector in the kernel's order, 0 is the default):
 *   info                                               connectors, modes, EDID
 *   pattern KIND [--size WxH] [--head N] [--seed S]    mode set a picture; default size: the preferred mode
 *   mode WxH [--head N] [--hz R]                       other resolution, same kind of picture as before
 *   flip --count N [--interval-ms M] [--start K] [--numbered] [--size WxH] [--head N] [--verbose]
 *                                                      double-buffered page flips of frame:K ... frame:K+N-1
 *   damage --count N [--seed S] [--interval-ms M] [--head N]   draw in the displayed buffer, DIRTYFB each rectangle
 *   cursor [--x X] [--y Y] [--hot HX,HY] [--seed S] [--head N] | cursor --move --x X --y Y | cursor --off
 *   off [--head N]                                     disable the head
 *   reset                                              disable every head, free every buffer
 *   serve                                              hold the card; take the commands above over a Unix socket
 *   render KIND --size WxH [--seed S] [--damage COUNT] [--damage-seed S] -o FILE   (no card) picture as PPM
 *   compare A.ppm B.ppm                                (no card) exit 0 when equal, else print where they differ
 *   kexec KERNEL INITRAMFS "WORDS"                     (no card) run another kernel (bzImage) at once, without a shutdown
 *
 * While `fpdraw serve` runs, the same command line goes to it. Reply: free text, then one line "ok ..." or "error ...".
 * Closing a DRM fd takes its pictures from the screen: that is why there is a server.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <drm/drm.h>
#include <drm/drm_mode.h>

#define SOCKET_PATH "/run/fpdraw.sock"
#define MAX_HEADS 16
#define CURSOR_SIZE 64

/* ---- pictures ---- */

static uint32_t hash(uint32_t x, uint32_t y, uint32_t seed)
{
    uint32_t v = (x * 0x9E3779B1u) ^ (y * 0x85EBCA77u) ^ (seed * 0xC2B2AE3Du);
    v ^= v >> 15; v *= 0x2C1B3C6Du; v ^= v >> 12; v *= 0x297A2D39u; v ^= v >> 15;
    return v;
}

static uint32_t frame_colour(uint32_t n) { return (n * 0x9E3779u + 0x1F2E3Du) & 0xFFFFFFu; }

enum kind { SOLID, GRADIENT, NOISE, FRAME, NUMBERED };
struct picture { enum kind kind; uint32_t value; uint32_t seed; };

static bool parse_kind(const char *text, struct picture *p)
{
    char *end;
    if (!strcmp(text, "gradient")) { p->kind = GRADIENT; return true; }
    if (!strcmp(text, "noise")) { p->kind = NOISE; return true; }
    if (!strncmp(text, "solid:", 6)) {
        p->kind = SOLID; p->value = strtoul(text + 6, &end, 16) & 0xFFFFFF;
        return end == text + 12 && !*end;
    }
    if (!strncmp(text, "frame:", 6)) { p->kind = FRAME; p->value = strtoul(text + 6, &end, 0); return end != text + 6 && !*end; }
    if (!strncmp(text, "numbered:", 9)) { p->kind = NUMBERED; p->value = strtoul(text + 9, &end, 0); return end != text + 9 && !*end; }
    return false;
}

static uint32_t pixel(const struct picture *p, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
    switch (p->kind) {
    case SOLID: return p->value;
    case GRADIENT: return (w > 1 ? x * 255 / (w - 1) : 0) << 16 | (h > 1 ? y * 255 / (h - 1) : 0) << 8 | ((x ^ y) & 255);
    case NOISE: return hash(x, y, p->seed) & 0xFFFFFF;
    case NUMBERED: if (y < 16 && x / 16 < 32) return p->value >> (x / 16) & 1 ? 0xFFFFFF : 0; /* fall through */
    case FRAME: return frame_colour(p->value);
    }
    return 0;
}

static void paint(const struct picture *p, uint8_t *map, uint32_t pitch, uint32_t w, uint32_t h)
{
    for (uint32_t y = 0; y < h; y++) {
        uint32_t *row = (uint32_t *)(map + (size_t)y * pitch);
        for (uint32_t x = 0; x < w; x++) row[x] = pixel(p, x, y, w, h);
    }
}

struct rect { uint32_t x, y, w, h, colour; };

static struct rect damage_rect(uint32_t i, uint32_t seed, uint32_t w, uint32_t h)
{
    struct rect r;
    r.w = 1 + hash(i, 0, seed) % (w < 64 ? w : 64);
    r.h = 1 + hash(i, 1, seed) % (h < 64 ? h : 64);
    r.x = hash(i, 2, seed) % (w - r.w + 1);
    r.y = hash(i, 3, seed) % (h - r.h + 1);
    r.colour = hash(i, 4, seed) & 0xFFFFFF;
    return r;
}

static void fill(const struct rect *r, uint8_t *map, uint32_t pitch)
{
    for (uint32_t y = r->y; y < r->y + r->h; y++) {
        uint32_t *row = (uint32_t *)(map + (size_t)y * pitch);
        for (uint32_t x = r->x; x < r->x + r->w; x++) row[x] = r->colour;
    }
}

static uint32_t cursor_pixel(uint32_t x, uint32_t y, uint32_t seed)
{
    return ((x >> 3) ^ (y >> 3)) & 1 ? 0xFF000000u | (x * 4) << 16 | (y * 4) << 8 | (seed & 255) : 0;
}

/* ---- arguments ---- */

struct options {
    const char *first;          /* first word after the command that is no option */
    const char *second;
    uint32_t w, h, head, seed, count, start, hz, damage, damage_seed;
    int32_t x, y, hot_x, hot_y;
    double interval_ms;
    bool numbered, verbose, off, move, hold;
    const char *output;
};

static bool parse_size(const char *s, uint32_t *w, uint32_t *h)
{
    char junk;
    return sscanf(s, "%ux%u%c", w, h, &junk) == 2 && *w >= 1 && *h >= 1 && *w <= 16384 && *h <= 16384;
}

static const char *parse(int argc, char **argv, struct options *o)
{
    memset(o, 0, sizeof *o);
    o->seed = 1;
    o->damage_seed = 1;
    o->count = 1;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        const char *v = i + 1 < argc ? argv[i + 1] : NULL;
        if (strncmp(a, "-", 1) || !a[1]) {
            if (!o->first) o->first = a; else if (!o->second) o->second = a; else return a;
            continue;
        }
        if (!strcmp(a, "--numbered")) { o->numbered = true; continue; }
        if (!strcmp(a, "--verbose")) { o->verbose = true; continue; }
        if (!strcmp(a, "--off")) { o->off = true; continue; }
        if (!strcmp(a, "--move")) { o->move = true; continue; }
        if (!strcmp(a, "--hold")) { o->hold = true; continue; }
        if (!v) return a;
        i++;
        if (!strcmp(a, "--size")) { if (!parse_size(v, &o->w, &o->h)) return v; }
        else if (!strcmp(a, "--head")) o->head = strtoul(v, NULL, 0);
        else if (!strcmp(a, "--seed")) o->seed = strtoul(v, NULL, 0);
        else if (!strcmp(a, "--count")) o->count = strtoul(v, NULL, 0);
        else if (!strcmp(a, "--start")) o->start = strtoul(v, NULL, 0);
        else if (!strcmp(a, "--hz")) o->hz = strtoul(v, NULL, 0);
        else if (!strcmp(a, "--interval-ms")) o->interval_ms = strtod(v, NULL);
        else if (!strcmp(a, "--x")) o->x = strtol(v, NULL, 0);
        else if (!strcmp(a, "--y")) o->y = strtol(v, NULL, 0);
        else if (!strcmp(a, "--hot")) { if (sscanf(v, "%d,%d", &o->hot_x, &o->hot_y) != 2) return v; }
        else if (!strcmp(a, "--damage")) o->damage = strtoul(v, NULL, 0);
        else if (!strcmp(a, "--damage-seed")) o->damage_seed = strtoul(v, NULL, 0);
        else if (!strcmp(a, "-o")) o->output = v;
        else return a;
    }
    return NULL;
}

/* ---- the card ---- */

struct buffer { uint32_t handle, fb, w, h, pitch; uint64_t size; uint8_t *map; };
struct head {
    uint32_t connector, crtc;
    struct drm_mode_modeinfo mode;
    struct picture picture;
    struct buffer buffers[2];
    int front;                  /* index of the displayed buffer, -1: head is off */
};

static int card = -1;
static struct head heads[MAX_HEADS];
static uint32_t head_count;
static struct buffer cursor_buffer;
static FILE *out;

static int fail(const char *what)
{
    fprintf(out, "error %s: %s\n", what, strerror(errno));
    return 1;
}

static int complain(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(out, "error ");
    vfprintf(out, format, list);
    fprintf(out, "\n");
    va_end(list);
    return 1;
}

static int drm(unsigned long request, void *argument)
{
    int result;
    do result = ioctl(card, request, argument); while (result < 0 && (errno == EINTR || errno == EAGAIN));
    return result;
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void sleep_until(double us)
{
    struct timespec t = { (time_t)(us / 1e6), 0 };
    t.tv_nsec = (long)((us - t.tv_sec * 1e6) * 1e3);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
}

struct connector {
    struct drm_mode_get_connector get;
    struct drm_mode_modeinfo modes[256];
    uint32_t properties[64];
    uint64_t values[64];
    uint32_t encoders[16];
};

/* Asks the kernel to probe again (count_modes = 0), then reads modes and properties. */
static bool read_connector(uint32_t id, struct connector *c)
{
    memset(c, 0, sizeof *c);
    c->get.connector_id = id;
    if (drm(DRM_IOCTL_MODE_GETCONNECTOR, &c->get)) return false;
    struct drm_mode_get_connector first = c->get;
    if (first.count_modes > 256) first.count_modes = 256;
    if (first.count_props > 64) first.count_props = 64;
    if (first.count_encoders > 16) first.count_encoders = 16;
    memset(&c->get, 0, sizeof c->get);
    c->get.connector_id = id;
    c->get.count_modes = first.count_modes ? first.count_modes : 1;
    c->get.count_props = first.count_props;
    c->get.count_encoders = first.count_encoders;
    c->get.modes_ptr = (uintptr_t)c->modes;
    c->get.props_ptr = (uintptr_t)c->properties;
    c->get.prop_values_ptr = (uintptr_t)c->values;
    c->get.encoders_ptr = (uintptr_t)c->encoders;
    if (drm(DRM_IOCTL_MODE_GETCONNECTOR, &c->get)) return false;
    if (c->get.count_modes > 256) c->get.count_modes = 256;
    return true;
}

static bool find_card(void)
{
    const char *chosen = getenv("FPDRAW_CARD");
    char path[64];
    for (int i = 0; i < 16; i++) {
        snprintf(path, sizeof path, "/dev/dri/card%d", i);
        int fd = open(chosen ? chosen : path, O_RDWR | O_CLOEXEC);
        if (fd < 0) { if (chosen) return false; continue; }
        struct drm_mode_card_res r = { 0 };
        card = fd;
        if (!drm(DRM_IOCTL_MODE_GETRESOURCES, &r) && r.count_crtcs) return true;
        close(fd);
        card = -1;
        if (chosen) break;
    }
    return false;
}

/* Heads are fixed once: connector i gets a CRTC that its encoder can use and that nobody before it took. */
static bool open_card(void)
{
    if (card >= 0) return true;
    if (!find_card()) return false;
    struct drm_mode_card_res r = { 0 };
    uint32_t crtcs[32], connectors[32], encoders[32], fbs[32];
    uint32_t taken = 0;
    drm(DRM_IOCTL_MODE_GETRESOURCES, &r);
    r.count_fbs = 0;
    if (r.count_crtcs > 32) r.count_crtcs = 32;
    if (r.count_connectors > 32) r.count_connectors = 32;
    if (r.count_encoders > 32) r.count_encoders = 32;
    r.crtc_id_ptr = (uintptr_t)crtcs;
    r.connector_id_ptr = (uintptr_t)connectors;
    r.encoder_id_ptr = (uintptr_t)encoders;
    r.fb_id_ptr = (uintptr_t)fbs;
    if (drm(DRM_IOCTL_MODE_GETRESOURCES, &r)) return false;
    for (uint32_t i = 0; i < r.count_connectors && head_count < MAX_HEADS; i++) {
        static struct connector c;
        if (!read_connector(connectors[i], &c)) continue;
        struct head *h = &heads[head_count++];
        h->connector = connectors[i];
        h->front = -1;
        for (uint32_t e = 0; e < c.get.count_encoders && !h->crtc; e++) {
            struct drm_mode_get_encoder encoder = { .encoder_id = c.encoders[e] };
            if (drm(DRM_IOCTL_MODE_GETENCODER, &encoder)) continue;
            for (uint32_t k = 0; k < r.count_crtcs && !h->crtc; k++)
                if (encoder.possible_crtcs >> k & 1 && !(taken >> k & 1)) { h->crtc = crtcs[k]; taken |= 1u << k; }
        }
    }
    return true;
}

static void free_buffer(struct buffer *b)
{
    if (b->map) munmap(b->map, b->size);
    if (b->fb) drm(DRM_IOCTL_MODE_RMFB, &b->fb);
    if (b->handle) { struct drm_mode_destroy_dumb d = { b->handle }; drm(DRM_IOCTL_MODE_DESTROY_DUMB, &d); }
    memset(b, 0, sizeof *b);
}

static int make_buffer(struct buffer *b, uint32_t w, uint32_t h, bool framebuffer)
{
    struct drm_mode_create_dumb create = { .width = w, .height = h, .bpp = 32 };
    memset(b, 0, sizeof *b);
    if (drm(DRM_IOCTL_MODE_CREATE_DUMB, &create)) return fail("create dumb buffer");
    b->handle = create.handle; b->pitch = create.pitch; b->size = create.size; b->w = w; b->h = h;
    if (framebuffer) {
        struct drm_mode_fb_cmd2 add = { .width = w, .height = h, .pixel_format = 0x34325258 /* XR24 */ };
        add.handles[0] = create.handle;
        add.pitches[0] = create.pitch;
        if (drm(DRM_IOCTL_MODE_ADDFB2, &add)) { int r = fail("add framebuffer"); free_buffer(b); return r; }
        b->fb = add.fb_id;
    }
    struct drm_mode_map_dumb map = { .handle = create.handle };
    if (drm(DRM_IOCTL_MODE_MAP_DUMB, &map)) { int r = fail("map dumb buffer"); free_buffer(b); return r; }
    b->map = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, card, map.offset);
    if (b->map == MAP_FAILED) { b->map = NULL; int r = fail("mmap"); free_buffer(b); return r; }
    return 0;
}

static uint32_t refresh(const struct drm_mode_modeinfo *m)
{
    if (!m->htotal || !m->vtotal) return m->vrefresh;
    return (uint32_t)((m->clock * 1000.0) / ((double)m->htotal * m->vtotal) + 0.5);
}

/* The connector's own mode of that size (w = 0: the preferred one); a made-up 60 Hz timing where it has none. */
static int choose_mode(struct head *h, uint32_t w, uint32_t height, uint32_t hz, struct drm_mode_modeinfo *mode)
{
    static struct connector c;
    if (!read_connector(h->connector, &c)) return fail("read connector");
    const struct drm_mode_modeinfo *best = NULL;
    for (uint32_t i = 0; i < c.get.count_modes; i++) {
        const struct drm_mode_modeinfo *m = &c.modes[i];
        if (!m->hdisplay) continue;
        if (w && (m->hdisplay != w || m->vdisplay != height)) continue;
        if (hz && refresh(m) != hz) continue;
        if (!best || (m->type & DRM_MODE_TYPE_PREFERRED && !(best->type & DRM_MODE_TYPE_PREFERRED))) best = m;
    }
    if (best) { *mode = *best; return 0; }
    if (!w) return complain("head has no mode (status %u)", c.get.connection);
    if (!hz) hz = 60;
    memset(mode, 0, sizeof *mode);
    mode->hdisplay = w; mode->hsync_start = w + 16; mode->hsync_end = w + 48; mode->htotal = w + 160;
    mode->vdisplay = height; mode->vsync_start = height + 3; mode->vsync_end = height + 8; mode->vtotal = height + 30;
    mode->clock = (uint64_t)mode->htotal * mode->vtotal * hz / 1000;
    mode->vrefresh = hz;
    mode->type = DRM_MODE_TYPE_USERDEF;
    snprintf(mode->name, sizeof mode->name, "%ux%u", w, height);
    return 0;
}

static int set_crtc(struct head *h, uint32_t fb, struct drm_mode_modeinfo *mode)
{
    struct drm_mode_crtc set = { .crtc_id = h->crtc, .fb_id = fb };
    if (fb) { set.set_connectors_ptr = (uintptr_t)&h->connector; set.count_connectors = 1; set.mode_valid = 1; set.mode = *mode; }
    return drm(DRM_IOCTL_MODE_SETCRTC, &set) ? fail(fb ? "mode set" : "disable head") : 0;
}

static struct head *head_of(const struct options *o)
{
    if (o->head >= head_count) { complain("no head %u, there are %u", o->head, head_count); return NULL; }
    if (!heads[o->head].crtc) { complain("head %u has no CRTC", o->head); return NULL; }
    return &heads[o->head];
}

static int off(struct head *h)
{
    int result = set_crtc(h, 0, NULL);
    if (result) return result;
    h->front = -1;
    free_buffer(&h->buffers[0]);
    free_buffer(&h->buffers[1]);
    return 0;
}

/* Shows a picture in a new buffer; the buffers that were there go away after the new one is on screen. */
static int show(struct head *h, struct picture picture, uint32_t w, uint32_t height, uint32_t hz)
{
    struct drm_mode_modeinfo mode;
    struct buffer buffer;
    int result = choose_mode(h, w, height, hz, &mode);
    if (result) return result;
    result = make_buffer(&buffer, mode.hdisplay, mode.vdisplay, true);
    if (result) return result;
    paint(&picture, buffer.map, buffer.pitch, buffer.w, buffer.h);
    result = set_crtc(h, buffer.fb, &mode);
    if (result) { free_buffer(&buffer); return result; }
    free_buffer(&h->buffers[0]);
    free_buffer(&h->buffers[1]);
    h->buffers[0] = buffer;
    h->front = 0;
    h->mode = mode;
    h->picture = picture;
    return 0;
}

/* ---- commands ---- */

static int info(void)
{
    char name[32] = "";
    struct drm_version version = { .name_len = sizeof name - 1, .name = name };
    static struct connector c;
    drm(DRM_IOCTL_VERSION, &version);
    fprintf(out, "driver %s heads %u\n", name, head_count);
    for (uint32_t i = 0; i < head_count; i++) {
        if (!read_connector(heads[i].connector, &c)) return fail("read connector");
        fprintf(out, "head %u connector %u crtc %u status %s size_mm %ux%u modes %u\n", i, heads[i].connector, heads[i].crtc,
            c.get.connection == 1 ? "connected" : c.get.connection == 2 ? "disconnected" : "unknown", c.get.mm_width, c.get.mm_height,
            c.get.count_modes);
        for (uint32_t m = 0; m < c.get.count_modes; m++)
            fprintf(out, "mode %u %ux%u@%u%s\n", i, c.modes[m].hdisplay, c.modes[m].vdisplay, refresh(&c.modes[m]),
                c.modes[m].type & DRM_MODE_TYPE_PREFERRED ? " preferred" : "");
        for (uint32_t p = 0; p < c.get.count_props; p++) {
            struct drm_mode_get_property property = { .prop_id = c.properties[p] };
            if (drm(DRM_IOCTL_MODE_GETPROPERTY, &property) || strcmp(property.name, "EDID") || !c.values[p]) continue;
            /* The kernel copies only when the length asked for is the blob's own: ask for that first. */
            static uint8_t data[4096];
            struct drm_mode_get_blob blob = { .blob_id = c.values[p] };
            if (drm(DRM_IOCTL_MODE_GETPROPBLOB, &blob) || blob.length > sizeof data) continue;
            blob.data = (uintptr_t)data;
            if (drm(DRM_IOCTL_MODE_GETPROPBLOB, &blob)) continue;
            fprintf(out, "edid %u ", i);
            for (uint32_t b = 0; b < blob.length && b < sizeof data; b++) fprintf(out, "%02x", data[b]);
            fprintf(out, "\n");
        }
    }
    fprintf(out, "ok info\n");
    return 0;
}

static int wait_flip(uint32_t crtc, int milliseconds)
{
    double deadline = now_us() + milliseconds * 1e3;
    for (;;) {
        struct pollfd p = { card, POLLIN, 0 };
        int left = (int)((deadline - now_us()) / 1e3);
        if (left <= 0 || poll(&p, 1, left) <= 0) { errno = ETIMEDOUT; return -1; }
        char data[1024];
        ssize_t n = read(card, data, sizeof data);
        for (ssize_t at = 0; at + (ssize_t)sizeof(struct drm_event) <= n;) {
            struct drm_event event;
            memcpy(&event, data + at, sizeof event);
            if (event.type == DRM_EVENT_FLIP_COMPLETE) {
                struct drm_event_vblank flip;
                memcpy(&flip, data + at, sizeof flip);
                if (!flip.crtc_id || flip.crtc_id == crtc) return 0;
            }
            if (event.length < sizeof event) break;
            at += event.length;
        }
    }
}

static int flip(struct head *h, const struct options *o)
{
    struct picture picture = { o->numbered ? NUMBERED : FRAME, o->start, 0 };
    double first = 0, last = 0, shortest = 1e18, longest = 0;
    uint32_t late = 0;
    int result;
    /* Frame K comes with the mode set if nothing of the right size is on screen; from then on every frame is a flip. */
    bool fresh = h->front < 0 || (o->w && (h->mode.hdisplay != o->w || h->mode.vdisplay != o->h));
    if (fresh) {
        struct picture black = { SOLID, 0, 0 };
        if ((result = show(h, black, o->w, o->h, o->hz))) return result;
    }
    if (!h->buffers[!h->front].fb && (result = make_buffer(&h->buffers[!h->front], h->mode.hdisplay, h->mode.vdisplay, true))) return result;
    double begin = now_us();
    for (uint32_t i = 0; i < o->count; i++) {
        struct buffer *back = &h->buffers[!h->front];
        picture.value = o->start + i;
        paint(&picture, back->map, back->pitch, back->w, back->h);
        if (o->interval_ms > 0) {
            double due = begin + i * o->interval_ms * 1e3;
            if (now_us() > due + 1e3 && i) late++;
            sleep_until(due);
        }
        struct drm_mode_crtc_page_flip request = { .crtc_id = h->crtc, .fb_id = back->fb, .flags = DRM_MODE_PAGE_FLIP_EVENT };
        double asked = now_us();
        if (drm(DRM_IOCTL_MODE_PAGE_FLIP, &request)) return fail("page flip");
        if (wait_flip(h->crtc, 10000)) return fail("wait for flip");
        double done = now_us();
        h->front = !h->front;
        h->picture = picture;
        if (o->verbose) fprintf(out, "flip %u asked_us %.0f done_us %.0f\n", picture.value, asked - begin, done - begin);
        if (!i) first = done;
        else { if (done - last < shortest) shortest = done - last; if (done - last > longest) longest = done - last; }
        last = done;
    }
    double elapsed = last - begin;
    fprintf(out, "ok flip count %u elapsed_us %.0f fps %.2f shortest_us %.0f longest_us %.0f late %u\n", o->count, elapsed,
        o->count > 1 ? (o->count - 1) * 1e6 / (last - first) : 0.0, o->count > 1 ? shortest : 0.0, longest, late);
    return 0;
}

static int damage(struct head *h, const struct options *o)
{
    if (h->front < 0) return complain("damage: nothing is on screen");
    struct buffer *b = &h->buffers[h->front];
    double begin = now_us();
    for (uint32_t i = 0; i < o->count; i++) {
        struct rect r = damage_rect(i, o->seed, b->w, b->h);
        fill(&r, b->map, b->pitch);
        if (o->interval_ms > 0) sleep_until(begin + i * o->interval_ms * 1e3);
        struct drm_clip_rect clip = { r.x, r.y, r.x + r.w, r.y + r.h };
        struct drm_mode_fb_dirty_cmd dirty = { .fb_id = b->fb, .num_clips = 1, .clips_ptr = (uintptr_t)&clip };
        if (drm(DRM_IOCTL_MODE_DIRTYFB, &dirty) && errno != ENOSYS) return fail("dirtyfb");
        if (o->verbose) fprintf(out, "rect %u %u,%u %ux%u %06x\n", i, r.x, r.y, r.w, r.h, r.colour);
    }
    double elapsed = now_us() - begin;
    fprintf(out, "ok damage count %u elapsed_us %.0f\n", o->count, elapsed);
    return 0;
}

static int cursor(struct head *h, const struct options *o)
{
    struct drm_mode_cursor2 c = { .crtc_id = h->crtc, .x = o->x, .y = o->y };
    if (o->off) {
        c.flags = DRM_MODE_CURSOR_BO;
        if (drm(DRM_IOCTL_MODE_CURSOR2, &c)) return fail("hide cursor");
        free_buffer(&cursor_buffer);
    } else if (o->move) {
        c.flags = DRM_MODE_CURSOR_MOVE;
        if (drm(DRM_IOCTL_MODE_CURSOR2, &c)) return fail("move cursor");
    } else {
        struct buffer old = cursor_buffer;
        int result = make_buffer(&cursor_buffer, CURSOR_SIZE, CURSOR_SIZE, false);
        if (result) { cursor_buffer = old; return result; }
        for (uint32_t y = 0; y < CURSOR_SIZE; y++)
            for (uint32_t x = 0; x < CURSOR_SIZE; x++)
                ((uint32_t *)(cursor_buffer.map + (size_t)y * cursor_buffer.pitch))[x] = cursor_pixel(x, y, o->seed);
        c.flags = DRM_MODE_CURSOR_BO | DRM_MODE_CURSOR_MOVE;
        c.width = CURSOR_SIZE; c.height = CURSOR_SIZE; c.handle = cursor_buffer.handle;
        c.hot_x = o->hot_x; c.hot_y = o->hot_y;
        if (drm(DRM_IOCTL_MODE_CURSOR2, &c)) return fail("set cursor");
        free_buffer(&old);
    }
    fprintf(out, "ok cursor\n");
    return 0;
}

static int run(int argc, char **argv)
{
    struct options o;
    const char *bad = parse(argc, argv, &o);
    const char *command = argv[0];
    if (bad) return complain("bad argument: %s", bad);
    if (!open_card()) return fail("no card with a CRTC");
    if (!strcmp(command, "info")) return info();
    if (!strcmp(command, "reset")) {
        for (uint32_t i = 0; i < head_count; i++) if (heads[i].front >= 0 && off(&heads[i])) return 1;
        free_buffer(&cursor_buffer);
        fprintf(out, "ok reset\n");
        return 0;
    }
    struct head *h = head_of(&o);
    if (!h) return 1;
    if (!strcmp(command, "flip")) return flip(h, &o);
    if (!strcmp(command, "damage")) return damage(h, &o);
    if (!strcmp(command, "cursor")) return cursor(h, &o);
    if (!strcmp(command, "off")) {
        if (off(h)) return 1;
        fprintf(out, "ok off\n");
        return 0;
    }
    if (!strcmp(command, "pattern")) {
        struct picture p = { .seed = o.seed };
        if (!o.first || !parse_kind(o.first, &p)) return complain("unknown picture");
        if (show(h, p, o.w, o.h, o.hz)) return 1;
    } else if (!strcmp(command, "mode")) {
        if (!o.first || !parse_size(o.first, &o.w, &o.h)) return complain("mode WxH");
        if (show(h, h->picture, o.w, o.h, o.hz)) return 1;
    } else return complain("unknown command %s", command);
    struct buffer *b = &h->buffers[h->front];
    fprintf(out, "ok %s %ux%u@%u pitch %u\n", command, b->w, b->h, refresh(&h->mode), b->pitch);
    return 0;
}

/* ---- server and client ---- */

static int serve(void)
{
    char line[4096];
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET_PATH };
    signal(SIGPIPE, SIG_IGN);
    out = stderr;
    if (!open_card()) return fail("no card with a CRTC");
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(SOCKET_PATH);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16)) return fail("listen");
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) continue;
        FILE *in = fdopen(client, "r");
        out = fdopen(dup(client), "w");
        while (fgets(line, sizeof line, in)) {
            char *words[64];
            int count = 0;
            for (char *w = strtok(line, " \t\r\n"); w && count < 64; w = strtok(NULL, " \t\r\n")) words[count++] = w;
            if (!count) continue;
            run(count, words);
            fflush(out);
        }
        fclose(out);
        fclose(in);
        out = stderr;
    }
}

/* -1: no server there. Otherwise the exit status. */
static int forward(int argc, char **argv)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET_PATH };
    char line[4096];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) { if (fd >= 0) close(fd); return -1; }
    size_t n = 0;
    for (int i = 0; i < argc; i++) n += snprintf(line + n, n < sizeof line ? sizeof line - n : 0, "%s%s", i ? " " : "", argv[i]);
    if (n + 1 >= sizeof line) { fprintf(stderr, "error too long\n"); return 2; }
    line[n++] = '\n';
    if (write(fd, line, n) != (ssize_t)n) return 2;
    FILE *reply = fdopen(fd, "r");
    while (fgets(line, sizeof line, reply)) {
        fputs(line, stdout);
        if (!strncmp(line, "ok", 2)) return 0;
        if (!strncmp(line, "error", 5)) return 1;
    }
    fprintf(stderr, "error the server went away\n");
    return 2;
}

/* ---- pictures in files ---- */

static int render(int argc, char **argv)
{
    struct options o;
    struct picture p = { 0 };
    const char *bad = parse(argc, argv, &o);
    out = stderr;
    if (bad || !o.first || !o.w || !o.output) return complain("render KIND --size WxH [--seed S] [--damage N] -o FILE");
    p.seed = o.seed;
    if (!parse_kind(o.first, &p)) return complain("unknown picture %s", o.first);
    uint8_t *map = malloc((size_t)o.w * o.h * 4);
    FILE *file = fopen(o.output, "wb");
    if (!map || !file) return fail(o.output);
    paint(&p, map, o.w * 4, o.w, o.h);
    for (uint32_t i = 0; i < o.damage; i++) { struct rect r = damage_rect(i, o.damage_seed, o.w, o.h); fill(&r, map, o.w * 4); }
    fprintf(file, "P6\n%u %u\n255\n", o.w, o.h);
    for (size_t i = 0; i < (size_t)o.w * o.h; i++) {
        uint32_t v = ((uint32_t *)map)[i];
        uint8_t rgb[3] = { v >> 16, v >> 8, v };
        fwrite(rgb, 3, 1, file);
    }
    return fclose(file) ? fail(o.output) : 0;
}

static uint8_t *read_ppm(const char *path, uint32_t *w, uint32_t *h)
{
    FILE *file = fopen(path, "rb");
    uint32_t depth;
    if (!file || fscanf(file, "P6 %u %u %u", w, h, &depth) != 3 || depth != 255 || fgetc(file) == EOF || *w > 16384 || *h > 16384) return NULL;
    size_t size = (size_t)*w * *h * 3;
    uint8_t *data = malloc(size);
    if (!data || fread(data, 1, size, file) != size) return NULL;
    fclose(file);
    return data;
}

static int compare(int argc, char **argv)
{
    uint32_t w, h, w2, h2;
    size_t wrong = 0;
    if (argc != 3) { fprintf(stderr, "compare A.ppm B.ppm\n"); return 2; }
    uint8_t *a = read_ppm(argv[1], &w, &h), *b = read_ppm(argv[2], &w2, &h2);
    if (!a || !b) { fprintf(stderr, "compare: cannot read %s\n", a ? argv[2] : argv[1]); return 2; }
    if (w != w2 || h != h2) { printf("sizes differ: %ux%u %ux%u\n", w, h, w2, h2); return 1; }
    for (size_t i = 0; i < (size_t)w * h; i++)
        if (memcmp(a + i * 3, b + i * 3, 3) && wrong++ < 4)
            printf("(%zu,%zu): %02x%02x%02x %02x%02x%02x\n", i % w, i / w, a[i * 3], a[i * 3 + 1], a[i * 3 + 2], b[i * 3], b[i * 3 + 1], b[i * 3 + 2]);
    if (wrong) { printf("%zu of %zu pixels differ\n", wrong, (size_t)w * h); return 1; }
    printf("equal: %ux%u\n", w, h);
    return 0;
}

/* ---- another kernel ---- */

static int kexec(int argc, char **argv)
{
    if (argc != 4) { fprintf(stderr, "kexec KERNEL INITRAMFS WORDS\n"); return 2; }
    int kernel = open(argv[1], O_RDONLY), initramfs = open(argv[2], O_RDONLY);
    if (kernel < 0 || initramfs < 0) return perror(kernel < 0 ? argv[1] : argv[2]), 1;
    if (syscall(SYS_kexec_file_load, kernel, initramfs, strlen(argv[3]) + 1, argv[3], 0UL)) return perror("kexec_file_load"), 1;
    reboot(RB_KEXEC);
    return perror("reboot"), 1;
}

int main(int argc, char **argv)
{
    struct options o;
    argc--; argv++;
    if (argc < 1) { fprintf(stderr, "usage: fpdraw info|pattern|mode|flip|damage|cursor|off|reset|serve|render|compare|kexec ...\n"); return 2; }
    if (!strcmp(argv[0], "render")) return render(argc, argv);
    if (!strcmp(argv[0], "compare")) return compare(argc, argv);
    if (!strcmp(argv[0], "kexec")) return kexec(argc, argv);
    if (!strcmp(argv[0], "serve")) return serve();
    int result = forward(argc, argv);
    if (result >= 0) return result;
    out = stdout;
    result = run(argc, argv);
    fflush(out);
    if (!result && !parse(argc, argv, &o) && o.hold) pause();
    return result;
}
