/*
 * Runs inside the guests: requests of one kind to a disk, a number of processes at a time, past the
 * guest's own cache (O_DIRECT). It has no library, so that it needs nothing of the guest but Linux
 * for 32 bits.
 *
 *   load disk NAME read|write random|sequential BYTES DEPTH MILLISECONDS COUNT DEVICE
 *                          at least so long, and at least so many
 *   load memory            touches all memory that is free, so that the host has it, too
 *
 * The first prints "BENCH NAME begin", and at the end "BENCH NAME end COUNT".
 */
typedef unsigned int u32;
typedef unsigned long long u64;

enum {
  SYS_exit = 1, SYS_fork = 2, SYS_write = 4, SYS_open = 5, SYS_waitpid = 7, SYS_munmap = 91,
  SYS_sysinfo = 116, SYS__llseek = 140, SYS_pread64 = 180, SYS_pwrite64 = 181, SYS_mmap2 = 192,
  SYS_clock_gettime = 265
};
enum { O_RDWR = 2, O_DIRECT = 040000, SEEK_END = 2, CLOCK_MONOTONIC = 1 };
enum { PROT = 3, MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20, PAGE = 4096, LANES_MAX = 64 };

static long call(long n, long a, long b, long c, long d, long e) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "0"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
  return result;
}

static char *map(u32 bytes, int flags) {
  long result;
  __asm__ volatile("push %%ebp; xor %%ebp, %%ebp; int $0x80; pop %%ebp"
                   : "=a"(result)
                   : "0"(SYS_mmap2), "b"(0), "c"(bytes), "d"(PROT), "S"(flags | MAP_ANONYMOUS), "D"(-1)
                   : "memory");
  return (char *)result;
}

static u32 length(const char *text) {
  u32 count = 0;
  while (text[count]) count++;
  return count;
}

static void print(const char *text) { call(SYS_write, 1, (long)text, length(text), 0, 0); }

static void fail(const char *what) {
  print("BENCH failed: ");
  print(what);
  print("\n");
  call(SYS_exit, 1, 0, 0, 0, 0);
}

static u32 number(const char *text) {
  u32 value = 0;
  for (; *text >= '0' && *text <= '9'; text++) value = value * 10 + (u32)(*text - '0');
  return value;
}

static u32 now_ms(void) {
  long time[2];
  call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)time, 0, 0, 0);
  return (u32)time[0] * 1000 + (u32)time[1] / 1000000;
}

struct load {
  const char *name, *device;
  int write, random;
  u32 bytes, depth, ms, least;
};

/* One of the processes: requests until the time is up, but its part of them at least. The result is their number. */
static u32 lane(const struct load *load, u32 which) {
  long device = call(SYS_open, (long)load->device, O_RDWR | O_DIRECT, 0, 0, 0);
  if (device < 0) fail("open");
  u64 size = 0;
  call(SYS__llseek, device, 0, 0, (long)&size, SEEK_END);
  u32 places = (u32)(size >> 12) / (load->bytes >> 12);
  if (places == 0) fail("size");
  char *buffer = map(load->bytes, MAP_PRIVATE);
  for (u32 at = 0; at < load->bytes; at += PAGE) buffer[at] = (char)(at + which);
  u32 state = which * 2654435761u + 12345, place = which * (places / load->depth), count = 0;
  for (u32 begin = now_ms(); count * load->depth < load->least || now_ms() - begin < load->ms; count++) {
    state = state * 1103515245u + 12345;
    place = load->random ? (state >> 8) % places : (place + 1) % places;
    u64 offset = (u64)place * load->bytes;
    long done = call(load->write ? SYS_pwrite64 : SYS_pread64, device, (long)buffer, (long)load->bytes,
                     (long)(u32)offset, (long)(u32)(offset >> 32));
    if (done != (long)load->bytes) fail("a request");
  }
  return count;
}

static void run(const struct load *load) {
  volatile u32 *counts = (volatile u32 *)map(PAGE, MAP_SHARED);
  print("BENCH "); print(load->name); print(" begin\n");
  for (u32 which = 0; which < load->depth; which++) {
    long child = call(SYS_fork, 0, 0, 0, 0, 0);
    if (child < 0) fail("fork");
    if (child == 0) {
      counts[which] = lane(load, which);
      call(SYS_exit, 0, 0, 0, 0, 0);
    }
  }
  while (call(SYS_waitpid, -1, 0, 0, 0, 0) > 0) {}
  u32 total = 0;
  for (u32 which = 0; which < load->depth; which++) {
    if (counts[which] == 0) fail("a process");
    total += counts[which];
  }
  char digits[12], *at = digits + sizeof digits;
  *--at = 0;
  *--at = '\n';
  do *--at = (char)('0' + total % 10); while (total /= 10);
  print("BENCH "); print(load->name); print(" end "); print(at);
}

static void touch(void) {
  u32 info[16];
  call(SYS_sysinfo, (long)info, 0, 0, 0, 0);
  /* The fields are uptime, three loads, all memory, free memory. */
  u32 free_bytes = info[5] / 16 * 15 / PAGE * PAGE;
  char *memory = map(free_bytes, MAP_PRIVATE);
  for (u32 at = 0; at < free_bytes; at += PAGE) ((volatile char *)memory)[at] = 0;
  call(SYS_munmap, (long)memory, free_bytes, 0, 0, 0);
}

void begin(long *stack) {
  char **words = (char **)(stack + 1);
  if (stack[0] == 2) {
    touch();
  } else if (stack[0] == 10) {
    struct load load = { .name = words[2], .write = words[3][0] == 'w', .random = words[4][1] == 'a',
                         .bytes = number(words[5]), .depth = number(words[6]), .ms = number(words[7]),
                         .least = number(words[8]), .device = words[9] };
    if (load.depth == 0 || load.depth > LANES_MAX || load.bytes < PAGE) fail("arguments");
    run(&load);
  } else {
    fail("arguments");
  }
  call(SYS_exit, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start: mov %esp, %eax; and $-16, %esp; sub $12, %esp; push %eax; call begin\n");
