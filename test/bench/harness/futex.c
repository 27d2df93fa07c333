/*
 * Echo between two threads or two processes in C: what the kernel's futex allows, without a runtime. A payload as large as the message of
 * the other contenders is copied into a shared slot, out of it, back into another, and out again.
 *
 *   futex thread|process SPINS WARM_UP_MS BATCH_MS BATCHES CLIENT_CPU SERVER_CPU
 *
 * SPINS: how often to poll before sleeping. A CPU of -1 stands for any.
 *
 * Each side owns one turn word and sleeps on it: `sleeping` tells the other whether a wake is needed, as a doorbell does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAYLOAD_BYTES = 128, BATCHES_MAX = 64 };

struct slot {
  _Alignas(64) _Atomic uint32_t sequence;
  _Atomic uint32_t sleeping;
  _Alignas(64) char payload[PAYLOAD_BYTES];
};

struct channel {
  struct slot request, reply;
};

/* In memory that a forked process shares. */
static struct channel *channel;
static int spins;
/* The kernel finds the waiters of a process's own words faster. */
static int wait_operation = FUTEX_WAIT_PRIVATE, wake_operation = FUTEX_WAKE_PRIVATE;

static void put(struct slot *slot, const char *payload, uint32_t sequence) {
  memcpy(slot->payload, payload, PAYLOAD_BYTES);
  atomic_store(&slot->sequence, sequence);
  if (atomic_load(&slot->sleeping)) {
    syscall(SYS_futex, &slot->sequence, wake_operation, 1, NULL, NULL, 0);
  }
}

static void take(struct slot *slot, char *payload, uint32_t sequence) {
  for (int i = 0; i < spins; i++) {
    if (atomic_load(&slot->sequence) == sequence) break;
  }
  while (atomic_load(&slot->sequence) != sequence) {
    atomic_store(&slot->sleeping, 1);
    uint32_t seen = atomic_load(&slot->sequence);
    if (seen != sequence) {
      long result = syscall(SYS_futex, &slot->sequence, wait_operation, seen, NULL, NULL, 0);
      if (result != 0 && errno != EAGAIN && errno != EINTR) abort();
    }
    atomic_store(&slot->sleeping, 0);
  }
  memcpy(payload, slot->payload, PAYLOAD_BYTES);
}

static void pin(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0) abort();
}

static void *serve(void *cpu) {
  pin(*(int *)cpu);
  char payload[PAYLOAD_BYTES];
  for (uint32_t sequence = 1;; sequence++) {
    take(&channel->request, payload, sequence);
    put(&channel->reply, payload, sequence);
  }
  return NULL;
}

/* Starts the server beside this thread; a process ends with this one. */
static int start_server(int in_process, int *cpu) {
  channel = mmap(NULL, sizeof *channel, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (channel == MAP_FAILED) return -1;
  if (!in_process) {
    pthread_t thread;
    return pthread_create(&thread, NULL, serve, cpu) == 0 ? 0 : -1;
  }
  wait_operation = FUTEX_WAIT;
  wake_operation = FUTEX_WAKE;
  pid_t parent = getpid();
  pid_t child = fork();
  if (child != 0) return child < 0 ? -1 : 0;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(1);
  serve(cpu);
  _exit(0);
}

static double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void echoes(uint32_t *sequence, long count) {
  char sent[PAYLOAD_BYTES], received[PAYLOAD_BYTES];
  for (long i = 0; i < count; i++) {
    ++*sequence;
    memset(sent, (int)(*sequence & 0x7f), PAYLOAD_BYTES);
    put(&channel->request, sent, *sequence);
    take(&channel->reply, received, *sequence);
    if (memcmp(sent, received, PAYLOAD_BYTES) != 0) abort();
  }
}

static int ascending(const void *first, const void *second) {
  double a = *(const double *)first, b = *(const double *)second;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  if (argc != 8) return 2;
  spins = atoi(argv[2]);
  double warm_up_us = atof(argv[3]) * 1e3, batch_us = atof(argv[4]) * 1e3;
  int batches = atoi(argv[5]);
  if (batches < 1 || batches > BATCHES_MAX) return 2;
  int client_cpu = atoi(argv[6]), server_cpu = atoi(argv[7]);
  if (start_server(strcmp(argv[1], "process") == 0, &server_cpu) != 0) return 1;
  pin(client_cpu);

  uint32_t sequence = 0;
  long done = 0;
  double begin = now_us();
  while (now_us() - begin < warm_up_us) {
    echoes(&sequence, 100);
    done += 100;
  }
  long count = (long)((double)done * batch_us / (now_us() - begin)) + 1;
  double samples[BATCHES_MAX];
  for (int i = 0; i < batches; i++) {
    double batch_begin = now_us();
    echoes(&sequence, count);
    samples[i] = (now_us() - batch_begin) / (double)count;
  }
  qsort(samples, (size_t)batches, sizeof samples[0], ascending);
  printf("{\"roundTripUs\": %.4f}\n", samples[batches / 2]);
  return 0;
}
